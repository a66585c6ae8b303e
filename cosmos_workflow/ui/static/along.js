// Reading along: the words of what plays stand below its player, and the one that sounds is marked; a click on a word plays
// from there. Each piece is divided into words when it comes into view: a chapter has ten thousand of them.
(() => {
  function unfold(region, paragraph) {
    const { piece } = paragraph;
    if (!piece) return;
    paragraph.piece = null;
    paragraph.replaceChildren(...piece.words.flatMap(([text, second]) => {
      const word = document.createElement("span");
      word.dataset.at = (region.offset + second).toFixed(2);
      word.textContent = text.trimEnd();
      return [word, text.slice(word.textContent.length)];
    }));
    region.timed = null;
  }

  async function load(region, [offset, address]) {
    region.loaded = address;
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`${answer.status}`);
      const pieces = await answer.json();
      if (region.loaded !== address) return; // another chapter plays by now
      region.offset = offset;
      region.starts = pieces.map((piece) => offset + piece.start);
      const view = new IntersectionObserver((seen) => {
        for (const { isIntersecting, target } of seen) if (isIntersecting) unfold(region, target);
      }, { root: region, rootMargin: "200px" });
      region.replaceChildren(...pieces.map((piece) => {
        const paragraph = Object.assign(document.createElement("p"), { piece });
        paragraph.textContent = piece.words.map(([text]) => text).join("");
        view.observe(paragraph);
        return paragraph;
      }));
      region.timed = null;
    } catch {
      region.starts = [];
      region.textContent = "The words can't be read just now; close this and open it again.";
    }
  }

  const last = (starts, seconds) => starts.findLastIndex((start) => start <= seconds + 0.01);

  function open(button) {
    const place = button.closest("[data-player]");
    const player = place.querySelector("audio, video");
    const chapters = JSON.parse(button.dataset.along);
    const region = window.cosmos.build('<div class="cw-read cw-words" tabindex="0" data-words role="group" ' +
      'aria-label="What is said: arrow keys choose a word, Enter plays from there"></div>');
    region.along = () => {
      const chapter = chapters[Math.max(0, last(chapters.map(([start]) => start), player.currentTime))];
      if (chapter[1] !== region.loaded) load(region, chapter);
      const now = last(region.starts ?? [], player.currentTime);
      for (const paragraph of [region.children[now], region.children[now + 1]]) if (paragraph) unfold(region, paragraph);
    };
    player.after(region);
    region.along();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("button[data-along]");
    if (!button) return;
    const shown = button.closest("[data-player]").querySelector(".cw-read");
    if (shown) shown.remove();
    else open(button);
    button.setAttribute("aria-expanded", String(!shown));
  });
})();
