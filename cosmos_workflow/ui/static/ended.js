// What tells that everything has ended to whoever looks elsewhere: a sound, a notice of the system. Both are off at first.
Object.assign(window.cosmos, (() => {
  const { build, kept } = window.cosmos;
  const key = (name) => `cosmos-workflow-ended-${name}`;
  const wants = (name) => kept("localStorage", key(name)) === "yes"; // without storage it can't be switched on
  let sound = null;

  function chime() {
    sound ??= new AudioContext();
    sound.resume();
    for (const [wait, pitch] of [[0, 660], [0.2, 880]]) {
      const [tone, loudness, start] = [sound.createOscillator(), sound.createGain(), sound.currentTime + wait];
      tone.frequency.value = pitch;
      loudness.gain.setValueAtTime(0.15, start);
      loudness.gain.exponentialRampToValueAtTime(0.001, start + 0.7);
      tone.connect(loudness).connect(sound.destination);
      tone.start(start);
      tone.stop(start + 0.7);
    }
  }

  const WAYS = {
    sound: { words: "Play a sound", begin: async () => chime() || "", tell: chime },
    notice: {
      words: "Show a notice of the system",
      begin: async () => {
        const allowed = "Notification" in window && (await Notification.requestPermission()) === "granted";
        return allowed ? "" : "This browser doesn't let this page show notices.";
      },
      tell: (words) => new Notification("Cosmos Workflow", { body: words }),
    },
  };

  let before = {};
  /** How a queue and its person's jobs are now: once nothing runs any more, it is told. What was quick was never seen running. */
  function tellEnd(now) {
    const ran = before.queue === now.queue && (before.active || now.done > before.done);
    const ended = ran && !now.active && !now.paused;
    before = now;
    if (ended) for (const [name, { tell }] of Object.entries(WAYS)) if (wants(name)) tell(now.ended || "The job has ended.");
  }

  /** The switches, for the page's dialog. */
  function endSwitches() {
    const box = build('<fieldset><legend>When the queue or a job has ended</legend><p role="status"></p></fieldset>');
    const said = box.lastElementChild;
    for (const [name, { words, begin }] of Object.entries(WAYS)) {
      const label = build(`<label><input type="checkbox" name="${name}">${words}</label>`);
      const input = label.firstElementChild;
      input.checked = wants(name);
      input.addEventListener("change", async () => {
        said.textContent = input.checked ? await begin() : "";
        if (said.textContent) input.checked = false;
        kept("localStorage", key(name), input.checked ? "yes" : "no");
      });
      said.before(label);
    }
    return box;
  }

  return { tellEnd, endSwitches };
})());
