"""A book dropped on the page: its cover and chapters, who reads it, and Add, which makes a job of it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading import ENDINGS, read_book
from cosmos_workflow.engines.registry import availability_of, find_engine, require_available
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.execution.estimates import time_left
from cosmos_workflow.jobs.books.voices import Reader, default_engine, reader, reading_engines, voice_for
from cosmos_workflow.queueing.items import Configuration, Prompt
from cosmos_workflow.ui import components, markup
from cosmos_workflow.ui.components import hide
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsPart
from cosmos_workflow.ui.page import Page, owner_of, toast
from cosmos_workflow.ui.page_view import PageState
from cosmos_workflow.ui.text import count, shorten_text

if TYPE_CHECKING:
    from cosmos_workflow.ui.jobs.editor import JobEditor

SAMPLE = 160
"""Characters that a voice is heard with, at least a sentence."""
BESIDE = ("footnotes", "page_numbers", "captions", "tables", "code")
"""What may stand beside the text of a book, as fields of `Reading`."""
SAME = ("the same voice", "")
TREATMENTS = [("skip", "skip"), ("read where they are", "read"), ("at the chapter's end", "end")]


@dataclass(slots=True)
class Dropped:
    """The book that an open page looks at, and the file it was read from."""

    book: Book | None = None
    path: Path | None = None


class JobBook(JobsPart):
    """A place to drop a book on, and below it, once there is one, what is to be made of it."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
        engines = [(spec.title, spec.name) for spec in reading_engines() if availability_of(spec).available]
        self.file = gr.File(
            label="Drop a book here: EPUB, DOCX, PDF, FB2, HTML, Markdown, TXT",
            file_types=[*ENDINGS],
            file_count="single",
            height=110,
            elem_id="drop-book",
        )
        with gr.Column(visible=False, elem_classes="cw-ask", elem_id="book-panel") as self.group:
            self.heading = gr.HTML(apply_default_css=False, elem_id="book-heading")
            self.chapters = gr.CheckboxGroup(label="Chapters", elem_id="book-chapters", show_select_all=True)
            self.note = gr.HTML(apply_default_css=False, elem_id="book-note")
            with gr.Row(elem_classes="cw-toolbar"):
                self.engine = gr.Dropdown(engines, label="Read by", filterable=False, min_width=150, elem_id="book-engine")
                self.voice = gr.Dropdown([], label="Voice", allow_custom_value=True, min_width=170, elem_id="book-voice")
                self.quotes = gr.Dropdown([SAME], value="", label="What is quoted", min_width=170, elem_id="book-quotes")
            with gr.Accordion("What is read beside the text", open=False), gr.Row(elem_classes="cw-toolbar"):
                labels = {name: name.replace("_", " ").capitalize() for name in BESIDE}
                self.beside = [
                    components.menu(TREATMENTS, label, f"book-{name}", value=getattr(Reading(), name))
                    for name, label in labels.items()
                ]
            with gr.Row(elem_classes="cw-buttons"):
                self.add = gr.Button("Add the book", variant="primary", size="sm", elem_id="add-book")
                self.run = gr.Button("Add and make it", size="sm", elem_id="make-book")
                self.hear = gr.Button("Hear this voice", size="sm", elem_id="hear-voice")
                self.close = gr.Button("Close", size="sm", elem_id="close-book")
            self.sample = gr.HTML(apply_default_css=False, elem_id="voice-sample")
        self._shown = [self.group, self.heading, self.chapters, self.engine, self.voice, self.quotes, self.note, self.sample]

    def wire(self, editor: JobEditor) -> None:
        """Wire the parts; the job of a book is opened in `editor`."""
        page, choice = self.page, [self.chapters, self.engine, self.voice]
        self._editor = editor
        page.on(self.file.upload, self.drop, [self.file, page.state], [self.file, *self._shown], show_progress="minimal")
        for field in self.beside:
            page.on(
                field.input, self.read_again, [*self.beside, self.chapters, self.engine, page.state], [self.chapters, self.note]
            )
        page.on(self.engine.input, self.choose_engine, [self.engine, page.state], [self.voice, self.quotes, self.sample])
        for event in (self.chapters.change, self.engine.change):
            page.on(event, self.count, [self.chapters, self.engine, page.state], [self.note])
        page.on(self.hear.click, self.say, [*choice, page.state], [self.sample], show_progress="minimal", refresh=True)
        page.on(self.close.click, self.leave, [page.state], [self.group])
        for button, run in ((self.add, False), (self.run, True)):
            inputs = [*choice, self.quotes, gr.State(run), *editor.inputs]
            editor.on(button.click, self.add_book, inputs, [self.group, *editor.outputs])

    def drop(self, path: str, state: PageState) -> list[Any]:
        """Read the book, and show what is in it."""
        dropped = state.of(Dropped)
        dropped.book, dropped.path = read_book(Path(path)), Path(path)
        book, engine = dropped.book, default_engine()
        choices = self._choices(book, engine)
        chapters = gr.CheckboxGroup(choices, value=[number for _, number in choices])
        note = self._counted(book, [number for _, number in choices], engine)
        return [None, gr.Column(visible=True), _heading(book), chapters, engine, *_voices(engine, book.language), note, ""]

    def read_again(self, *values: Any) -> list[Any]:
        """Read the book as it is asked for now; the chosen chapters stay."""
        *beside, chosen, engine, state = values
        dropped = state.of(Dropped)
        if dropped.path is None:
            raise InputError(_GONE)
        dropped.book = read_book(dropped.path, Reading(**dict(zip(BESIDE, beside, strict=True))))
        choices = self._choices(dropped.book, engine)
        kept = [number for _, number in choices if number in chosen]
        return [gr.CheckboxGroup(choices, value=kept), self._counted(dropped.book, kept, engine)]

    def choose_engine(self, engine: str, state: PageState) -> list[Any]:
        """Offer the voices of an engine."""
        return [*_voices(engine, self._book(state).language), ""]

    def count(self, chosen: list[int], engine: str, state: PageState) -> str:
        """How much is chosen, and how long it takes."""
        book = state.of(Dropped).book
        return self._counted(book, chosen, engine) if book else ""

    def say(self, chosen: list[int], engine: str, voice: str, state: PageState, request: gr.Request) -> str:
        """Have the voice read the beginning of what is chosen; it takes its turn like everything else."""
        book = self._book(state)
        reads = self._reader(book, engine, voice)
        require_available(reads.engine)
        text = next((chapter.text for number, chapter in enumerate(book.chapters, 1) if number in chosen), book.chapters[0].text)
        configuration = Configuration.of(reads.engine, reads.params)
        configuration.check_params()
        prompt = Prompt(_beginning(text))
        configuration.check(prompt)
        (result,) = self.page.operations.batch_inference([configuration.item(prompt)], owner=owner_of(request))
        run = self.page.store.runs.get(result.run_id, owner_of(request))
        if run is None or result.error:
            raise InputError(result.error or "The sample isn't there any more; try again.")
        return markup.player(run)

    def add_book(
        self,
        chosen: list[int],
        engine: str,
        voice: str,
        quotes: str,
        run: bool,
        opened: str,
        text: str,
        state: PageState,
        request: gr.Request,
    ) -> list[Any]:
        """Make a job of the chosen chapters and open it, and with `run` have it made."""
        book, dropped = self._book(state), state.of(Dropped)
        if not chosen:
            raise InputError("No chapter is chosen; tick at least one.")
        manager = self._editor.keep(opened, text, state, request)
        numbers = [] if len(chosen) == len(book.chapters) else sorted(chosen)
        speaks = self._reader(book, engine, quotes) if quotes else None
        source = dropped.path.name if dropped.path else ""
        stored = manager.add_book(book, self._reader(book, engine, voice), numbers, source, dialogue=speaks)
        if run:
            manager.background.run_now(stored.id)
        dropped.book = None
        toast(f"Added {shorten_text(stored.name, 60)}{', and begun' if run else ''}.")
        return [hide(), *self._editor.shown(manager, state, stored.id)]

    def leave(self, state: PageState) -> Any:
        """Forget the book."""
        state.of(Dropped).book = None
        return hide()

    def _book(self, state: PageState) -> Book:
        book = state.of(Dropped).book
        if book is None:
            raise InputError(_GONE)
        return book

    def _reader(self, book: Book, engine: str, voice: str) -> Reader:
        if not engine:
            raise InputError("No engine is chosen; choose who reads.")
        known = any(field.name == "voice" for field in find_engine(engine).fields({}))
        # A path that somebody types is no way to another file.
        return reader(engine, voice if known else "", book.language)

    def _choices(self, book: Book, engine: str) -> list[tuple[str, int]]:
        sizes = [(shorten_text(chapter.title, 90), len(chapter.text)) for chapter in book.chapters]
        labels = [f"{title} · {size:,} characters{self._time(size, engine)}" for title, size in sizes]
        return [(label, number) for number, label in enumerate(labels, 1)]

    def _counted(self, book: Book, chosen: Sequence[int], engine: str) -> str:
        characters = sum(len(chapter.text) for number, chapter in enumerate(book.chapters, 1) if number in set(chosen))
        time = self._time(characters, engine).removeprefix(" · ") or "known after the first finished batch"
        return markup.note(f"{characters:,} characters; time: {time}.", strong=count(len(chosen), "chapter"))

    def _time(self, characters: int, engine: str) -> str:
        """How long so many characters take; empty before the engine made anything here."""
        rate = self.page.operations.rate(engine) if engine and find_engine(engine).cost_unit == "characters" else None
        left = time_left([(float(characters), 1, rate)]) if rate and characters else None
        return f" · {left}" if left else ""


