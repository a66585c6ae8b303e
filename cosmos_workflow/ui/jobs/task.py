"""What a task is made of: its finals, and its pieces with text, player, takes, scores and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.state import TaskReport
from cosmos_workflow.jobs.takes import PieceState
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import components
from cosmos_workflow.ui.components import Pager
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsPart, JobsTabState
from cosmos_workflow.ui.page import Page, toast
from cosmos_workflow.ui.page_view import PageState, PageView

PIECES = "task-pieces"
SHOWN_AT_ONCE = 24
"""Pieces on a page; each has a player."""

Value = TypeVar("Value")


class JobTask(JobsPart):
    """Hidden until a task is opened; follows it then."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        super().__init__(page, managers)
        with gr.Column(visible=False, elem_id="task-panel") as self.group:
            self.heading = gr.HTML(elem_id="task-heading", apply_default_css=False)
            self.finals = components.cards("task-finals")
            with gr.Row(elem_id="pieces-head"):
                gr.HTML("<h2>Pieces</h2>", apply_default_css=False)
                self.listening = gr.Checkbox(
                    False, label="To listen to", elem_id="to-listen-to", container=False, scale=0, min_width=150
                )
            self.pieces = components.cards(PIECES, ("again", "use", "auto", "edit"))
            self.pager = Pager(page, PIECES, SHOWN_AT_ONCE)
            with gr.Row(elem_classes="cw-buttons"):
                close = gr.Button("Close task", size="sm", elem_id="close-task")
        for event, handler in (
            (self.pieces.again, self.make_again),
            (self.pieces.use, self.use),
            (self.pieces.auto, self.use),
            (self.pieces.edit, self.edit),
            (close.click, self.leave),
        ):
            page.on(event, handler, [page.state], None, refresh=True)
        page.on(self.listening.input, self.listen, [self.listening, page.state], None, refresh=True)
        page.update(self.listening, self._listening)
        page.show(self.group, lambda now: self._report(now) is not None)
        page.follow(self.heading, self._of_report(jobs_markup.task_heading, ""))
        page.follow(self.finals, self._of_report(_finals_key, ()), self._of_report(jobs_markup.finals, {"rows": []}))
        page.follow(self.pieces, self._pieces_key, self._pieces)
        self.pager.follow(lambda now: len(self._places(now)))

    def open(self, state: PageState, task_id: str) -> None:
        """Show a task from its first piece on; an empty id hides the panel."""
        looked_at = state.of(JobsTabState)
        if looked_at.task_id != task_id:
            looked_at.listening = False
        looked_at.task_id = task_id
        self.pager.turn(state, 0)

    def listen(self, only: bool, state: PageState) -> None:
        """Show only the pieces that a person should listen to, or all."""
        state.of(JobsTabState).listening = only
        self.pager.turn(state, 0)

    def make_again(self, state: PageState, event: gr.EventData, request: gr.Request) -> None:
        """Make one more take of a piece."""
        job_id, key, piece = self._piece(state, event)
        self.manager(request).background.make_again(job_id, key, piece)
        toast(f"Piece {piece + 1} is made again.")

    def use(self, state: PageState, event: gr.EventData, request: gr.Request) -> None:
        """Use this take of a piece, or with none let the scores decide again; the final is put together again where it can be."""
        report = self.manager(request).choose(*self._piece(state, event), components.clicked(event)[1])
        if not report.task.joined:
            toast("Chosen.")
        elif report.current:
            toast("Chosen, and put together again.")
        else:
            toast("Chosen. The final has it as soon as it is put together again.")

    def edit(self, state: PageState, event: gr.EventData, request: gr.Request) -> None:
        """Have another text said in a piece."""
        job_id, key, piece = self._piece(state, event)
        self.manager(request).edit_piece(job_id, key, piece, components.clicked(event)[1])
        toast(f"Piece {piece + 1} has another text, and is made.")

    def leave(self, state: PageState) -> None:
        """Hide the panel."""
        self.open(state, "")

    def _piece(self, state: PageState, event: gr.EventData) -> tuple[str, str, int]:
        job_id, _, key = state.of(JobsTabState).task_id.partition("/")
        number = components.clicked_id(event)
        if not key or not number.isdecimal():
            raise InputError("This piece isn't there any more; open its task again.")
        return job_id, key, int(number)

    def _report(self, now: PageView) -> TaskReport | None:
        task_id = now.state.of(JobsTabState).task_id
        return self.snapshot(now).task(task_id) if task_id else None

    def _of_report(self, value: Callable[[TaskReport], Value], otherwise: Value) -> Callable[[PageView], Value]:
        def of(now: PageView) -> Value:
            report = self._report(now)
            return value(report) if report else otherwise

        return of

    def _places(self, now: PageView) -> Sequence[int]:
        """The places of the pieces that are looked at, on whatever page."""
        report = self._report(now)
        if report is None:
            return ()
        return report.listen if now.state.of(JobsTabState).listening else range(len(report.pieces))

    def _listening(self, now: PageView) -> dict[str, Any]:
        report, on = self._report(now), now.state.of(JobsTabState).listening
        label = f"To listen to ({len(report.listen) if report else 0:,})"
        return {"value": on, "label": label, "visible": on or bool(report and report.task.check)}

    def _pieces_key(self, now: PageView) -> tuple[Any, ...]:
        report, places = self._report(now), self._places(now)
        if report is None:
            return ()
        window = self.pager.window(now.state, len(places))
        shown = tuple(places[window.rows])
        pieces = tuple(_shown_of(report.pieces[place], report.chosen[place]) for place in shown)
        choices = tuple(self.managers.of(now.owner).jobs.choices(report.task.id).items())
        heard = report.listen, report.unheard
        return report.task.id, window, shown, pieces, choices, heard

    def _pieces(self, now: PageView) -> dict[str, Any]:
        report, places = self._report(now), self._places(now)
        if report is None:
            return {"rows": []}
        window = self.pager.window(now.state, len(places))
        shown = places[window.rows]
        found = zip(shown, self.managers.of(now.owner).takes(report, shown), strict=True)
        rows = [jobs_markup.piece_card(report, place, of, self.page.waveform_of) for place, of in found]
        return {"rows": rows, "empty": "No piece needs to be listened to.", "page": window.text, "subject": report.task.id}


def _finals_key(report: TaskReport) -> tuple[Any, ...]:
    return report.task.id, tuple(final.created_at for final in report.finals)


def _shown_of(piece: PieceState, run: RunRecord | None) -> tuple[Any, ...]:
    """What of a piece is shown: not how far a running take is, which would draw its players anew each second."""
    takes = tuple((take.made and take.made.id, take.running, take.failed) for take in piece.takes)
    return piece.digest, piece.chunk.text, takes, run and run.id
