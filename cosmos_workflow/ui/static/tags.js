// Buttons that write into a text, where its cursor is: what an engine does instead of saying it.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-tag]");
  const text = button && document.querySelector(`#${button.dataset.into} textarea`);
  if (!text) return;
  const [before, after] = [text.value.slice(0, text.selectionStart), text.value.slice(text.selectionEnd)];
  const words = `${/\S$/.test(before) ? " " : ""}${button.dataset.tag}${/^[\p{L}\p{N}]/u.test(after) ? " " : ""}`;
  text.focus();
  // The one way that undo knows of; it tells of the change as typing does.
  document.execCommand("insertText", false, words);
});
