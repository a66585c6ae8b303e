"""What a task has and lacks, derived from its runs and its finals each time somebody asks: it can't disagree with them.

A report is kept for as long as everything that it was derived from is the same; see `JobReader._moment`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from cosmos_workflow.checking.records import Verdicts
from cosmos_workflow.checking.verdict import Verdict
from cosmos_workflow.errors import list_choices, shorten
from cosmos_workflow.files import folder_stamp
from cosmos_workflow.jobs.document.tasks import JobFile, Source, TaskConfig, all_needs
from cosmos_workflow.jobs.looks import BarePieces, Look, RunsOfJobs, played_file
from cosmos_workflow.jobs.plan import pieces_of
from cosmos_workflow.jobs.reports import JobReport, TaskReport
from cosmos_workflow.jobs.speech.assembly import final_state, finals
from cosmos_workflow.jobs.speech.chunks import Piece
from cosmos_workflow.jobs.speech.hearing import Hearings, best
from cosmos_workflow.jobs.status import TaskStatus, ears_message, job_status, share_made, task_message, task_status
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.jobs.takes import Choice, KnownRuns, PieceState, judged, with_one_more, with_runs
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store


class JobReader:
    """Reads what a job has: its runs from the store, its finals and choices from its folder. Any thread may call it."""

    def __init__(self, store: Store, jobs: JobStore) -> None:
        self.store = store
        self.jobs = jobs
        self.hearings = Hearings(store, Verdicts(jobs.disk))
        self._runs = RunsOfJobs(store.runs, jobs.owner, self._file_of)
        self._bare: dict[str, BarePieces] = {}
        self._reports: dict[str, tuple[BarePieces, tuple[Any, ...], TaskReport]] = {}

    def look(self, job_id: str) -> Look:
        """Every run of a job as it is now, by what it made."""
        return self._runs.look(job_id)

    def keep_only(self, job_ids: Collection[str]) -> None:
        """Forget what is kept of every other job."""
        self._runs.keep_only(job_ids)
        for kept in (self._bare, self._reports):
            for task_id in [task_id for task_id in list(kept) if task_id.partition("/")[0] not in job_ids]:
                kept.pop(task_id, None)

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
        bare = self._bare_of(task, known)
        pieces = self.seek_elsewhere(with_runs(bare.pieces, known), known)
        if task.check is None:
            return pieces
        choices = self.jobs.choices(task.id)
        while True:
            pieces = judged(pieces, lambda run: self.hearings.heard(task, run))
            more = with_one_more(pieces, task.check.max_wer, choices)
            if more == pieces:
                return pieces
            pieces = self.seek_elsewhere(with_runs(more, known), known)

    def _bare_of(self, task: TaskConfig, known: Look) -> BarePieces:
        """The pieces of a task without their runs, as they were found last where nothing about them changed."""
        if task.id in known.bare:
            return known.bare[task.id]
        for need in all_needs([task], known.reports):
            self.read_task(need, known)

        def result_of(source: Source) -> Path | None:
            return self.result_files(known.reports[source.task.id]).get(source.output)

        stamp = folder_stamp(self.jobs.task_folder(task.id))
        inputs: list[tuple[str, str, str, str]] = []
        for speaker in dict.fromkeys(chunk.speaker for chunk in task.chunks):
            voice = task.voices[speaker]
            made = {name: str(path) for name, source in voice.sources.items() if (path := result_of(source))}
            inputs += [
                (speaker, name, path, self.store.digests.of(Path(path))) for name, path in {**voice.inputs, **made}.items()
            ]
        bare = self._bare.get(task.id)
        if not (bare and bare.task is task and (bare.stamp, bare.inputs) == (stamp, tuple(inputs))):
            pieces = pieces_of(task, self.jobs.choices(task.id), self.store.digests.of, result_of)
            takes = tuple(take.digest for piece in pieces for take in (*piece.takes, *piece.spare))
            self._bare[task.id] = bare = BarePieces(task, stamp, tuple(inputs), pieces, takes)
        known.bare[task.id] = bare
        return bare

    def seek_elsewhere(self, pieces: tuple[PieceState, ...], known: Look) -> tuple[PieceState, ...]:
        """The pieces with what the owner's other jobs have made of them, where this one hasn't."""
        lacking = [take.digest for piece in pieces for take in piece.takes if not take.made]
        return with_runs(pieces, known) if self._seek(lacking, known) else pieces

    def _seek(self, takes: Collection[str], known: Look) -> bool:
        """Look for takes in the owner's other jobs, where that wasn't done yet; whether any of them was new."""
        new = [take for take in takes if take not in known.sought]
        known.sought |= set(new)
        if new:
            known.add(self._runs.made_elsewhere(known.job_id, new))
        return bool(new)

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
        path = self._file_of(run)
        return path if path is not None and path.is_file() else None

    def _file_of(self, run: RunRecord) -> Path | None:
        # The store's own, thorough way is for what is handed out.
        return played_file(run, self.store.runs.folder(run.id))

    def read_job(self, job: JobFile, live: bool = False) -> JobReport:
        """Where a job and each of its tasks is; `live` says that this program is working on it."""
        known = self.look(job.id)
        # One question to the store for all tasks; those that need others are asked for on their own.
        self._seek([take for task in job.tasks if not task.needs for take in self._lacking(task, known)], known)
        reports = tuple(self.read_task(task, known, live) for task in job.tasks)
        counted = [report for report in reports if report.task.enabled] or list(reports)
        progress = sum(report.progress for report in counted) / len(counted)
        status = TaskStatus.RUNNING if live else job_status([report.status for report in counted])
        return JobReport(job, status, progress, reports)

    def report(self, task: TaskConfig) -> TaskReport:
        """Where a task is, looked at anew, and as far as runs and files say it."""
        return self.read_task(task, self.look(task.job_id))

    def read_task(self, task: TaskConfig, known: Look, live: bool = False) -> TaskReport:
        """Where a task is."""
        bare = self._bare_of(task, known)
        self._seek(self._lacking(task, known), known)
        moment = self._moment(bare, known, live)
        kept = self._reports.get(task.id)
        if kept and kept[0] is bare and kept[1] == moment:
            report = kept[2]
        else:
            report = self._read_task(task, known, live)
            self._reports[task.id] = bare, moment, report
        known.reports[task.id] = report
        return report

    def _lacking(self, task: TaskConfig, known: Look) -> list[str]:
        return [take for take in self._bare_of(task, known).takes if take not in known.made]

    def _moment(self, bare: BarePieces, known: Look, live: bool) -> tuple[Any, ...]:
        """Everything beside its pieces that the report of a task is derived from: what is equal gives an equal report."""
        task = bare.task
        made = [known.made.get(take) for take in bare.takes]
        last = [known.last.get(take) for take in bare.takes]
        running = any(run is not None and run.status is ItemStatus.RUNNING for run in last)
        heard = [self.hearings.stamp(run) for runs in made for run in runs or ()] if task.check else []
        needs = [known.reports[need.id] for need in all_needs([task])]
        return made, last, live, running and (live or self.jobs.is_held(task.job_id)), heard, needs

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

    def to_join(self, report: TaskReport) -> list[Piece]:
        """The pieces of a task that can be heard, as assembly takes them."""
        used = [(piece, run, self.output_of(run)) for piece, run in zip(report.pieces, report.chosen, strict=True) if run]
        return [self._sounding(report.task, piece, run, path) for piece, run, path in used if path]

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
