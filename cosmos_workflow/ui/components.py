"""What all tabs are made of: tables, cards and bars, the pager, the question and the frame of an editor.

Tables, cards and bars change row by row in the browser; `static/page.js` draws them, and their value is plain JSON. They are
functions, because gradio writes a stub file beside every subclass of a component.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from cosmos_workflow.execution.estimates import format_seconds
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PAGE_SIZE, PageState, PageView, Window

PANEL = ("cw-ask", "cw-panel")
"""The classes of what opens beside the rows: at the side of a wide window, and a sheet on a phone (`static/panels.js`)."""


def drawn(call: str, elem_id: str) -> gr.HTML:
    """What this function of our scripts draws."""
    return gr.HTML(None, html_template="", js_on_load=f"window.cosmos.{call};", apply_default_css=False, elem_id=elem_id)


def table(elem_id: str, *, orders: bool = False) -> gr.HTML:
    """Rows with a box to select each; `select` fires with the id of a row that was opened, `previous` and `next` turn the page.

    With `orders` rows are moved: `place` fires with ids and the row before or after which they go, `shift` with an offset.
    """
    # Gradio makes events of the names that it finds here in quotes.
    events = ["select", "previous", "next", *(["place", "shift"] if orders else [])]
    return drawn(f"table(element, props, trigger, watch, '{elem_id}', {events})", elem_id)


def cards(elem_id: str, actions: Sequence[str] = ()) -> gr.HTML:
    """Cards with players; each action is an event of the component, fired with the id of the card whose button was clicked."""
    return drawn(f"cards(element, props, trigger, watch, {list(actions)})", elem_id)


def counter(page: Page, elem_id: str, jobs: Callable[[str], str], ending: Callable[[RunnerSnapshot], str]) -> None:
    """The queue and an owner's running job in a few words, kept up to date with the tab's title; `ending` says how it ended."""

    def value(now: PageView) -> dict[str, Any]:
        snapshot, job = now.snapshot, jobs(now.owner)
        ended = ending(snapshot) if snapshot.queue.done and not snapshot.active else ""
        told = {"paused": snapshot.state is RunnerState.PAUSED, "done": sum(snapshot.queue.done.values()), "ended": ended}
        return {**counter_value(now, job), **told, "active": snapshot.active or bool(job), "queue": now.token}

    page.follow(drawn("counter(element, props, watch)", elem_id), value)


def counter_value(now: PageView, job: str = "") -> dict[str, str]:
    """What runs in a few words, "2 running, 3 queued, 12 of 50 done", and the tab's title, "12/50, 6 min left - ..."."""
    snapshot, queue = now.snapshot, now.snapshot.queue
    done = sum(queue.done.values())
    parts = [f"{number} {word}" for number, word in ((len(queue.running), "running"), (queue.waiting, "queued")) if number]
    text = ", ".join([*parts, *([f"{done} of {queue.total} done"] if done else [])]) if queue.items else "Queue empty"
    left = f", {format_seconds(snapshot.left.seconds)} left" if snapshot.left else ""
    titles = [*([f"{done}/{queue.total}{left}"] if snapshot.active else []), *([job] if job else []), "Cosmos Workflow"]
    return {"text": f"{text} · {job}" if job else text, "title": " - ".join(titles)}


def hide() -> Any:
    """A value that hides a panel or a question."""
    return gr.Column(visible=False)


def clicked_id(event: gr.EventData) -> str:
    """The id that an event of a table or of cards brought along."""
    return clicked(event)[0]


def clicked(event: gr.EventData) -> tuple[str, str]:
    """The id that an event of a table or of cards brought along, and the value of the button that was clicked."""
    data: dict[str, object] = event._data
    return str(data.get("id", "")), str(data.get("value", ""))


def selected_in(table_id: str) -> str:
    """JavaScript that puts the ids selected in a table in the place of an event's first input."""
    return f"(...values) => {{ values[0] = window.cosmos.selected('{table_id}'); return values; }}"


def select_in(table_id: str) -> str:
    """JavaScript that selects the ids of an event's first input in a table."""
    return f"(ids) => {{ window.cosmos.select('{table_id}', ids); }}"


def row_buttons(*named: tuple[str, str]) -> list[gr.Button]:
    """A row of buttons for what is selected in the table below, by words and elem_id; there while that table has rows."""
    with gr.Row(elem_classes=["cw-buttons", "cw-stick", "cw-for-rows"]):
        return [gr.Button(words, size="sm", elem_id=elem_id) for words, elem_id in named]


def search(placeholder: str, elem_id: str) -> gr.Textbox:
    """The field that looks for rows or cards."""
    return gr.Textbox(label="Search", placeholder=placeholder, max_lines=1, scale=3, min_width=140, elem_id=elem_id)


def menu(choices: Sequence[tuple[str, str]], label: str, elem_id: str, *, min_width: int = 150, **options: Any) -> gr.Dropdown:
    """A menu in which nothing is written; the first choice is the usual one unless `value` names another."""
    value = options.pop("value", choices[0][1])
    shape: dict[str, Any] = {"filterable": False, "min_width": min_width, **options}
    return gr.Dropdown(list(choices), value=value, label=label, elem_id=elem_id, **shape)


