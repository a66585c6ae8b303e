"""What a task is made of: its finals, and its pieces with text, player, takes, scores and the choice among them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.state import TaskReport
from cosmos_workflow.ui import lists
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.page import Page, Visit, owner_of, tell
from cosmos_workflow.ui.view import Picture

PIECES = 24
"""Pieces that are shown at once; each has a player."""


class JobTask:
    """Hidden until a task is opened; follows it then."""

    def __init__(self, page: Page, managers: JobManagers) -> None:
        self._page = page
        self._managers = managers
        with gr.Column(visible=False, elem_id="task-panel") as self.group:
            self.heading = gr.HTML(elem_id="task-heading", apply_default_css=False)
            self.finals = lists.cards("task-finals")
            gr.HTML("<h2>Pieces</h2>", apply_default_css=False)
            self.pieces = lists.cards("task-pieces", ("again", "use", "auto"))
            with gr.Row(elem_classes="cw-buttons"):
                self.previous = gr.Button("Previous", size="sm", visible=False)
                self.following = gr.Button("Next", size="sm", visible=False)
                self.close = gr.Button("Close task", size="sm", elem_id="close-task")
        self._wire()
        self._follow()

    def make_again(self, visit: Visit, event: gr.EventData, request: gr.Request) -> None:
        """Make one more take of a piece."""
        manager, job_id, key, piece = self._piece(visit, event, request)
        manager.make_again(job_id, key, piece)
        tell(f"Piece {piece + 1} is made again.")

    def use(self, visit: Visit, event: gr.EventData, request: gr.Request) -> None:
        """Use this take of a piece, and put the final together again where that is possible now."""
        manager, job_id, key, piece = self._piece(visit, event, request)
        self._choose(manager, job_id, key, piece, lists.sent_by(event)[1])

    def use_best(self, visit: Visit, event: gr.EventData, request: gr.Request) -> None:
        """Let the scores decide about a piece again."""
        manager, job_id, key, piece = self._piece(visit, event, request)
        self._choose(manager, job_id, key, piece, "")

    def turn_back(self, visit: Visit) -> None:
        """The page before this one."""
        visit.jobs.pieces_page = max(0, visit.jobs.pieces_page - 1)

    def turn_on(self, visit: Visit) -> None:
        """The page after this one."""
        visit.jobs.pieces_page += 1

    def leave(self, visit: Visit) -> None:
        """Hide the panel."""
        visit.jobs.task_id = ""

    def _piece(self, visit: Visit, event: gr.EventData, request: gr.Request) -> tuple[JobManager, str, str, int]:
        job_id, _, key = visit.jobs.task_id.partition("/")
        number = lists.sent_by(event)[0]
        if not key or not number.isdecimal():
            raise InputError("This piece isn't there any more; open its task again.")
        return self._managers.of(owner_of(request)), job_id, key, int(number)

    def _choose(self, manager: JobManager, job_id: str, key: str, piece: int, run_id: str) -> None:
        report = manager.choose(job_id, key, piece, run_id)
        if not report.task.joined:
            tell("Chosen.")
        elif report.current:
            tell("Chosen, and put together again.")
        else:
            tell("Chosen. The final has it as soon as it is put together again.")

    def _wire(self) -> None:
        page, visit = self._page, [self._page.visit]
        for event, handler in (
            (self.pieces.again, self.make_again),
            (self.pieces.use, self.use),
            (self.pieces.auto, self.use_best),
            (self.previous.click, self.turn_back),
            (self.following.click, self.turn_on),
            (self.close.click, self.leave),
        ):
            page.on(event, handler, visit, None, changes_queue=True)

    def _follow(self) -> None:
        page = self._page

        def is_open(now: Picture, visit: Visit) -> bool:
            return self._report(now, visit) is not None

        def heading(now: Picture, visit: Visit) -> str:
            report = self._report(now, visit)
            return jobs_markup.task_heading(report) if report else ""

        def finals(now: Picture, visit: Visit) -> dict[str, Any]:
            report = self._report(now, visit)
            return jobs_markup.finals(report) if report else {"rows": []}

        def finals_key(now: Picture, visit: Visit) -> tuple[Any, ...]:
            report = self._report(now, visit)
            return visit.jobs.task_id, tuple(final.created_at for final in (report.finals if report else ()))

        def turns(now: Picture, visit: Visit) -> tuple[bool, bool]:
            report = self._report(now, visit)
            total = len(report.pieces) if report else 0
            place = visit.jobs.pieces_page
            return place > 0, (place + 1) * PIECES < total

        page.follow(self.group, is_open, lambda now, visit: gr.Column(visible=is_open(now, visit)))
        page.follow(self.heading, heading, heading)
        page.follow(self.finals, finals_key, finals)
        page.follow(self.pieces, self._pieces_key, self._pieces)
        page.follow(self.previous, turns, lambda now, visit: gr.Button(visible=turns(now, visit)[0]))
        page.follow(self.following, turns, lambda now, visit: gr.Button(visible=turns(now, visit)[1]))

    def _report(self, now: Picture, visit: Visit) -> TaskReport | None:
        task_id = visit.jobs.task_id
        return self._managers.of(now.owner).snapshot().task(task_id) if task_id else None

    def _pieces_key(self, now: Picture, visit: Visit) -> tuple[Any, ...]:
        report = self._report(now, visit)
        if report is None:
            return ("",)
        first = visit.jobs.pieces_page * PIECES
        shown = zip(report.pieces[first : first + PIECES], report.chosen[first : first + PIECES], strict=True)
        states = tuple((piece, run and run.id) for piece, run in shown)
        choices = tuple(self._managers.of(now.owner).choices(report.task.id).items())
        return visit.jobs.task_id, first, tuple(_quiet(piece, run_id) for piece, run_id in states), len(report.pieces), choices

    def _pieces(self, now: Picture, visit: Visit) -> dict[str, Any]:
        report = self._report(now, visit)
        if report is None:
            return {"rows": []}
        manager, first = self._managers.of(now.owner), visit.jobs.pieces_page * PIECES
        rows = [
            jobs_markup.piece_card(report, index, takes.runs, takes.by_hand)
            for index, takes in enumerate(manager.takes(report, first, PIECES), first)
        ]
        total = len(report.pieces)
        page = f"{first + 1:,} to {min(first + PIECES, total):,} of {total:,}" if total > PIECES else ""
        return {"rows": rows, "empty": "", "page": page}


def _quiet(piece: Any, run_id: str | None) -> tuple[Any, ...]:
    """What of a piece is shown: not how far a running take is, which would draw its players anew each second."""
    takes = tuple((take.made and take.made.id, take.running, take.failed) for take in piece.takes)
    return piece.digest, piece.chunk.text, takes, run_id
