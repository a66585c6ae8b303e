"""Jobs in a terminal: bars while they run, and what a file would do. Only here is rich imported."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from cosmos_workflow.cli.terminal import print_table
from cosmos_workflow.errors import list_choices
from cosmos_workflow.execution.estimates import format_seconds
from cosmos_workflow.execution.runner import RunnerSnapshot
from cosmos_workflow.gpu_dispatch.events import Event
from cosmos_workflow.gpu_dispatch.ui import DispatchView
from cosmos_workflow.jobs.books.final import BookFinal
from cosmos_workflow.jobs.events import (
    BookBound,
    JobEvent,
    JobProgressed,
    JobStarted,
    JobWaiting,
    TakeMade,
    TaskEnded,
    TaskResult,
)
from cosmos_workflow.jobs.plan import CheckedJob
from cosmos_workflow.jobs.takes import TakeRef


class RunView:
    """A bar a task, a line for the runner, and the dispatcher's table of devices, whose tasks are batches; the last state stays.

    Where nobody watches, a line for each task that ended. Both `see` and `watch` may be called from any thread.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._devices = DispatchView(show_ui=False, label=lambda _task: "a batch")
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[note]}", markup=False),
            console=self._console,
        )
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._picture, refresh_per_second=4)
        self._rows: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._ended, self._total = 0, 0
        self._runner: TaskID | None = None

    def __enter__(self) -> RunView:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._runner is not None:
            self._bars.remove_task(self._runner)
        with self._devices:
            pass  # its workers are done
        if self._live is not None:
            self._live.stop()

    def watch(self, event: Event) -> None:
        """Take in what the dispatcher says of its workers."""
        self._devices.handle(event)

    def see(self, event: JobEvent) -> None:
        """Show an event."""
        match event:
            case JobWaiting():
                self._say("Another program is running this job; waiting until it is done.")
            case JobStarted():
                self._start(event)
            case JobProgressed():
                self._progress(event.snapshot)
            case TakeMade():
                self._take(event)
            case TaskEnded():
                self._end(event.result)
            case BookBound():
                self._book(event.book)

    def _picture(self) -> Group:
        return Group(self._bars.get_renderable(), self._devices.render(table_only=True))

    def _start(self, event: JobStarted) -> None:
        for plan in event.plan.tasks:
            total = max(1, len(plan.wanted))
            self._rows[plan.task.id] = self._bars.add_task(plan.task.title[:40], total=total, note="")
            self._done[plan.task.id] = 0
        self._total += len({take.digest for plan in event.plan.tasks for take in plan.wanted})
        if self._runner is None:
            self._runner = self._bars.add_task("", total=None, note="")

    def _take(self, event: TakeMade) -> None:
        self._done[event.task_id] = self._done.get(event.task_id, 0) + 1
        self._ended += 1
        if (row := self._rows.get(event.task_id)) is not None:
            self._bars.update(row, completed=self._done[event.task_id])
        if event.run_error:
            self._say(f"failed: {event.text[:60]!r}: {event.run_error}")

    def _progress(self, snapshot: RunnerSnapshot) -> None:
        if self._runner is None:
            return
        begun: dict[str, float] = {}
        for item in snapshot.queue.running:
            if item.id in snapshot.progress:
                task_id = TakeRef.parse(item.source).task_id
                begun[task_id] = begun.get(task_id, 0.0) + snapshot.progress[item.id].fraction
        for task_id, share in begun.items():
            if (row := self._rows.get(task_id)) is not None:
                self._bars.update(row, completed=self._done.get(task_id, 0) + share)
        running = [progress.message for progress in snapshot.progress.values() if progress.message]
        left = f"{snapshot.left} left" if snapshot.left else ""
        note = ", ".join(part for part in (running[0] if running else str(snapshot.state), left, snapshot.reason) if part)
        # The queue's own share begins anew when tasks follow that waited for others.
        done = self._ended + sum(begun.values())
        self._bars.update(self._runner, description="all", completed=done, total=self._total or None, note=note)

    def _end(self, result: TaskResult) -> None:
        if (row := self._rows.get(result.task_id)) is not None:
            self._bars.update(row, note=result.label)
            if result.succeeded:
                self._bars.update(row, total=1, completed=1)
        lines = [f"{result.title[:60]}: {result.label}"]
        lines += [f"  {path}" for path in result.files.values()]
        lines += [f"  {line}" for line in (result.error, result.note, *result.missing[:8]) if line]
        self._say("\n".join(lines))

    def _book(self, book: BookFinal) -> None:
        files = [f"  {file.path}" for file in book.files]
        note = [f"  {book.note}"] if book.note else []
        self._say("\n".join([f"{book.title}: {format_seconds(book.seconds)}", *files, *note]))

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def print_checked(checked: Sequence[CheckedJob], console: Console | None = None) -> None:
    """The tasks, the batches and the time of checked jobs."""
    console = console or Console()
    for entry in checked:
        tasks = Table(title=f"{entry.job.name} ({entry.job.path})", title_justify="left")
        for name in ("task", "engine", "state", "pieces", "to make", "work"):
            tasks.add_column(name)
        for plan in entry.plan.tasks:
            after = list_choices([need.title for need in plan.task.needs])
            state = f"{plan.state}, after {after}" if after else plan.state
            cells = (plan.task.title, plan.task.engine, state, len(plan.pieces), len(plan.wanted), plan.work_text)
            tasks.add_row(*(Text(str(cell)) for cell in cells))
        print_table(tasks, console)
        for number, (batch, reason) in enumerate(entry.batches, 1):
            apart = f"; apart: {reason}" if reason else ""
            console.print(Text(f"batch {number}: {len(batch)} x {batch.engine}{apart}"), soft_wrap=True)
        console.print(Text(f"time: {entry.time}"), soft_wrap=True)
