// What the page does in the browser: tables and lists that change row by row, so that a player goes on and a selection stays.
window.cosmos = (() => {
  const tables = new Map();
  const key = (id) => `cosmos-workflow-selected-${id}`;

  /** What the browser keeps under a key in one of its storages, or with a value: keep that. Where it has none, nothing is kept. */
  function kept(storage, key, value) {
    try {
      if (value === undefined) return window[storage].getItem(key);
      window[storage].setItem(key, value);
    } catch {
      // It lives as long as the page.
    }
    return null;
  }

  /** The element that this HTML is. */
  function build(html) {
    const made = document.createElement("template");
    made.innerHTML = html;
    return made.content.firstElementChild;
  }

  function selection(id) {
    if (!tables.has(id)) tables.set(id, { chosen: new Set(JSON.parse(kept("sessionStorage", key(id)) || "[]")), paint: () => {} });
    return tables.get(id);
  }

  function keep(id) {
    const { chosen, paint } = selection(id);
    kept("sessionStorage", key(id), JSON.stringify([...chosen]));
    paint();
  }

  const lookers = new Set();
  let looking = false;
  new MutationObserver(() => {
    if (looking) return;
    looking = true;
    requestAnimationFrame(() => {
      looking = false;
      for (const look of lookers) look();
    });
  }).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["class", "aria-selected"] });

  /** Call `look` once a frame in which something of the page changed: after what Gradio built, showed or hid, or while `part` is
      there. */
  function onChange(look, part) {
    const once = () => (part && !part.isConnected ? lookers.delete(once) : look());
    lookers.add(once);
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

  const pager = (place) => `<span class="cw-pager cw-${place}" hidden><button type="button" data-turn="previous">Previous</button>` +
    '<span class="cw-page"></span><button type="button" data-turn="next">Next</button></span>';
  const grip = '<button type="button" class="cw-grip" tabindex="-1" aria-label="Drag to another place, or press Alt and an arrow" title="Drag, or Alt and an arrow">⠿</button>';

  function makeRow(orders) {
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    row.write = (entry) => {
      const at = stops(row).indexOf(document.activeElement);
      row.innerHTML = `<td role="cell" class="cw-pick"><input type="checkbox">${orders ? grip : ""}</td>${entry.html}`;
      row.querySelector("input").setAttribute("aria-label", `Select ${entry.name}`);
      if (at >= 0) enter(stops(row), at);
      else oneStop(stops(row));
    };
    return row;
  }

  // A row is one stop of the Tab key; arrows go on inside it, and from row to row.
  const stops = (row) => [...row.querySelectorAll("input, .cw-grip, .cw-open, a, td button:not(.cw-grip):not(.cw-open)")];

  /** Of these, which are one stop of the Tab key, that one. */
  function oneStop(all, wanted = all[0]) {
    for (const stop of all) stop.tabIndex = stop === wanted ? 0 : -1;
  }

  /** Go to one of these by its number. */
  function enter(all, number) {
    const wanted = all[Math.min(number, all.length - 1)];
    oneStop(all, wanted);
    wanted?.focus();
  }

  /** Arrows go on inside a row or a card, and from one to the next; `stopsOf` gives what in it can be gone to. */
  function walk(event, item, stopsOf) {
    const at = item ? stopsOf(item).indexOf(event.target) : -1;
    if (at < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const items = [...item.parentElement.children];
    const index = items.indexOf(item);
    const [next, stop] = { ArrowDown: [index + 1, at], ArrowUp: [index - 1, at], ArrowRight: [index, at + 1], ArrowLeft: [index, at - 1], Home: [0, at], End: [items.length - 1, at] }[event.key] ?? [];
    if (stop === undefined) return;
    event.preventDefault();
    if (!items[next] || stop < 0) return;
    enter(stopsOf(items[next]), stop);
    (document.activeElement.closest("tr") ?? document.activeElement).scrollIntoView({ block: "nearest" });
  }

  // Rows are dragged by their grip, with a mouse, a pen or a finger.
  function draggable(element, idsOf, drop) {
    let drag = null;
    const rows = () => [...element.querySelectorAll("tbody tr")];
    const unmark = () => {
      for (const row of rows()) row.classList.remove("cw-dragged", "cw-drop-before", "cw-drop-after");
    };
    const end = () => {
      drag = null;
      unmark();
    };
    element.addEventListener("pointerdown", (event) => {
      const held = event.target.closest(".cw-grip");
      if (!held || event.button) return;
      window.getSelection()?.removeAllRanges(); // marked text would be dragged instead
      held.setPointerCapture(event.pointerId);
      drag = { ids: idsOf(held.closest("tr")), where: null, from: event.clientY };
    });
    element.addEventListener("pointermove", (event) => {
      if (!drag || (!drag.where && Math.abs(event.clientY - drag.from) < 5)) return;
      unmark();
      const all = rows();
      for (const row of all) row.classList.toggle("cw-dragged", drag.ids.includes(row.dataset.id));
      const below = all.find((row) => {
        const box = row.getBoundingClientRect();
        return event.clientY < box.top + box.height / 2;
      });
      drag.where = below ? { before: below.dataset.id } : { after: all.at(-1)?.dataset.id };
      (below || all.at(-1))?.classList.add(below ? "cw-drop-before" : "cw-drop-after");
      if (event.clientY < 120) window.scrollBy(0, -18);
      if (event.clientY > window.innerHeight - 90) window.scrollBy(0, 18);
    });
    element.addEventListener("pointerup", () => {
      if (drag?.where) drop({ ids: drag.ids, ...drag.where });
      end();
    });
    element.addEventListener("pointercancel", end);
    element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && drag) end();
    });
  }

  function table(element, props, trigger, watch, id, events) {
    const orders = events.includes("place");
    element.innerHTML =
      `<p class="cw-foot cw-above">${pager("first")}</p>` +
      `<div class="cw-scroll" tabindex="-1"><table role="table" class="cw-table${orders ? " cw-orders" : ""}"><thead></thead><tbody></tbody></table></div>` +
      '<div class="cw-empty" hidden></div><p class="cw-foot"><span class="cw-count" aria-live="polite"></span>' +
      `<button type="button" class="cw-none" hidden>Clear selection</button>${pager("last")}</p>`;
    const part = (name) => element.querySelector(name);
    const state = selection(id);
    let first = true;
    let anchor = "";

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
      part(".cw-none").hidden = chosen.size === 0;
      const away = countOn(id, chosen, boxes.map((box) => box.closest("tr").dataset.id));
      part(".cw-count").textContent = chosen.size ? `${chosen.size} selected${away ? `, ${away} not shown` : ""}` : "";
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
      const held = document.activeElement?.closest?.("tbody tr");
      const at = held && element.contains(held) ? stops(held).indexOf(document.activeElement) : -1;
      reconcile(part("tbody"), value.rows, () => makeRow(orders), first);
      first = false;
      // A row that was moved lost the focus on its way.
      if (at >= 0 && held.isConnected && !held.contains(document.activeElement)) enter(stops(held), at);
      part("table").classList.toggle("cw-numbered", value.first != null);
      part("tbody").style.counterReset = `row ${value.first ?? 0}`;
      part(".cw-scroll").hidden = value.rows.length === 0;
      foot(element, value);
      const there = value.there ? new Set(value.there) : value.complete ? new Set(value.rows.map((row) => row.id)) : null;
      const stale = there ? [...state.chosen].filter((one) => !there.has(one)) : [];
      for (const one of stale) state.chosen.delete(one);
      if (stale.length) keep(id);
      paint();
    };

    element.addEventListener("change", (event) => {
      if (event.target.type !== "checkbox") return;
      const all = [...element.querySelectorAll("tbody tr")];
      const row = event.target.closest("tbody tr");
      let rows = row ? [row] : all;
      if (row && state.ranged) {
        const ends = [all.findIndex((one) => one.dataset.id === anchor), all.indexOf(row)].sort((one, other) => one - other);
        if (ends[0] >= 0) rows = all.slice(ends[0], ends[1] + 1);
      }
      for (const one of rows) state.chosen[event.target.checked ? "add" : "delete"](one.dataset.id);
      if (row) anchor = row.dataset.id;
      keep(id);
    });
    element.addEventListener("click", (event) => {
      state.ranged = event.shiftKey;
      if (event.target.closest(".cw-none")) select(id, []);
      const turn = event.target.closest("[data-turn]");
      if (turn) trigger(turn.dataset.turn, {});
      const row = event.target.closest("tbody tr");
      if (row && !event.target.closest(".cw-pick")) trigger("select", { id: row.dataset.id });
    }, true);
    element.addEventListener("keydown", (event) => {
      if (event.key === " ") state.ranged = event.shiftKey;
      const row = event.target.closest("tbody tr");
      const offset = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!row || !orders || !offset || !event.altKey || event.ctrlKey || event.metaKey) return walk(event, row, stops);
      event.preventDefault();
      trigger("shift", { ids: idsOf(row), offset });
    });
    element.addEventListener("mousedown", (event) => {
      if (event.shiftKey && event.target.closest(".cw-pick")) event.preventDefault(); // a range of rows, not of text
    });
    element.addEventListener("dragstart", (event) => event.preventDefault());
    element.addEventListener("focusin", (event) => {
      const row = event.target.closest("tbody tr");
      if (row) oneStop(stops(row), event.target);
    });
    const idsOf = (row) => (state.chosen.has(row.dataset.id) ? [...state.chosen] : [row.dataset.id]);
    if (orders) draggable(element, idsOf, (what) => trigger("place", what));
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
    return away;
  }

  // What stands at both ends of the rows, and instead of them where there are none.
  function foot(element, value) {
    const part = (name) => element.querySelector(name);
    part(".cw-empty").hidden = value.rows.length > 0;
    part(".cw-empty").textContent = value.empty || "";
    for (const page of element.querySelectorAll(".cw-page")) page.textContent = value.page || "";
    for (const turns of element.querySelectorAll(".cw-pager")) turns.hidden = !value.page;
  }

  // Bars, and the words of the rows that run: small enough to come every second.
  function progress(element, props, watch) {
    follow(props, watch, (value) => {
      element.innerHTML = value.html;
      fill("queue-table", value.rows);
    });
  }

  /** Write into the live cell of each row of a table, by row; what is there already stays. */
  function fill(tableId, cells) {
    for (const cell of document.querySelectorAll(`#${tableId} [data-live]`)) {
      const html = cells[cell.closest("tr").dataset.id] || "";
      if (cell.written !== html) cell.innerHTML = html;
      cell.written = html;
    }
  }

  function counter(element, props, watch) {
    follow(props, watch, (value) => {
      element.textContent = value.text;
      document.title = value.title;
      window.cosmos.tellEnd(value);
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

  return { kept, build, fill, follow, onChange, oneStop, walk, reconcile, foot, table, progress, counter, selected, select };
})();
