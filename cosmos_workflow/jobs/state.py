"""What a task has and lacks, derived from its runs and its finals each time somebody asks: it can't disagree with them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from cosmos_workflow.checking.records import Verdicts
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.errors import list_choices, shorten
from cosmos_workflow.jobs.document.tasks import JobFile, Source, TaskConfig, all_needs
from cosmos_workflow.jobs.plan import pieces_of
from cosmos_workflow.jobs.speech.assembly import Final, Piece, final_state, finals
from cosmos_workflow.jobs.speech.hearing import Hearings, best
from cosmos_workflow.jobs.status import TaskStatus, ears_message, job_status, share_made, status_label, task_message, task_status
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.jobs.takes import Choice, KnownRuns, PieceState, TakeRef, judged, prompt_id, with_one_more, with_runs
from cosmos_workflow.queueing.items import ItemStatus, QueueItem
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task at one moment. `chosen` are the runs that are used, by piece, None where there is none yet.

    `progress` is the share of its pieces that can be heard, with what is running counted by its own progress, in [0, 1]; it
    is 1 only for a completed task. `final` is the newest one, `current` whether it is what its pieces would give now.
    `listen` are the places of the pieces that a person should listen to, since none of their takes is good enough, `unheard` of
    those that nobody has listened to yet, where the task is checked. `waits` says which earlier tasks have yet to make its
    inputs, or that they failed; empty where all of them are there.
    """

    task: TaskConfig
    status: TaskStatus
    progress: float
    message: str
    pieces: tuple[PieceState, ...]
    chosen: tuple[RunRecord | None, ...]
    finals: tuple[Final, ...] = ()
    current: bool = False
    started_at: float | None = None
    waits: str = ""
    listen: tuple[int, ...] = ()
    unheard: tuple[int, ...] = ()

    @property
    def final(self) -> Final | None:
        """The newest final."""
        return self.finals[-1] if self.finals else None

    @property
    def label(self) -> str:
        """The status as people read it: "Running 12 %"."""
        return status_label(self.status, self.progress)

    @property
    def missing(self) -> list[PieceState]:
        """The pieces that can't be heard yet."""
        return [piece for piece, run in zip(self.pieces, self.chosen, strict=True) if run is None]


@dataclass(frozen=True, slots=True)
class JobReport:
    """A job at one moment, from its enabled tasks."""

    job: JobFile
    status: TaskStatus
    progress: float
    tasks: tuple[TaskReport, ...]

    @property
    def label(self) -> str:
        """The status as people read it."""
        return status_label(self.status, self.progress)


@dataclass(slots=True)
class Look(KnownRuns):
    """The runs of a job at one moment, and what was read of its tasks then: what one task needs of another is read once.

    `sought` are the takes that were looked for in other jobs.
    """

    reports: dict[str, TaskReport] = field(default_factory=dict)
    sought: set[str] = field(default_factory=set)


