"""What tasks and jobs are called (New, Running, Partial, Completed, Failed), and what is said beside it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from cosmos_workflow.jobs.document.tasks import TaskConfig
from cosmos_workflow.jobs.takes import PieceState
from cosmos_workflow.store.records import RunRecord


class TaskStatus(StrEnum):
    """Where a task, or a job, is."""

    NEW = "New"
    RUNNING = "Running"
    PARTIAL = "Partial"
    COMPLETED = "Completed"
    FAILED = "Failed"


def status_label(status: TaskStatus, progress: float) -> str:
    """A status with its percentage, where it has one."""
    return f"{status} {int(progress * 100)} %" if status in (TaskStatus.RUNNING, TaskStatus.PARTIAL) else str(status)


def task_status(
    pieces: Sequence[PieceState], chosen: Sequence[RunRecord | None], current: bool, running: bool, never: bool
) -> TaskStatus:
    """Where a task is, from its pieces and the runs of them that are used; `never` says that it can't be made as things are."""
    if current:
        return TaskStatus.COMPLETED
    if running:
        return TaskStatus.RUNNING
    if never:
        return TaskStatus.FAILED
    lacking = [piece for piece, run in zip(pieces, chosen, strict=True) if run is None]
    if lacking and all(piece.failed for piece in lacking):
        return TaskStatus.FAILED
    begun = any(take.made or take.last for piece in pieces for take in piece.takes)
    return TaskStatus.PARTIAL if begun else TaskStatus.NEW


def share_made(pieces: Sequence[PieceState]) -> float:
    """The share of its takes that are made, each that runs by its own progress; in [0, 1]."""
    takes = [take for piece in pieces for take in piece.takes]
    done = sum(1.0 if take.made else take.last.progress if take.running and take.last else 0.0 for take in takes)
    return done / len(takes)


def task_message(task: TaskConfig, pieces: Sequence[PieceState], chosen: Sequence[RunRecord | None], current: bool) -> str:
    """Where a task is, in words: how much can be heard, what failed and why, what is missing."""
    heard = sum(run is not None for run in chosen)
    total = len(pieces)
    if current:
        return f"{total} of {total} pieces" if total > 1 else "done"
    lacking = [piece for piece, run in zip(pieces, chosen, strict=True) if run is None]
    failed = [piece for piece in lacking if piece.failed]
    waiting = [piece.index for piece in lacking if not piece.failed]
    parts = [f"{heard} of {total} pieces"]
    if failed:
        parts.append(f"failed: {_places([piece.index for piece in failed])} ({failed[0].error})")
    if waiting and heard:
        parts.append(f"missing: {_places(waiting)}")
    if heard == total and task.joined:
        parts.append("to be put together")
    return "; ".join(parts)


def ears_message(listen: Sequence[int], unheard: Sequence[int]) -> str:
    """What is said behind that of pieces that were heard back, or weren't, by their places from 0; empty where all is well."""
    words = [f"; {count_pieces(listen)} to listen to: {_places(listen)}"] if listen else []
    words += [f"; {count_pieces(unheard)} not heard back yet"] if unheard else []
    return "".join(words)


def count_pieces(places: Sequence[int]) -> str:
    """So many pieces."""
    return f"{len(places)} piece{'' if len(places) == 1 else 's'}"


def _places(places: Sequence[int], most: int = 8) -> str:
    shown = ", ".join(str(place + 1) for place in places[:most])
    return f"{shown} and {len(places) - most} more" if len(places) > most else shown


def job_status(statuses: Sequence[TaskStatus]) -> TaskStatus:
    """Where a job is, from its tasks."""
    found = set(statuses)
    if TaskStatus.RUNNING in found:
        return TaskStatus.RUNNING
    if found <= {TaskStatus.COMPLETED}:
        return TaskStatus.COMPLETED
    if found <= {TaskStatus.NEW}:
        return TaskStatus.NEW
    return TaskStatus.FAILED if found <= {TaskStatus.COMPLETED, TaskStatus.FAILED} else TaskStatus.PARTIAL
