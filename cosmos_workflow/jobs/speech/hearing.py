"""What is known of a take's sound: its faults by the sound alone, and what was heard, where its task is checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cosmos_workflow.checking.records import FILE, Verdicts, verdict_key
from cosmos_workflow.checking.verdict import Fault, Verdict, without_tail
from cosmos_workflow.checking.worker import CheckTask
from cosmos_workflow.engines.registry import known_engine
from cosmos_workflow.files import file_stamp
from cosmos_workflow.jobs.document.tasks import TaskConfig
from cosmos_workflow.jobs.speech.subtitles import readable
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

_DELETED = Verdict((Fault("missing", 1.0, "Its file was deleted."),))


class Hearings:
    """The verdicts about the takes of jobs, kept in the folders of their runs."""

    def __init__(self, store: Store, verdicts: Verdicts) -> None:
        self._store = store
        self._verdicts = verdicts

    def of(self, task: TaskConfig, run: RunRecord, path: Path | None) -> Verdict:
        """What is known of a take: what was heard, else its sound's own faults, which are measured now if they weren't before."""
        if path is None:
            return _DELETED
        return self.heard(task, run) or self._by_sound(run, path)

    def heard(self, task: TaskConfig, run: RunRecord) -> Verdict | None:
        """What was heard of a take; None where nobody listened yet, or its task isn't checked.

        Where the task cuts what comes after the last word, as it is then.
        """
        found = self._kept(task, run)
        return without_tail(found)[0] if found and task.check and task.check.trim else found

    def end_of(self, task: TaskConfig, run: RunRecord) -> float | None:
        """The second at which a take is cut, where its task does that and something comes after its last word."""
        found = self._kept(task, run) if task.check and task.check.trim else None
        return without_tail(found)[1] if found else None

    def stamp(self, run: RunRecord) -> tuple[int, ...]:
        """Another value once something was heard of a run's takes, by whatever program."""
        return file_stamp(self._store.runs.folder(run.id) / FILE)

    def keep(self, task: TaskConfig, run: RunRecord, verdict: Verdict) -> None:
        """Remember what was heard."""
        self._verdicts.put(*self._place(task, run), verdict)

    def question(self, task: TaskConfig, run: RunRecord, path: Path) -> CheckTask:
        """A take as a recogniser is asked about it."""
        return question_about(run, path, task.check.model if task.check else "", task.language)

    def _kept(self, task: TaskConfig, run: RunRecord) -> Verdict | None:
        return self._verdicts.get(*self._place(task, run)) if task.check else None

    def _place(self, task: TaskConfig, run: RunRecord) -> tuple[Path, str]:
        return place_of(self._store, run, self.question(task, run, Path()))

    def _by_sound(self, run: RunRecord, path: Path) -> Verdict:
        from cosmos_workflow.checking.sound import judge_sound

        folder, key = self._store.runs.folder(run.id), verdict_key(_sound_of(run), run.prompt_text)
        found = self._verdicts.get(folder, key)
        if found is None:
            found = judge_sound(path, run.prompt_text)
            self._verdicts.put(folder, key, found)
        return found


def question_about(run: RunRecord, path: Path, model: str, language: str = "") -> CheckTask:
    """A run's sound as a recogniser is asked about it: its words as they are written, and as they were spoken; by default in the
    language of its params."""
    written, spoken = readable(run.prompt_text), readable(str(run.metadata.get("spoken", "")))
    said = (written, spoken) if spoken and spoken != written else (written,)
    return CheckTask(path, run.prompt_text, said, language or known_engine(run.engine).language(run.params), model)


def place_of(store: Store, run: RunRecord, asked: CheckTask) -> tuple[Path, str]:
    """The folder and the key under which the answer to a question about a run is kept."""
    return store.runs.folder(run.id), verdict_key(_sound_of(run), asked.text, asked.said, asked.language, asked.model)


def best(verdicts: Sequence[Verdict], most: float | None = None) -> int:
    """Which of these is best, one that passes first where there is a limit; the earliest among equals."""
    ranks = [(most is not None and verdict.passes(most), verdict.value) for verdict in verdicts]
    return ranks.index(max(ranks))


def _sound_of(run: RunRecord) -> str:
    """The digest of what a run made."""
    return " ".join(str(check.get("sha256", "")) for check in run.checks.values())
