// What the keyboard does on every tab, the list of it and the page's settings behind "?", and the tab in the address.
(() => {
  const { build, oneStop, onChange, endSwitches } = window.cosmos;
  const KEYS = [
    ["?", "These words"],
    ["← →, Home, End", "From tab to tab, when a tab has the focus"],
    ["Tab", "From row to row of a list"],
    ["↑ ↓ ← →", "Through a list, and inside a row"],
    ["Space", "Select a row; with Shift all from the last one on"],
    ["Enter", "Open what has the focus"],
    ["Alt + ↑ ↓", "Move a row of the queue"],
    ["Ctrl + Enter", "Save what is open, or add what is selected to the queue"],
    ["Esc", "Close what is open"],
  ];

  function list() {
    let dialog = document.querySelector("#shortcuts");
    if (!dialog) {
      const rows = KEYS.map(([key, words]) => `<dt><kbd>${key}</kbd></dt><dd>${words}</dd>`).join("");
      dialog = build('<dialog id="shortcuts" aria-labelledby="shortcuts-title"><h2 id="shortcuts-title">Keys and settings</h2>' +
        `<dl>${rows}</dl><form method="dialog"><button>Close</button></form></dialog>`);
      dialog.querySelector("dl").after(endSwitches());
      // In the container, whose colours these are.
      document.querySelector(".gradio-container").append(dialog);
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close();
      });
    }
    if (!dialog.open) dialog.showModal();
  }

  const writes = (element) => element.matches?.("textarea, [contenteditable=true], input:not([type=checkbox]):not([type=radio]):not([type=range])");
  const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")].filter((tab) => tab.checkVisibility());

  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !writes(event.target) && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      list();
    }
    const at = tabs().indexOf(event.target);
    if (at < 0) return;
    const all = tabs();
    const to = { ArrowRight: (at + 1) % all.length, ArrowLeft: (at - 1 + all.length) % all.length, Home: 0, End: all.length - 1 }[event.key];
    if (to == null) return;
    event.preventDefault();
    all[to].click();
    all[to].focus();
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".cw-keys")) list();
  });

  // The address says which tab is open, so that a refresh stays there. Only our own tabs' names are ever looked for.
  const named = () => tabs().find((tab) => `#${tab.dataset.tabId}` === window.location.hash);
  let restored = false;
  onChange(() => {
    const all = tabs();
    const chosen = all.find((tab) => tab.getAttribute("aria-selected") === "true");
    if (!chosen) return;
    if (!restored) {
      restored = true;
      const wanted = named();
      if (wanted && wanted !== chosen) {
        wanted.click();
        return;
      }
    }
    oneStop(all, chosen);
    const hash = `#${chosen.dataset.tabId}`;
    if (window.location.hash !== hash && (window.location.hash || chosen !== all[0])) {
      window.history.replaceState(window.history.state, "", `${window.location.pathname}${window.location.search}${hash}`);
    }
  });
  window.addEventListener("hashchange", () => named()?.click());

  // Gradio 6.31 takes ?view=api for a page of endpoints that is open, and loads it only when its button is pressed: pressed
  // twice, it is closed and opened.
  let wanted = new URLSearchParams(window.location.search).get("view") === "api";
  onChange(() => {
    const button = wanted && restored && document.querySelector("footer .show-api"); // it forgets the tab in the address
    if (!button) return;
    wanted = false;
    button.click();
    button.click();
  });

  // Seeds: a plain number field with a dice beside it.
  const dots = [[8, 8], [16, 8], [12, 12], [8, 16], [16, 16]].map(([x, y]) => `<circle cx="${x}" cy="${y}" r="1.8"/>`).join("");
  onChange(() => {
    for (const input of document.querySelectorAll(".cw-seed input[type=number]:not(:has(+ .cw-dice))")) {
      const dice = build('<button type="button" class="cw-dice" title="Another seed" aria-label="Another seed, by chance"><svg viewBox="0 0 24 24" ' +
        'width="20" height="20" aria-hidden="true"><rect x="3" y="3" width="18" height="18" rx="4" fill="none" stroke="currentColor" ' +
        `stroke-width="2"/><g fill="currentColor">${dots}</g></svg></button>`);
      dice.addEventListener("click", () => {
        input.value = String(Math.floor(Math.random() * 1_000_000));
        for (const happened of ["input", "change"]) input.dispatchEvent(new Event(happened, { bubbles: true }));
      });
      input.after(dice);
    }
  });

  // A number outside its range stays as it was written, and says what would be right; it isn't moved in silence.
  const ranged = (element) => element.matches?.(".cw-grid input[type=number]");
  function judge(input) {
    const box = input.closest(".block");
    const slider = box?.querySelector("input[type=range]");
    const [low, high] = [slider?.min || input.min, slider?.max || input.max];
    const value = input.value === "" ? NaN : Number(input.value);
    const wrong = (low !== "" && low != null && value < Number(low)) || (high !== "" && high != null && value > Number(high));
    input.toggleAttribute("aria-invalid", wrong);
    let note = box?.querySelector(".cw-out-of-range");
    if (!wrong) note?.remove();
    else {
      if (!note) box.append((note = build('<p class="cw-out-of-range" role="alert"></p>')));
      const said = `${input.value} is out of range: write ${low} to ${high}.`;
      if (note.textContent !== said) note.textContent = said;
    }
    return wrong;
  }
  document.addEventListener("input", (event) => {
    if (ranged(event.target)) judge(event.target);
    else if (event.target.matches?.(".cw-grid input[type=range]")) {
      requestAnimationFrame(() => event.target.closest(".block")?.querySelectorAll("input[type=number]").forEach(judge));
    }
  }, true);
  for (const happened of ["blur", "pointerup"]) {
    // Gradio moves the number into its range when the field is left.
    window.addEventListener(happened, (event) => {
      if (event.target instanceof Element && ranged(event.target) && judge(event.target)) event.stopImmediatePropagation();
    }, true);
  }
})();
