"""What is made of the selected prompts: engine, params, weights, and the button that queues it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from cosmos_workflow.checking.models import DEFAULT, require_recogniser
from cosmos_workflow.engines.kokoro.model_files import KOKORO, find_kokoro
from cosmos_workflow.engines.params import validate_params
from cosmos_workflow.engines.registry import all_engines, availability_of, find_engine, known_engine, require_available
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.queueing.queue import Queue
from cosmos_workflow.queueing.sweep import parse_sweep
from cosmos_workflow.ui import components
from cosmos_workflow.ui.engine_forms import FIRST_CHOICES, EngineForms, engine_choices, engine_note, first_engine
from cosmos_workflow.ui.markup import note
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.prompts.model_files import ModelFilesPanel
from cosmos_workflow.ui.prompts.presets import Presets
from cosmos_workflow.ui.prompts.pronunciations import OwnPronunciations
from cosmos_workflow.ui.prompts.selection import chosen_prompts
from cosmos_workflow.ui.text import count

NATURAL = KOKORO.name
WHENS = [("in its turn", "normal"), ("next", "next"), ("in the background", "background")]
"""When what is added is made: label and name."""
MOST_SPOKEN = 5
"""Prompts that are shown as they are spoken."""


class Configuration:
    """The form at the right of the library; `table` is the elem_id of the table whose selection is queued."""

    def __init__(self, page: Page, table: str) -> None:
        self._page = page
        specs = all_engines()
        first = first_engine(specs)
        self.engine = gr.Dropdown(engine_choices(specs), value=first, label="Engine", elem_id="engine", filterable=False)
        self.note = gr.HTML(_note(first), apply_default_css=False, elem_id="engine-note")
        with gr.Row(elem_classes="cw-buttons"):
            words = f"Natural voices: fetch {10 * round(KOKORO.size / 1e7)} MB"
            offer = gr.Button(words, size="sm", elem_id="fetch-natural", visible=offers_natural(first))
        self.model_files = ModelFilesPanel(page, first)
        with gr.Row(elem_classes=["cw-buttons", "cw-stick", "cw-add"]):
            self.add_button = gr.Button(
                "Add to Queue", variant="primary", size="sm", elem_id="add-to-queue", interactive=is_usable(first)
            )
            when = components.menu(WHENS, "When", "add-when", min_width=120, show_label=False, container=False)
            clear = gr.Button("Clear Config", size="sm", elem_id="clear-config")
            say = gr.Button("How it is spoken", size="sm", elem_id="show-spoken", visible=known_engine(first).speaks)
        hear_back = gr.Checkbox(False, label="Check what is said", elem_id="check-said", **_check_box(first))
        spoken = gr.HTML(apply_default_css=False, elem_id="spoken-as")
        self.presets = Presets(page, self.engine)
        self.forms = EngineForms(specs, first)
        with gr.Accordion("Sweep: several values of a param", open=False, elem_id="sweep-section"):
            sweep = gr.Textbox(
                label="A param a line",
                info="seed: 1..8, or voice: en-us, de. Every combination becomes an item of its own.",
                lines=2,
                max_lines=8,
                elem_id="sweep",
            )
            swept = gr.HTML(apply_default_css=False, elem_id="sweep-number")
        self._own = OwnPronunciations(page, known_engine(first).speaks)
        selection = gr.JSON([], visible=False)

        self.forms.wire(page)
        self.presets.wire(self.forms)
        about, chosen = [self.note, self.add_button], components.selected_in(table)
        changed = [*about, offer, say, spoken, self._own.section, self.presets.choice, *self.model_files.outputs]
        page.on(self.engine.change, self._choose, [page.queue, self.engine], [*changed, *self.forms.groups])
        swept_of = [selection, self.engine, sweep, *self.forms.components]
        page.on(sweep.change, self._count, swept_of, [swept], js=chosen, trigger_mode="always_last")
        page.on(self.engine.change, lambda engine: gr.Checkbox(**_check_box(engine)), [self.engine], [hear_back])
        page.on_load(lambda engine: gr.Checkbox(**_check_box(engine)), [self.engine], [hear_back])
        page.on_load(partial(self._open, first), [], [self.engine, offer])
        question = self.model_files.question.outputs
        page.on(offer.click, lambda: self.model_files.offer(NATURAL), None, [*self.model_files.outputs, *question])
        page.on(say.click, self._say_as, [selection, page.queue, self.engine, *self.forms.components], [spoken], js=chosen)
        come = [self.engine, *about, offer, *self.model_files.outputs]
        page.on(self.model_files.finished.change, self._look_again, [self.engine], come, queue=False)
        page.on(clear.click, lambda engine: self.forms.fill(engine, {}, {}), [self.engine], self.forms.components)
        added = [selection, page.queue, self.engine, sweep, when, hear_back, *self.forms.components]
        page.on(self.add_button.click, self.add, added, None, js=chosen, trigger_mode="multiple", refresh=True)

    @property
    def outputs(self) -> list[Any]:
        """Where `load` writes."""
        return [self.engine, self.note, self.add_button, *self.forms.groups, *self.forms.components]

    def load(self, engine: str, params: Mapping[str, Any], weights: Mapping[str, float]) -> list[Any]:
        """Values for `outputs` that show this configuration."""
        return [engine, *_about(engine), *self.forms.show(engine), *self.forms.fill(engine, params, weights)]

    def add(self, ids: list[str], queue: Queue, engine: str, sweep: str | None, when: str, heard: bool, *values: Any) -> None:
        """Queue the selected prompts with the configuration as it is, once for each combination of a sweep; all or none.

        The sweep is None where its section was never opened. With `heard`, what is said is heard back.
        """
        own = self._page.session(queue)
        require_available(engine)
        prompts = chosen_prompts(self._page.store, ids, queue.owner)
        params, weights = self.forms.read(engine, values)
        spoken = self._page.spoken_params(engine, params, queue.owner)
        variants = parse_sweep(sweep or "", find_engine(engine).fields(params))
        background = when == "background"
        session = self._page.background.of(queue.owner) if background else own
        check = DEFAULT if heard and known_engine(engine).speaks and not _why_unheard() else ""
        added = session.queue.add_to_queue(prompts, engine, spoken, weights, check=check, variants=variants)
        if when == "next":
            session.queue.place([item.id for item in added], 1)
        where = "the background queue; it runs when nothing else waits" if background else "the queue"
        toast(f"Added {count(len(added), 'item')} to {where}.")

    def _count(self, ids: list[str], engine: str, sweep: str | None, *values: Any) -> str:
        """How many items a sweep makes, or what is wrong with it."""
        if not sweep or not sweep.strip():
            return ""
        try:
            params, _ = self.forms.read(engine, values)
            number = len(parse_sweep(sweep, find_engine(engine).fields(params)))
        except InputError as error:
            return note(str(error), "held")
        chosen = len(ids or ())
        return note(f"{count(number, 'item')} for each prompt; for the {chosen:,} selected {number * chosen:,} in all.")

    def _open(self, built: str) -> list[Any]:
        """The engine that a page opens with, where model files have come since the server started."""
        first = first_engine(all_engines())
        if first == built:
            return [gr.skip(), gr.Button(visible=offers_natural(built))]
        return [gr.Dropdown(engine_choices(all_engines()), value=first), gr.Button(visible=offers_natural(first))]

    def _choose(self, queue: Queue, engine: str) -> list[Any]:
        speaks = known_engine(engine).speaks
        natural, own = gr.Button(visible=offers_natural(engine)), gr.Accordion(visible=speaks)
        return [
            *_about(engine),
            natural,
            gr.Button(visible=speaks),
            "",
            own,
            self.presets.show(engine, queue.owner),
            *self.model_files.show(engine),
            *self.forms.show(engine),
        ]

    def _look_again(self, engine: str) -> list[Any]:
        """After model files have come: what can run here now. Who has just fetched the natural voices gets them."""
        specs = all_engines()
        robotic = engine == FIRST_CHOICES[-1]
        chosen = first_engine(specs) if robotic else engine
        menu = gr.Dropdown(engine_choices(specs), value=chosen)
        return [menu, *_about(chosen), gr.Button(visible=offers_natural(chosen)), *self.model_files.show(chosen)]

    def _say_as(self, ids: list[str], queue: Queue, engine: str, *values: Any) -> str:
        """The selected prompts as the engine speaks them, with the configuration as it is."""
        prompts = chosen_prompts(self._page.store, ids, queue.owner)
        params, _ = self.forms.read(engine, values)
        spec = find_engine(engine)
        checked = validate_params(spec.params, self._page.spoken_params(engine, params, queue.owner))
        shown = [note(spec.spoken(prompt.text, checked), strong="spoken as:") for prompt in prompts[:MOST_SPOKEN]]
        more = [note(f"{count(len(prompts) - MOST_SPOKEN, 'more prompt')}.")] if len(prompts) > MOST_SPOKEN else []
        return "".join([*shown, *more])


def _check_box(engine: str) -> dict[str, Any]:
    """The box that has what is queued heard back, for an engine that speaks, as things are now."""
    reason = _why_unheard()
    words = reason or "Whisper listens to each result and compares it with its text; Results has the score."
    return {"visible": known_engine(engine).speaks, "interactive": not reason, "info": words}


def _why_unheard() -> str:
    """Why no recogniser can run here, and what to do about it; empty where one can."""
    try:
        require_recogniser(DEFAULT)
    except UnavailableError as error:
        return str(error)
    return ""


def offers_natural(engine: str) -> bool:
    """Whether a page with this engine offers to fetch the natural voices."""
    return engine != NATURAL and find_kokoro() is None


def _about(engine: str) -> list[Any]:
    """What stands below the menu of engines, and Add, which reacts where the engine can run here."""
    return [_note(engine), gr.Button(interactive=is_usable(engine))]


def is_usable(engine: str) -> bool:
    """Whether an engine can run here."""
    return availability_of(known_engine(engine)).available


def _note(engine: str) -> str:
    summary, reason, steps = engine_note(engine)
    if not reason:
        return note(summary)
    words = "".join(f"<li>{_with_code(step)}</li>" for step in steps)
    return (
        f'{note(summary)}{note(reason, "held", "Not available here, so nothing can be added:")}<ol class="cw-steps">{words}</ol>'
    )


def _with_code(sentence: str) -> str:
    """A sentence as HTML, what stands in backticks as code."""
    parts = escape(sentence[:1].upper() + sentence[1:]).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