def details(elem_id: str, close_id: str) -> tuple[gr.Column, gr.HTML, gr.Button]:
    """A panel beside rows or cards, what is shown in it, and its Close, which is wired by whoever shows it."""
    with gr.Column(visible=False, elem_classes=list(PANEL)) as panel:
        shown = gr.HTML(elem_id=elem_id, apply_default_css=False)
        with gr.Row(elem_classes=["cw-buttons", "cw-panel-end"]):
            close = gr.Button("Close details", size="sm", elem_id=close_id, elem_classes="cw-close")
    return panel, shown, close


class Pager:
    """Turns the pages of the list of an elem_id: with the buttons that `drawn`, a table, has at both ends, or with a row of
    them below other lists, there while the list has more rows than are shown at once."""

    def __init__(self, page: Page, name: str, size: int = PAGE_SIZE, drawn: gr.HTML | None = None) -> None:
        self._page, self._drawn = page, drawn
        self.name, self.size = name, size
        if drawn is not None:
            events: Any = drawn
            self._turns = [(events.previous, -1), (events.next, 1)]
            return
        with gr.Row(elem_classes="cw-buttons", visible=False) as self.row:
            self._turns = [(gr.Button("Previous", size="sm").click, -1), (gr.Button("Next", size="sm").click, 1)]

    def window(self, state: PageState, total: int) -> Window:
        """The rows that a page shows of so many; a page that isn't there any more becomes the last one."""
        window = Window.at(state.pages.get(self.name, 0), total, self.size)
        state.pages[self.name] = window.first // self.size
        return window

    def turn(self, state: PageState, offset: int) -> None:
        """Go so many pages on; 0 is the first page again."""
        state.pages[self.name] = state.pages.get(self.name, 0) + offset if offset else 0

    def wire(self, show: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """For a list that a handler shows, whose first input is the page's state."""
        for turn, offset in self._turns:
            self._page.on(turn, self._turned(show, offset), inputs, outputs)

    def follow(self, total: Callable[[PageView], int]) -> None:
        """For a list that is kept up to date, of so many rows."""
        page = self._page
        for turn, offset in self._turns:
            page.on(turn, functools.partial(self.turn, offset=offset), [page.state], None, refresh=True)
        if self._drawn is None:
            page.show(self.row, lambda now: total(now) > self.size)

    def _turned(self, show: Callable[..., Any], offset: int) -> Callable[..., Any]:
        @functools.wraps(show)
        def turned(state: PageState, *values: Any) -> Any:
            self.turn(state, offset)
            return show(state, *values)

        return turned


class Question:
    """A question before something is done that can't be undone; `yes` is wired by whoever asks, `no` only hides it.

    `also` is an optional third button, `harmless` for a question whose yes takes nothing away. `subject` holds what is asked
    about.
    """

    def __init__(self, page: Page, name: str, yes: str, also: str = "", *, no: str = "Keep", harmless: bool = False) -> None:
        with gr.Column(visible=False, elem_classes=["cw-ask", "cw-question"]) as self.group:
            text = gr.HTML(apply_default_css=False)
            with gr.Row(elem_classes="cw-buttons"):
                self.yes = gr.Button(yes, variant="primary" if harmless else "stop", size="sm", elem_id=f"{name}-yes")
                self.also = gr.Button(also, variant="stop", size="sm", elem_id=f"{name}-also", visible=False)
                keep = gr.Button(no, size="sm", elem_id=f"{name}-no", elem_classes="cw-close")
        self.subject = gr.State(())
        self.outputs = [self.group, text, self.also, self.subject]
        page.on(keep.click, hide, None, [self.group])

    def shown(self, question: str, subject: Sequence[str] = (), *, also: bool = False) -> list[Any]:
        """Values for `outputs` that ask."""
        return [gr.Column(visible=True), markup.note(question), gr.Button(visible=also), tuple(subject)]


class EditorFrame:
    """Hidden until something is opened in it: `with frame:` builds its fields, and Save and Close follow below them.

    `save` is wired by whoever edits, `close` only hides it.
    """

    def __init__(self, page: Page, save_id: str, close_id: str, save: str = "Save") -> None:
        self._page = page
        self._save, self._close_id = (save, save_id), close_id
        self.group = gr.Column(visible=False, elem_classes=list(PANEL))

    def __enter__(self) -> EditorFrame:
        self.group.__enter__()
        return self

    def __exit__(self, *raised: Any) -> None:
        with gr.Row(elem_classes=["cw-buttons", "cw-panel-end"]):
            self.save = gr.Button(self._save[0], variant="primary", size="sm", elem_id=self._save[1], elem_classes="cw-save")
            close = gr.Button("Close", size="sm", elem_id=self._close_id, elem_classes="cw-close")
        self.group.__exit__(*raised)
        self._page.on(close.click, hide, None, [self.group])
