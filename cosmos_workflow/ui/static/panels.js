// Editors, details and questions: they open where one looks, take the focus and give it back, and lose nothing in silence.
(() => {
  const PANELS = ".cw-panel, .cw-question";
  const FIELDS = "input:not([type=hidden]):not([type=file]):not([disabled]), textarea:not([disabled]), button:not([disabled])";
  const OPENERS = ".cw-table tbody tr, #new-prompt, #edit-prompt, #edit-item, [data-action=reuse]";
  const open = new Map(); // panel -> { from: what was clicked, changed: whether something was written in it }
  let clicked = null;
  let replaying = false;

  const shows = (panel) => panel.isConnected && panel.checkVisibility();
  const newest = () => [...open.keys()].filter(shows).pop();

  function look() {
    for (const panel of [...open.keys()]) if (!shows(panel)) closed(panel);
    for (const panel of document.querySelectorAll(PANELS)) if (!open.has(panel) && shows(panel)) opened(panel);
  }

  function opened(panel) {
    const from = clicked;
    open.set(panel, { from, row: from?.closest?.("tr")?.dataset.id, changed: false });
    const question = panel.classList.contains("cw-question");
    panel.setAttribute("role", question ? "alertdialog" : "dialog");
    const words = panel.querySelector("h2, .cw-line")?.textContent.trim();
    panel.setAttribute("aria-label", words || "Details");
    if (!from) return; // nobody asked for it: it stays where it stands, and takes nothing away
    if (question) place(panel, from);
    requestAnimationFrame(() => {
      if (panel.contains(document.activeElement)) return; // somebody was quicker, and writes there already
      const keep = question && panel.querySelector(".stop") && panel.querySelector(".cw-close");
      // A menu opens as soon as it has the focus.
      const field = [...panel.querySelectorAll(FIELDS)].find((one) => one.role !== "combobox");
      (keep || field || panel).focus({ preventScroll: true });
    });
  }

  function closed(panel) {
    const { from, row } = open.get(panel);
    open.delete(panel);
    panel.querySelector?.(".cw-unsaved")?.remove();
    if (!from || (document.activeElement && document.activeElement !== document.body && !panel.contains(document.activeElement))) return;
    const again = from.isConnected ? from : row && document.querySelector(`tr[data-id="${CSS.escape(row)}"] .cw-open`);
    (again || document.querySelector('[role=tab][aria-selected=true]'))?.focus?.({ preventScroll: true });
  }

  // A question stands beside what was clicked; on a phone it is a sheet, as page.css says.
  function place(panel, from) {
    panel.classList.add("cw-near");
    const box = from.getBoundingClientRect();
    const width = panel.offsetWidth;
    const height = panel.offsetHeight;
    const left = Math.max(12, Math.min(box.left, window.innerWidth - width - 12));
    const below = box.bottom + 8;
    const top = below + height < window.innerHeight ? below : Math.max(12, box.top - height - 8);
    panel.style.setProperty("--cw-left", `${left}px`);
    panel.style.setProperty("--cw-top", `${top}px`);
  }

  // What isn't saved is asked about, in the panel itself.
  function ask(panel, goOn) {
    let strip = panel.querySelector(".cw-unsaved");
    if (!strip) {
      strip = window.cosmos.build('<div class="cw-unsaved" role="alert"><span>What you wrote isn\'t saved.</span>' +
        '<button type="button" class="cw-keep">Go on writing</button><button type="button" class="cw-drop">Discard it</button></div>');
      panel.append(strip);
    }
    strip.querySelector(".cw-keep").onclick = () => {
      strip.remove();
      panel.querySelector(FIELDS)?.focus();
    };
    strip.querySelector(".cw-drop").onclick = () => {
      strip.remove();
      open.get(panel).changed = false;
      goOn();
    };
    strip.querySelector(".cw-keep").focus();
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("button, a, input, label, tr") || event.target;
    if (!event.target.closest?.(PANELS)) clicked = event.target.closest?.(".cw-open, button, input, label, a, [role=tab]") || target;
    if (replaying || event.target.closest?.(".cw-unsaved")) return;
    const panel = newest();
    if (!panel || !open.get(panel).changed) return;
    const leaves = event.target.closest(OPENERS) && !event.target.closest(`.cw-pick, ${PANELS}`);
    const closes = event.target.closest(".cw-close") && panel.contains(event.target);
    if (!leaves && !closes) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    ask(panel, () => {
      replaying = true;
      target.click();
      replaying = false;
    });
  }, true);

  for (const happened of ["input", "change"]) {
    document.addEventListener(happened, (event) => {
      const panel = event.target.closest?.(".cw-panel");
      if (panel && open.has(panel) && panel.querySelector(".cw-save")) open.get(panel).changed = true;
    }, true);
  }

  window.addEventListener("beforeunload", (event) => {
    if ([...open.entries()].some(([panel, { changed }]) => changed && panel.isConnected)) event.preventDefault();
  });

  document.addEventListener("keydown", (event) => {
    look(); // what has just opened is known, however soon the key comes
    const panel = newest();
    if (event.key === "Escape" && panel && !document.querySelector("dialog[open], [role=listbox]")) {
      event.preventDefault();
      (panel.querySelector(".cw-unsaved .cw-keep") ?? panel.querySelector(".cw-close"))?.click();
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      const add = document.querySelector("#add-to-queue");
      const button = panel?.querySelector(".cw-save") ?? (add?.checkVisibility() ? add : null);
      if (!button || button.disabled) return;
      event.preventDefault();
      event.stopPropagation();
      button.click();
    }
  }, true);

  window.cosmos.onChange(look);
})();