class JobReader:
    """Reads what a job has: its runs from the store, its finals and choices from its folder."""

    def __init__(self, store: Store, jobs: JobStore) -> None:
        self.store = store
        self.jobs = jobs
        self.hearings = Hearings(store, Verdicts(jobs.disk))

    def look(self, job_id: str) -> Look:
        """Every run of a job as it is now, by what it made."""
        runs = self.store.runs.list(self.jobs.owner, source=TakeRef.all_of(job_id), limit=None)
        return Look.of(runs, lambda run: self.output_of(run) is not None)

    def runs_of(self, item: QueueItem) -> list[RunRecord]:
        """The succeeded run of an item that was made; empty where it is gone again."""
        found = self.store.runs.of_items([item.id], self.jobs.owner)
        return [run for run in found if run.status is ItemStatus.SUCCEEDED][-1:]

    def put_aside_damaged(self, known: Look, only: Collection[str] | None = None) -> dict[str, str]:
        """By take, what was wrong with files that changed since they were made; what they were is to be made again.

        `only` says which takes are looked at, where not all are.
        """
        found: dict[str, str] = {}
        for take in known.made if only is None else known.made.keys() & only:
            for run in known.made[take]:
                if problem := self.store.repair.put_aside_damaged(run):
                    found[take] = f"{shorten(run.prompt_text, 40)}: {problem}"
        return found

    def pieces(self, task: TaskConfig, known: Look) -> tuple[PieceState, ...]:
        """The pieces of a task with what there is of them."""
        for need in all_needs([task], known.reports):
            self.read_task(need, known)

        def result_of(source: Source) -> Path | None:
            return self.result_files(known.reports[source.task.id]).get(source.output)

        choices = self.jobs.choices(task.id)
        pieces = pieces_of(task, known, choices, self.store.digests.of, result_of)
        pieces = self.seek_elsewhere(pieces, known)
        if task.check is None:
            return pieces
        while True:
            pieces = judged(pieces, lambda run: self.hearings.heard(task, run))
            more = with_one_more(pieces, task.check.max_wer, choices)
            if more == pieces:
                return pieces
            pieces = self.seek_elsewhere(with_runs(more, known), known)

    def seek_elsewhere(self, pieces: tuple[PieceState, ...], known: Look) -> tuple[PieceState, ...]:
        """The pieces with what the owner's other jobs have made of them, where this one hasn't."""
        lacking = {take.digest for piece in pieces for take in piece.takes if not take.made} - known.sought
        if not lacking:
            return pieces
        known.sought |= lacking
        runs = self.store.runs.made_of([prompt_id(take) for take in lacking], self.jobs.owner)
        known.add(run for run in runs if TakeRef.is_one(run.source) and self.output_of(run))
        return with_runs(pieces, known)

    def result_files(self, report: TaskReport) -> dict[str, Path]:
        """The files of a completed task's result by their keys, "" being the one that is played; empty for any other task."""
        if not report.current:
            return {}
        if report.task.joined:
            final = report.finals[-1]
            return {"": final.path, **final.files}
        run = report.chosen[0]
        played = self.output_of(run) if run else None
        if run is None or played is None:
            return {}
        return {"": played} | {key: self.store.runs.folder(run.id) / name for key, name in run.outputs.items()}

    def output_of(self, run: RunRecord) -> Path | None:
        """The file of a run that is played; None where somebody deleted it."""
        # A run that was asked for less (a plan alone) has another first output.
        name = run.outputs.get(known_engine(run.engine).output) or next(iter(run.outputs.values()), "")
        if not name or ".." in PurePath(name).parts:
            return None
        # Asked for every piece at every look: the store's own, thorough way is for what is handed out.
        path = self.store.runs.folder(run.id) / name
        return path if path.is_file() else None

    def read_job(self, job: JobFile, live: bool = False) -> JobReport:
        """Where a job and each of its tasks is; `live` says that this program is working on it."""
        known = self.look(job.id)
        reports = tuple(self.read_task(task, known, live) for task in job.tasks)
        counted = [report for report in reports if report.task.enabled] or list(reports)
        progress = sum(report.progress for report in counted) / len(counted)
        status = TaskStatus.RUNNING if live else job_status([report.status for report in counted])
        return JobReport(job, status, progress, reports)

    def read_task(self, task: TaskConfig, known: Look, live: bool = False) -> TaskReport:
        """Where a task is."""
        report = self._read_task(task, known, live)
        known.reports[task.id] = report
        return report

    def _read_task(self, task: TaskConfig, known: Look, live: bool) -> TaskReport:
        pieces = self.pieces(task, known)
        chosen = self.chosen(task, pieces, known)
        made = finals(self.jobs.task_folder(task.id)) if task.joined else []
        listen, unheard = self._ears(task, pieces, chosen)
        whole = all(chosen)
        current = whole and (not task.joined or bool(made and made[-1].state == self._state(task, pieces, chosen)))
        # A program that was killed leaves runs behind that seem to go on.
        running = any(take.running for piece in pieces for take in piece.takes) and (live or self.jobs.is_held(task.job_id))
        begun = [take.last.started_at for piece in pieces for take in piece.takes if take.last and take.last.started_at]
        waits, never = self._waits(task, pieces, known)
        done = current and not unheard
        status = task_status(pieces, chosen, done, running or (live and task.enabled and bool(begun)), never)
        return TaskReport(
            task=task,
            status=status,
            progress=1.0 if status is TaskStatus.COMPLETED else min(0.99, share_made(pieces)),
            message=waits
            or task_message(task, pieces, chosen, current)
            + ears_message(listen, unheard)
            + _aside(made[-1].note if current and made else ""),
            pieces=pieces,
            chosen=tuple(chosen),
            finals=tuple(made),
            current=current,
            started_at=min(begun, default=None),
            waits=waits,
            listen=listen,
            unheard=unheard,
        )

    def _waits(self, task: TaskConfig, pieces: Sequence[PieceState], known: Look) -> tuple[str, bool]:
        """What earlier tasks have yet to make for this one, in words, and whether they never will as things stand."""
        lacking = {name for piece in pieces for name in piece.later}
        sources = [source for voice in task.voices.values() for name, source in voice.sources.items() if name in lacking]
        titles: list[str] = []
        for source in sources:
            need, report = source.task, known.reports[source.task.id]
            if report.current:
                made = list_choices([key for key in self.result_files(report) if key])
                return f"not run, since {need.title} made no {shorten(source.output)}; it made {made}", True
            if report.status is TaskStatus.FAILED:
                why = f" ({report.missing[0].error})" if not report.waits and report.missing else ""
                return f"not run, since {need.title} {'failed' if not report.waits else 'was not run'}{why}", True
            titles.append(need.title if need.enabled else f"{need.title}, which is switched off")
        return f"waits for {list_choices(list(dict.fromkeys(titles)))}" if titles else "", False

    def _ears(
        self, task: TaskConfig, pieces: Sequence[PieceState], chosen: Sequence[RunRecord | None]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The pieces to listen to, and those that weren't heard; what a person chose needs neither."""
        if task.check is None:
            return (), ()
        choices = self.jobs.choices(task.id)
        listen: list[int] = []
        unheard: list[int] = []
        for piece, run in zip(pieces, chosen, strict=True):
            if run is None or choices.get(piece.digest, Choice()).run_id == run.id:
                continue
            verdict = self.hearings.heard(task, run)
            if verdict is None:
                unheard.append(piece.index)
            elif not verdict.passes(task.check.max_wer):
                listen.append(piece.index)
        return tuple(listen), tuple(unheard)

    def chosen(self, task: TaskConfig, pieces: Sequence[PieceState], known: KnownRuns) -> list[RunRecord | None]:
        """The run of each piece that is used; None for a piece that can't be heard, or of which takes are still to be made."""
        choices = self.jobs.choices(task.id)
        return [self._pick(task, piece, choices.get(piece.digest, Choice()), known) if piece.made else None for piece in pieces]

    def _pick(self, task: TaskConfig, piece: PieceState, choice: Choice, known: KnownRuns) -> RunRecord:
        """The run of a made piece that is used: the one a person chose, else the first take or the best one."""
        by_hand = [run for run in known.heard(piece) if run.id == choice.run_id]
        if by_hand:
            return by_hand[0]
        made = [take.made for take in piece.takes if take.made]
        if len(made) == 1 or (task.candidates.pick == "first" and task.check is None):
            return made[0]
        return made[best(self.verdicts(task, made), task.check.max_wer if task.check else None)]

    def verdicts(self, task: TaskConfig, runs: Sequence[RunRecord]) -> list[Verdict]:
        """What is known of each of these takes of a task; found once, then remembered."""
        return [self.hearings.of(task, run, self.output_of(run)) for run in runs]

    def to_join(self, task: TaskConfig, pieces: Sequence[PieceState], chosen: Sequence[RunRecord | None]) -> list[Piece]:
        """The pieces that can be heard, as assembly takes them."""
        used = list(zip(pieces, chosen, [self.output_of(run) if run else None for run in chosen], strict=True))
        return [self._sounding(task, piece, run, path) for piece, run, path in used if run and path]

    def _state(self, task: TaskConfig, pieces: Sequence[PieceState], chosen: Sequence[RunRecord | None]) -> str:
        # Which file it is decides nothing here, so nobody looks for it.
        used = [self._sounding(task, piece, run, Path()) for piece, run in zip(pieces, chosen, strict=True) if run]
        return final_state(used, task.audio)

    def _sounding(self, task: TaskConfig, piece: PieceState, run: RunRecord, path: Path) -> Piece:
        heard = self.hearings.heard(task, run)
        return Piece(
            run_id=run.id,
            path=path,
            text=piece.chunk.text,
            speaker=piece.chunk.speaker,
            break_after=piece.chunk.break_after,
            pause=piece.chunk.pause,
            until=self.hearings.end_of(task, run),
            words=heard.hearing.timed() if heard and heard.hearing else (),
            borders=piece.chunk.borders,
        )


def _aside(note: str) -> str:
    return f"; {note[0].lower()}{note[1:].rstrip('.')}" if note else ""


def tried_to_the_end(report: TaskReport) -> bool:
    """Whether nothing about a task is left to try: it is completed, or what it lacks has failed."""
    return report.status in (TaskStatus.COMPLETED, TaskStatus.FAILED)