_GONE = "The book isn't here any more; drop it again."


def _heading(book: Book) -> str:
    cover = ""
    if book.cover:
        cover = f'<img class="cw-cover" alt="Cover" src="data:image/jpeg;base64,{base64.b64encode(book.cover).decode("ascii")}">'
    facts = [", ".join(book.authors), book.language, str(book.year or "")]
    words = markup.sub(" · ".join(fact for fact in facts if fact))
    title = escape(shorten_text(book.title, 140))
    return f'<div class="cw-book">{cover}<div class="cw-book-words"><h2>{title}</h2>{words}</div></div>'


def _voices(engine: str, language: str) -> list[Any]:
    """Who may read, and who may say what is quoted: the voices of an engine that speak a language, or all where none does."""
    spec = find_engine(engine)
    field = next((field for field in spec.fields({}) if field.name == "voice"), None)
    if field is None:
        return [gr.Dropdown(choices, value="", interactive=False) for choices in ([("The engine's own", "")], [SAME])]
    labels = dict(zip(field.choices, field.choice_labels or field.choices, strict=True))
    wanted = language.partition("-")[0]
    near = [voice for voice in field.choices if not wanted or spec.language({"voice": voice}).partition("-")[0] == wanted]
    try:
        usual = voice_for(spec, language)
    except WorkflowError:
        near, usual = list(field.choices), str(field.default)
    offered = [(labels.get(voice, voice), voice) for voice in dict.fromkeys([usual, *(near or field.choices)])]
    return [gr.Dropdown(offered, value=usual, interactive=True), gr.Dropdown([SAME, *offered], value="", interactive=True)]


def _beginning(text: str) -> str:
    """The first words of a text: whole sentences where these aren't long."""
    words = " ".join(paragraph for paragraph in text.split("\n\n")[:4] if paragraph).replace("\n", " ")
    short = words[: 2 * SAMPLE]
    ends = [place + 1 for place, letter in enumerate(short) if letter in ".!?。！？" and place >= SAMPLE // 2]  # noqa: RUF001
    return short[: ends[0]] if ends else short[:SAMPLE].rpartition(" ")[0] or short[:SAMPLE]
