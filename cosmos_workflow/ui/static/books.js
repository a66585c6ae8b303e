// A chapter's button has the player above it go there and play.
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-seek]");
  const player = button?.closest(".cw-book-file")?.querySelector("audio");
  if (player) window.cosmos.playFrom(player, Number(button.dataset.seek));
});

// The chapter that sounds is marked.
document.addEventListener("timeupdate", ({ target }) => {
  const buttons = [...(target.closest?.(".cw-book-file")?.querySelectorAll("button[data-seek]") ?? [])];
  const now = buttons.findLastIndex((button) => Number(button.dataset.seek) <= target.currentTime);
  buttons.forEach((button, number) => {
    if (number === now) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
}, true);
