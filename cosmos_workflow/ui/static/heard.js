// What is heard beside what is read: a click on a word, a fault or the picture of a sound plays from there, and the word that
// sounds is marked while it does.
(() => {
  // Has a player go to a second and play, at once or as soon as it knows its length.
  function playFrom(player, secondOf) {
    if (!player?.readyState) {
      player?.addEventListener("loadedmetadata", () => playFrom(player, secondOf), { once: true });
      player?.load();
      return;
    }
    player.currentTime = secondOf(player.duration) + 0.001;
    player.play().catch(() => {}); // one that was removed meanwhile
  }

  // The player that a word, a fault or a picture belongs to: of its take, or the one that is used in its card.
  function playerOf(node) {
    const own = node.closest(".cw-take")?.querySelector("audio, video");
    const card = node.closest("[data-player], .cw-card");
    return own ?? card?.querySelector(".cw-used audio, .cw-used video") ?? card?.querySelector("audio, video");
  }

  // The seconds of the words of a group, with the words themselves; read once, since they don't change.
  function wordsOf(group) {
    if (group.timed?.html !== group.childElementCount) {
      const words = [...group.querySelectorAll("[data-at]")];
      group.timed = { html: group.childElementCount, words, at: words.map((word) => Number(word.dataset.at)) };
    }
    return group.timed;
  }

  function mark(group, seconds) {
    const { words, at } = wordsOf(group);
    const now = words[at.findLastIndex((second) => second <= seconds)];
    if (group.now === now) return;
    group.now?.classList.remove("cw-now");
    now?.classList.add("cw-now");
    group.now = now;
    if (!now || !group.along) return;
    const top = now.offsetTop - group.scrollTop;
    if (top < 0 || top > group.clientHeight - 2 * now.offsetHeight) group.scrollTop = now.offsetTop - group.clientHeight / 3;
  }

  function show(player) {
    const take = player.closest(".cw-take, .cw-card");
    const head = take?.querySelector(".cw-wave-head");
    if (head && player.duration) head.style.left = `${100 * player.currentTime / player.duration}%`;
    const card = player.closest("[data-player], .cw-card");
    if (!card || playerOf(card.querySelector("[data-words]") ?? card) !== player) return;
    for (const group of card.querySelectorAll("[data-words]")) {
      group.along?.();
      mark(group, player.currentTime);
    }
  }

  const running = new Set();
  function frame() {
    for (const player of running) {
      if (player.paused || !player.isConnected) running.delete(player);
      else show(player);
    }
    if (running.size) requestAnimationFrame(frame);
  }

  document.addEventListener("play", ({ target }) => {
    if (!target.controls) return;
    // One voice at a time.
    for (const other of document.querySelectorAll("audio")) if (other !== target && target.tagName === "AUDIO") other.pause();
    if (!running.size) requestAnimationFrame(frame);
    running.add(target);
  }, true);
  for (const happened of ["pause", "seeked", "ended"]) {
    document.addEventListener(happened, ({ target }) => { if (target.controls) show(target); }, true);
  }

  document.addEventListener("click", (event) => {
    const place = event.target.closest?.("[data-at], [data-seek]");
    if (place) playFrom(playerOf(place), () => Number(place.dataset.at ?? place.dataset.seek));
    const wave = event.target.closest?.("[data-wave]");
    const box = wave?.getBoundingClientRect();
    if (wave) playFrom(playerOf(wave), (duration) => duration * (event.clientX - box.left) / box.width);
  });

  // The chapter of a book that sounds is marked.
  document.addEventListener("timeupdate", ({ target }) => {
    const buttons = [...(target.closest?.(".cw-book-file")?.querySelectorAll("button[data-seek]") ?? [])];
    const now = buttons.findLastIndex((button) => Number(button.dataset.seek) <= target.currentTime);
    buttons.forEach((button, number) => {
      if (number === now) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    });
  }, true);

  let numbered = 0;
  function choose(group, word) {
    group.querySelector(".cw-chosen-word")?.classList.remove("cw-chosen-word");
    word.classList.add("cw-chosen-word");
    word.id ||= `cw-word-${++numbered}`;
    group.setAttribute("aria-activedescendant", word.id);
    word.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    const group = event.target.matches?.("[data-words]") ? event.target : null;
    if (!group || event.altKey || event.ctrlKey || event.metaKey) return;
    const { words } = wordsOf(group);
    if (!words.length) return;
    const chosen = words.indexOf(group.querySelector(".cw-chosen-word"));
    const from = chosen >= 0 ? chosen : words.indexOf(group.now);
    const steps = { ArrowRight: from + 1, ArrowLeft: Math.max(0, from - 1), Home: 0, End: words.length - 1 };
    if (event.key in steps) choose(group, words[Math.min(steps[event.key], words.length - 1)]);
    else if (event.key === "Enter" || event.key === " ") playFrom(playerOf(group), () => wordsOf(group).at[Math.max(0, from)]);
    else return;
    event.preventDefault();
  });
})();
