"""For whoever opens the page for the first time: a library to begin with, so that the first click already makes something, and
three steps, beside two samples that can be heard before anything is made."""

from __future__ import annotations

from html import escape

import gradio as gr

from cosmos_workflow.config import assets_dir
from cosmos_workflow.engines.registry import all_engines
from cosmos_workflow.files import file_errors
from cosmos_workflow.queueing.items import Prompt
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.engine_forms import first_engine
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageView
from cosmos_workflow.ui.text import count

CLIP = "samples/street.mp4"
TEXTS = (
    ("Welcome", "Welcome to Cosmos Workflow. Everything you hear was made on your own machine."),
    ("Good morning", "Good morning. Three speakers are in the queue, and one model serves them all."),
    ("Good night", "Good night. Close the page if you like; the queue goes on without it."),
)
CLIPS = (
    ("Street, rain", "The same street on a rainy evening, neon signs mirrored on the wet asphalt."),
    ("Street, snow", "The same street on a winter morning, fresh snow on the roofs."),
)
SOUNDS = {"welcome.mp3": (0, "as eSpeak NG says it"), "good-morning.mp3": (1, "in another of its voices")}
"""The samples that can be heard, each with the number of its text, and which engine made it."""


class Welcome:
    """Shown until something was made or waits; `name` tells its instances apart."""

    def __init__(self, page: Page, name: str) -> None:
        self._page = page
        self._made: set[str] = set()
        with gr.Column(visible=False, elem_id=name, elem_classes="cw-welcome") as self.group:
            gr.HTML(steps(), apply_default_css=False)
            add = gr.Button("Add these two to the queue", variant="primary", size="sm", elem_id=f"{name}-add")
        page.on(add.click, self.add, [page.queue], None, refresh=True)
        page.show(self.group, self.is_first_time)

    def add(self, queue: Queue) -> None:
        """Queue the two samples with the engine that the page opens with."""
        session, engine = self._page.session(queue), first_engine(all_engines())
        prompts = [Prompt(text, name=name) for name, text in (TEXTS[number] for number, _ in SOUNDS.values())]
        added = session.queue.add_to_queue(prompts, engine, self._page.spoken_params(engine, {}, queue.owner))
        toast(f"Added {count(len(added), 'item')}; press Start.")

    def is_first_time(self, now: PageView) -> bool:
        """Whether this person never made anything, and nothing waits."""
        if now.owner in self._made or now.snapshot.queue.items or now.snapshot.queue.finished:
            return False
        if self._page.store.runs.count(now.owner):
            self._made.add(now.owner)
            return False
        return True


def steps() -> str:
    """The three steps with the players of the samples."""
    players = ""
    for name, (number, by) in SOUNDS.items():
        title = TEXTS[number][0]
        words, player = f"{escape(title)} <span>{escape(by)}</span>", markup.sound(f"samples/{name}", f"{title}, {by}", "none")
        players += f'<figure class="cw-sample"><figcaption>{words}</figcaption>{player}</figure>'
    return (
        "<h2>Three steps to the first sound</h2><ol>"
        "<li><strong>Choose</strong> prompts and an engine. Here are two to hear before anything is made:"
        f'<div class="cw-samples">{players}</div></li>'
        "<li><strong>Add</strong> them to the queue, as many as you like; what can be made together is made together.</li>"
        "<li>Press <strong>Start</strong>, above. Results come with a player, and the page may be closed meanwhile.</li></ol>"
    )


def add_samples(store: Store, owner: str = LOCAL) -> None:
    """Put the samples into a library that was never used; once, so that what a person deletes stays deleted."""
    marker = store.inputs.folder(owner) / ".samples"
    if marker.exists():
        return
    if not store.prompts.count(owner):
        prompts = [Prompt(text, name=name) for name, text in TEXTS]
        clip = assets_dir() / CLIP
        if clip.is_file():
            prompts += [Prompt(text, {"video": str(clip)}, name=name) for name, text in CLIPS]
        store.prompts.save(prompts, owner)
    with file_errors(f"The workspace {store.workspace.root}"):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()
