// What the page does in the browser: tables and lists that change row by row, so that a player goes on and a selection stays.
window.cosmos = (() => {
  const tables = new Map();
  const key = (id) => `cosmos-workflow-selected-${id}`;

  function remembered(id) {
    try {
      return new Set(JSON.parse(sessionStorage.getItem(key(id)) || "[]"));
    } catch {
      return new Set();
    }
  }

  function selection(id) {
    if (!tables.has(id)) tables.set(id, { chosen: remembered(id), paint: () => {} });
    return tables.get(id);
  }

  function keep(id) {
    const { chosen, paint } = selection(id);
    try {
      sessionStorage.setItem(key(id), JSON.stringify([...chosen]));
    } catch {
      // Without storage the selection lives as long as the page.
    }
    paint();
  }

  /** Ids that are selected in a table. */
  function selected(id) {
    return [...selection(id).chosen];
  }

  /** Select these ids in a table, and no others. */
  function select(id, ids) {
    selection(id).chosen = new Set(ids || []);
    keep(id);
  }

  /** Call `draw` with a component's value, now and whenever it changes; one that was overtaken by a newer version, of the same
      queue where it has one, is left out. */
  function follow(props, watch, draw) {
    let last = -1;
    let queue;
    const update = () => {
      const value = props.value;
      if (!value || (value.queue === queue && value.version < last)) return;
      last = value.version ?? last;
      queue = value.queue;
      draw(value);
    };
    watch("value", update);
    update();
  }

  // Children by their data-id: kept where they didn't change, in the order of `wanted`.
  function reconcile(parent, wanted, make, first) {
    const known = new Map([...parent.children].map((child) => [child.dataset.id, child]));
    let place = parent.firstElementChild;
    for (const entry of wanted) {
      let child = known.get(entry.id);
      const fresh = !child;
      if (fresh) {
        child = make(entry);
        child.dataset.id = entry.id;
      }
      const changed = child.written !== entry.html;
      if (changed) {
        child.write(entry);
        child.written = entry.html;
        if (!first) flash(child);
      }
      if (child !== place) parent.insertBefore(child, place);
      else place = place.nextElementSibling;
      known.delete(entry.id);
    }
    for (const child of known.values()) child.remove();
  }

  function flash(node) {
    node.classList.remove("cw-flash");
    void node.offsetWidth;
    node.classList.add("cw-flash");
    // Left on, it would flash again whenever its tab is opened.
    setTimeout(() => node.classList.remove("cw-flash"), 1300);
  }

  function makeRow(id) {
    return () => {
      const row = document.createElement("tr");
      row.setAttribute("role", "row");
      row.write = (entry) => {
        row.innerHTML = '<td role="cell" class="cw-pick"><input type="checkbox"></td>' + entry.html;
        const box = row.querySelector("input");
        box.setAttribute("aria-label", `Select ${entry.name}`);
        box.checked = selection(id).chosen.has(entry.id);
        row.classList.toggle("cw-chosen", box.checked);
      };
      return row;
    };
  }

  function table(element, props, trigger, watch, id) {
    element.innerHTML =
      '<div class="cw-scroll" tabindex="-1"><table role="table" class="cw-table"><thead></thead><tbody></tbody></table></div>' +
      '<p class="cw-empty" hidden></p><p class="cw-foot"><span class="cw-count" aria-live="polite"></span>' +
      '<button type="button" class="cw-none" hidden>Clear selection</button><span class="cw-page"></span></p>';
    const part = (name) => element.querySelector(name);
    const state = selection(id);
    let first = true;

    const paint = () => {
      const { chosen } = state;
      const boxes = [...element.querySelectorAll("tbody input")];
      for (const box of boxes) {
        const row = box.closest("tr");
        box.checked = chosen.has(row.dataset.id);
        row.classList.toggle("cw-chosen", box.checked);
      }
      const all = part("thead input");
      if (all) {
        const ticked = boxes.filter((box) => box.checked).length;
        all.checked = boxes.length > 0 && ticked === boxes.length;
        all.indeterminate = ticked > 0 && ticked < boxes.length;
      }
      part(".cw-count").textContent = chosen.size ? `${chosen.size} selected` : "";
      part(".cw-none").hidden = chosen.size === 0;
      countOn(id, chosen, boxes.map((box) => box.closest("tr").dataset.id));
    };
    state.paint = paint;

    const draw = (value) => {
      const header = value.columns.map((name) => `<th scope="col" role="columnheader">${name}</th>`).join("");
      const head = `<tr role="row"><th role="columnheader" class="cw-pick"><input type="checkbox" aria-label="Select all that are shown"></th>${header}</tr>`;
      const thead = part("thead");
      if (thead.written !== head) {
        thead.innerHTML = head;
        thead.written = head;
      }
      reconcile(part("tbody"), value.rows, makeRow(id), first);
      first = false;
      part(".cw-scroll").hidden = value.rows.length === 0;
      foot(part, value);
      if (value.complete) {
        const there = new Set(value.rows.map((row) => row.id));
        const stale = [...state.chosen].filter((one) => !there.has(one));
        for (const one of stale) state.chosen.delete(one);
        if (stale.length) keep(id);
      }
      paint();
    };

    element.addEventListener("change", (event) => {
      if (event.target.type !== "checkbox") return;
      const rows = event.target.closest("thead") ? [...element.querySelectorAll("tbody tr")] : [event.target.closest("tr")];
      for (const row of rows) state.chosen[event.target.checked ? "add" : "delete"](row.dataset.id);
      keep(id);
    });
    element.addEventListener("click", (event) => {
      if (event.target.closest(".cw-none")) select(id, []);
      const row = event.target.closest("tbody tr");
      if (row && !event.target.closest(".cw-pick")) trigger("select", { id: row.dataset.id });
    });
    follow(props, watch, draw);
  }

  // Buttons that act on what is selected in a table, with their words; each says how much that is, and how much isn't in view.
  const ACTS = {
    "prompts-table": { "add-to-queue": ["Add to Queue", "Add"], "duplicate-prompts": ["Duplicate", "Duplicate"], "delete-prompts": ["Delete", "Delete"] },
    "queue-table": { "remove-selected": ["Remove selected", "Remove"], "duplicate-items": ["Duplicate", "Duplicate"] },
  };

  function countOn(id, chosen, there) {
    const inView = new Set(there);
    const away = [...chosen].filter((one) => !inView.has(one)).length;
    const number = (n) => n.toLocaleString("en-US");
    const words = chosen.size ? ` ${number(chosen.size)}${away ? ` (${number(away)} not shown)` : ""}` : "";
    for (const [button, [none, some]] of Object.entries(ACTS[id] || {})) {
      const text = [...(document.getElementById(button)?.childNodes ?? [])].find((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
      const wanted = chosen.size ? some + words : none;
      if (text && text.data.trim() !== wanted) text.data = wanted;
    }
  }

  /** Open a tab by its id. */
  function openTab(id) {
    document.querySelector(`#tabs [role=tab]#${id}-button, #tabs [role=tab][data-tab-id=${id}]`)?.click();
  }

  // What stands below the rows, and instead of them where there are none.
  function foot(part, value) {
    part(".cw-empty").hidden = value.rows.length > 0;
    part(".cw-empty").textContent = value.empty || "";
    part(".cw-page").textContent = value.page || "";
  }

  // Bars, and the words of the rows that run: small enough to come every second.
  function progress(element, props, watch) {
    follow(props, watch, (value) => {
      element.innerHTML = value.html;
      for (const row of document.querySelectorAll("#queue-table tbody tr")) {
        const place = row.querySelector("[data-progress]");
        if (place) place.textContent = value.rows[row.dataset.id] || "";
      }
    });
  }

  function counter(element, props, watch) {
    follow(props, watch, (value) => {
      element.textContent = value.text;
      document.title = value.title;
    });
  }

  // The small clips of a card do what its player does.
  for (const happened of ["play", "pause", "seeked"]) {
    document.addEventListener(happened, ({ target }) => {
      if (!target.controls) return;
      for (const clip of target.closest(".cw-card")?.querySelectorAll(".cw-previews video") ?? []) {
        clip.currentTime = target.currentTime;
        if (target.paused) clip.pause();
        else clip.play().catch(() => {}); // one that was removed meanwhile
      }
    }, true);
  }

  // A page that was in the background asks for what it missed.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") document.querySelector("#wake-up")?.click();
  });

  return { follow, reconcile, foot, table, progress, counter, selected, select, openTab };
})();
