// Cards with players: what changes is drawn anew, while a player that stays goes on, the focus stays where it was, and a text
// that is being written isn't lost.
Object.assign(window.cosmos, (() => {
  const { build, follow, foot, reconcile, oneStop, walk } = window.cosmos;
  const drafts = new Map(); // texts that aren't saved, by what the cards show and the card

  const plain = (text) => text.split(/\s+/).filter(Boolean).join(" ");

  function write(card, html) {
    const players = new Map([...card.querySelectorAll("audio, video")].map((player) => [player.getAttribute("src"), player]));
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    for (const player of fresh.content.querySelectorAll("audio, video")) {
      const known = players.get(player.getAttribute("src"));
      if (known) player.replaceWith(known); // moved at once, it plays on
    }
    card.replaceChildren(fresh.content);
    oneStop(stops(card));
  }

  // What a card offers is one stop of the Tab key; arrows go on inside it, and from card to card. Its player and its words have
  // keys of their own.
  const stops = (card) => [...card.querySelectorAll("button, a[href], summary")].filter((one) => !one.closest(".cw-edit"));
  const visible = (card) => stops(card).filter((one) => one.checkVisibility());

  // A card whose text is being written waits with what came meanwhile, unless that is what was saved.
  function writeUnlessEdited(card, html) {
    if (!card.editing) return write(card, html);
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (card.editing.saved && fresh.content.querySelector("[data-edit]")?.dataset.edit !== card.editing.before) {
      drafts.delete(card.editing.key);
      card.editing = null;
      return write(card, html);
    }
    card.editing.waiting = html;
  }

  function edit(card, key, focus) {
    const button = card.querySelector("[data-edit]");
    if (!button || card.editing) return;
    const before = button.dataset.edit;
    const box = build('<div class="cw-edit"><textarea aria-label="What is said in this piece; Ctrl+Enter saves, Esc leaves it as it was">' +
      '</textarea><button type="button" data-action="edit">Save and make</button><button type="button">Cancel</button></div>');
    const [text, save, close] = box.children;
    text.value = drafts.get(key) ?? before;
    text.rows = Math.min(10, Math.max(3, Math.ceil(text.value.length / 38)));
    const editing = { key, before, waiting: null, saved: false };
    const leave = () => {
      drafts.delete(key);
      card.editing = null;
      box.remove();
      for (const hidden of card.querySelectorAll(".cw-piece-text, .cw-actions")) hidden.hidden = false;
      if (editing.waiting !== null) write(card, editing.waiting);
      card.querySelector("[data-edit]")?.focus({ preventScroll: true });
    };
    text.addEventListener("input", () => drafts.set(key, text.value));
    text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save.click();
      else if (event.key === "Escape") leave();
      else return;
      event.preventDefault();
    });
    // Before the card's own listener, which reads the value.
    save.addEventListener("click", () => {
      save.dataset.value = text.value;
      if (plain(text.value) === before) leave();
      else editing.saved = true;
    });
    close.addEventListener("click", leave);
    for (const shown of card.querySelectorAll(".cw-piece-text, .cw-actions")) shown.hidden = true;
    (card.querySelector(".cw-piece-text") ?? card.firstChild).after(box);
    card.editing = editing;
    if (focus) text.focus();
  }

  // Where the focus is among the cards, so that it can be put there again: the same button, or that of the card in its place.
  function heldFocus(box) {
    const active = document.activeElement;
    const card = active?.closest?.("article");
    if (!card || !box.contains(card)) return () => {};
    const place = [...box.children].indexOf(card);
    const action = active.dataset.action;
    return () => {
      if (document.activeElement === active) return;
      const now = card.isConnected ? card : box.children[Math.min(place, box.children.length - 1)];
      const wanted = action && now?.querySelector(`.cw-actions [data-action="${action}"]`);
      (wanted ?? now?.querySelector("button, [tabindex]"))?.focus({ preventScroll: true });
    };
  }

  const sized = new ResizeObserver((changes) => {
    for (const { target } of changes) target.style.setProperty("--cw-rows", Math.ceil((target.offsetHeight + 14) / 2));
  });

  function cards(element, props, trigger, watch, events) {
    element.innerHTML = '<div class="cw-cards"></div><p class="cw-empty" hidden></p><p class="cw-foot"><span class="cw-all"></span><span class="cw-page"></span></p>';
    const part = (name) => element.querySelector(name);
    let first = true;
    let subject = "";
    const keyOf = (card) => `${subject} ${card.dataset.id}`;
    const make = () => {
      const card = document.createElement("article");
      card.className = "cw-card";
      sized.observe(card);
      card.write = (entry) => writeUnlessEdited(card, entry.html);
      return card;
    };
    element.addEventListener("keydown", (event) => walk(event, event.target.closest("article"), visible));
    element.addEventListener("focusin", (event) => {
      const card = event.target.closest("article");
      if (card && stops(card).includes(event.target)) oneStop(stops(card), event.target);
    });
    element.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-action], button[data-edit]");
      const card = button?.closest("article");
      if (!card) return;
      if (button.dataset.edit !== undefined) edit(card, keyOf(card), true);
      else if (events.includes(button.dataset.action)) trigger(button.dataset.action, { id: card.dataset.id, value: button.dataset.value || "" });
    });
    follow(props, watch, (value) => {
      const box = part(".cw-cards");
      if ((value.subject ?? "") !== subject) {
        subject = value.subject ?? "";
        box.replaceChildren();
        first = true;
      }
      const restore = heldFocus(box);
      reconcile(box, value.rows, make, first);
      first = false;
      foot(element, value);
      part(".cw-all").innerHTML = value.download || "";
      for (const card of box.children) {
        const draft = drafts.get(keyOf(card));
        if (draft === undefined || card.editing) continue;
        if (plain(draft) === card.querySelector("[data-edit]")?.dataset.edit) drafts.delete(keyOf(card)); // it was saved
        else edit(card, keyOf(card), false);
      }
      restore();
    });
  }

  return { cards };
})());
