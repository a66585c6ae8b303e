// What the Jobs tab adds: status cells that change without touching their rows, and problems marked in the editor.
Object.assign(window.cosmos, (() => {
  const { build, fill, follow, onChange } = window.cosmos;

  // The cells of a table's rows, by row; painted again whenever the table writes a row anew.
  function states(element, props, watch, tableId) {
    let cells = {};
    const paint = () => fill(tableId, cells);
    follow(props, watch, (value) => {
      cells = value.rows;
      paint();
    });
    onChange(paint, element);
  }

  // CodeMirror hangs its view on its elements; without it a click only scrolls to the editor.
  function go(editor, line, column) {
    const content = editor.querySelector(".cm-content");
    const view = content?.cmTile?.root?.view ?? content?.cmTile?.view ?? content?.cmView?.view;
    if (!view) {
      editor.scrollIntoView({ block: "nearest" });
      return;
    }
    const place = view.state.doc.line(Math.min(line, view.state.doc.lines));
    view.dispatch({ selection: { anchor: Math.min(place.from + column - 1, place.to) }, scrollIntoView: true });
    view.focus();
  }

  function problems(element, props, watch, editorId) {
    let lines = new Set();
    let watched = null;
    const observer = new MutationObserver(() => mark());
    const mark = () => {
      const editor = document.querySelector(`#${editorId}`);
      const gutter = editor?.querySelector(".cm-lineNumbers");
      if (!gutter) return;
      const scroller = editor.querySelector(".cm-scroller");
      editor.style.setProperty("--cw-line", `${scroller.clientWidth}px`);
      // The gutter's elements are used again for other lines when the text scrolls.
      for (const number of gutter.children) {
        const wrong = lines.has(number.textContent) && number.style.visibility !== "hidden";
        if (number.classList.contains("cw-wrong") !== wrong) number.classList.toggle("cw-wrong", wrong);
      }
      if (watched !== gutter) {
        observer.disconnect();
        observer.observe(gutter, { childList: true, subtree: true, characterData: true });
        watched = gutter;
      }
    };
    const list = (found) => {
      const box = build('<ul class="cw-problems" aria-label="What is wrong in the text"></ul>');
      for (const one of found) {
        const entry = build('<li><button type="button"><span class="cw-where"></span><span></span></button></li>');
        const [where, words] = entry.querySelectorAll("span");
        where.textContent = one.where;
        words.textContent = one.key ? `${one.key}: ${one.message}` : one.message;
        if (one.line) entry.addEventListener("click", () => go(document.querySelector(`#${editorId}`), one.line, one.column));
        box.append(entry);
      }
      return box;
    };
    follow(props, watch, ({ rows }) => {
      lines = new Set(rows.filter((one) => one.line).map((one) => String(one.line)));
      element.replaceChildren(...(rows.length ? [list(rows)] : []));
      mark();
    });
    // The editor may be built after this list, and anew when it was hidden.
    onChange(mark, element);
  }

  // What a row opened, brought into view where it is below what one sees.
  let clicked = "";
  document.addEventListener("click", (event) => {
    const row = event.target.closest?.("#jobs-table tbody tr");
    if (row) clicked = row.dataset.id;
  }, true);

  function showOpened() {
    requestAnimationFrame(() => requestAnimationFrame(() => {
      const panel = document.querySelector(clicked.includes("/") ? "#task-panel" : "#job-panel");
      if (!panel || panel.getBoundingClientRect().top < window.innerHeight - 160) return;
      const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
      panel.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "start" });
    }));
  }

  return { states, problems, showOpened };
})());
