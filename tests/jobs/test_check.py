"""Jobs that are heard back: what isn't good enough is made again, the best is kept, and nothing of it is silent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from cosmos_workflow.checking.comparison import compare
from cosmos_workflow.checking.sound import read_mono
from cosmos_workflow.checking.verdict import Fault, HeardWord, Verdict
from cosmos_workflow.checking.worker import Checker, CheckTask, Done
from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.events import TaskResult
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.state import TaskStatus
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.yaml_places import JobFileError

JOB = """\
engine: tone
chunking: {min: 0, target: 20, max: 40}
check: {model: base, max_wer: 0.1, retries: 2}
text: |
  One two three four.

  Five mute six seven.
"""


class Humming(Checker):
    """Hears a tone as all words of its text, and silence as none; the word "late" is never heard, and goes on after the end."""

    asked: list[CheckTask]

    def __init__(self) -> None:
        self.asked = []
        self.missing = ""

    def require(self, model: str) -> None:
        if self.missing:
            raise UnavailableError(self.missing)

    def submit(self, task: CheckTask, done: Done) -> None:
        self.asked.append(task)
        sound, rate = read_mono(task.path)
        seconds = len(sound) / rate
        words = task.said[0].split() if np.abs(sound).max() > 0.01 else []
        share = seconds / 2 / max(1, len(words))
        heard = [HeardWord(f" {word}", number * share, (number + 1) * share) for number, word in enumerate(words)]
        faults = (Fault("after the end", 0.5, "It hums on.", seconds / 2, seconds),) if "hums" in task.text else ()
        done(Verdict(faults, compare(task.said[0], heard, task.language, task.model), round(seconds, 3)), "")

    def close(self) -> None:
        pass


@pytest.fixture
def hummer() -> Humming:
    return Humming()


@pytest.fixture
def checked(tone: Callable[[], list[str]], workspace: Workspace, operations: Operations, hummer: Humming) -> JobManager:
    """The jobs of the workspace, heard back by somebody who knows tones."""
    return JobManager(TaskOrchestrator(operations, JobStore(workspace), lambda: hummer))


def run(manager: JobManager, text: str) -> tuple[JobFile, TaskResult]:
    job = manager.create("story", text).job
    assert job is not None
    (result,) = manager.orchestrator.run(job)
    return job, result


def test_a_piece_that_is_wrong_is_made_again_with_another_seed(
    checked: JobManager, tone: Callable[[], list[str]], hummer: Humming
) -> None:
    job, result = run(checked, JOB)
    assert result.status is TaskStatus.COMPLETED
    assert result.heard is not None
    assert (result.heard.median, result.heard.worst, result.heard.listen) == (0, 0, ())
    made = [line for line in tone() if "mute" in line]
    assert len(made) == 2
    assert made[0].startswith("7 ")
    report = checked.orchestrator.report_task(job, "1")
    used = report.chosen[1]
    assert used is not None
    assert used.params["seed"] != 7
    # Everything that was heard is known: nothing is heard or made twice, in this program or the next.
    assert len(hummer.asked) == 3
    again = TaskOrchestrator(checked.orchestrator.operations, checked.jobs, lambda: hummer)
    (same,) = again.run(job)
    assert (same.status, same.made) == (TaskStatus.COMPLETED, 0)
    assert len(hummer.asked) == 3


def test_what_is_never_good_enough_is_told_and_completed(checked: JobManager, tone: Callable[[], list[str]]) -> None:
    job, result = run(checked, JOB.replace("Five mute six seven.", "Five hums six seven."))
    assert result.status is TaskStatus.COMPLETED
    assert "1 piece to listen to: 2" in result.note
    assert result.heard is not None
    assert result.heard.listen == (2,)
    assert len([line for line in tone() if "hums" in line]) == 3
    report = checked.orchestrator.report_task(job, "1")
    assert "1 piece to listen to: 2" in report.message
    # Who listens and says that it is good is believed, and asked no more.
    used = report.chosen[1]
    assert used is not None
    assert checked.choose(job.id, "1", 1, used.id).listen == ()


def test_an_engine_that_can_only_say_it_the_same_way_again_isnt_asked_to(checked: JobManager, hummer: Humming) -> None:
    _, result = run(checked, "engine: espeak\ncheck: true\ntext: She hums.\n")
    assert (result.status, result.made) == (TaskStatus.COMPLETED, 1)
    assert "1 piece to listen to: 1; espeak says a text the same way each time, so none was made again." in result.note
    assert len(hummer.asked) == 1


def test_what_comes_after_the_last_word_is_cut_where_the_job_says_so(checked: JobManager) -> None:
    text = JOB.replace("Five mute six seven.", "Five hums six seven.").replace("retries: 2", "retries: 2, trim: true")
    job, result = run(checked, text + "audio: {pause: {paragraph: 0}}\n")
    assert result.heard is not None
    assert result.heard.listen == ()
    report = checked.orchestrator.report_task(job, "1")
    takes = [checked.orchestrator.reader.output_of(run) for run in report.chosen if run]
    whole = [soundfile.info(take).duration for take in takes if take]
    assert whole == pytest.approx([0.95, 1.0], abs=0.01)
    final, rate = soundfile.read(result.files["audio"])
    assert len(final) / rate == pytest.approx(0.95 + 0.75, abs=0.02)
    assert abs(final[-1]) < 0.001


def test_a_job_that_was_made_before_is_only_heard(checked: JobManager, tone: Callable[[], list[str]], hummer: Humming) -> None:
    plain = JOB.replace("check: {model: base, max_wer: 0.1, retries: 2}\n", "").replace("mute ", "")
    job, result = run(checked, plain)
    assert result.heard is None
    edited = checked.update(job.id, f"check: true\n{job.source}").job
    assert edited is not None
    before = checked.orchestrator.report_task(edited, "1")
    assert before.status is TaskStatus.PARTIAL
    assert "2 pieces not heard back yet" in before.message
    made = len(tone())
    (result,) = checked.orchestrator.run(edited)
    assert result.status is TaskStatus.COMPLETED
    assert (len(tone()), len(hummer.asked)) == (made, 2)


def test_candidates_are_picked_by_what_is_heard(checked: JobManager, tone: Callable[[], list[str]]) -> None:
    job, _ = run(checked, JOB.replace("check:", "candidates: 3\ncheck:"))
    used = checked.orchestrator.report_task(job, "1").chosen[1]
    assert used is not None
    assert used.params["seed"] != 7
    assert len(tone()) == 6


def test_subtitles_stand_where_the_words_were_heard(checked: JobManager) -> None:
    words = " ".join(f"word{number}" for number in range(20))
    _, result = run(checked, f"engine: tone\ncheck: true\nchunking: {{max: 200, target: 200}}\ntext: {words}.\n")
    cues = result.files["subtitles"].read_text()
    # The words are over at half the sound; by the letters alone the last cue would end with it.
    assert result.seconds is not None
    last = cues.strip().split("\n\n")[-1].splitlines()[1].split(" --> ")[1]
    minutes, seconds = last.split(":")[1:]
    assert int(minutes) * 60 + float(seconds.replace(",", ".")) == pytest.approx(result.seconds / 2, abs=0.1)


def test_a_final_from_before_gets_its_words_when_they_are_heard_and_what_is_asked_for(checked: JobManager) -> None:
    words = " ".join(f"word{number}" for number in range(20))
    plain = f"engine: tone\nchunking: {{max: 200, target: 200}}\ntext: {words}.\n"
    job, before = run(checked, plain)
    by_letters = before.files["subtitles"].read_text()
    edited = checked.update(job.id, f"check: true\nsubtitles: {{format: both, by: word}}\n{plain}").job
    assert edited is not None
    (after,) = checked.orchestrator.run(edited)
    assert after.files["audio"] == before.files["audio"]
    assert after.files["subtitles"].read_text().count("-->") == after.files["vtt"].read_text().count("-->") == 20
    assert before.files["subtitles"].read_text() != by_letters
    # The tone is heard for half of its time.
    assert after.seconds is not None
    assert f"{after.seconds / 2:06.3f}" in after.files["vtt"].read_text().splitlines()[-2]
    alone = checked.update(job.id, f"check: true\nsubtitles: {{format: vtt}}\n{plain}").job
    assert alone is not None
    (last,) = checked.orchestrator.run(alone)
    assert [path.suffix for path in last.files.values()] == [".wav", ".vtt"]
    assert not after.files["subtitles"].exists()


def test_without_a_recogniser_nothing_begins_and_it_is_said_why(
    checked: JobManager, tone: Callable[[], list[str]], hummer: Humming
) -> None:
    hummer.missing = "Hearing speech back needs faster-whisper."
    with pytest.raises(UnavailableError, match="needs faster-whisper"):
        run(checked, JOB)
    assert tone() == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("check: {model: huge}", "use one of tiny, base"),
        ("check: {max_wer: 3}", "use a number from 0 to 1"),
        ("check: {retrys: 2}", "retries"),
        ("check: 3", "use true, or a section"),
    ],
)
def test_a_wrong_word_in_the_section_is_told_where_it_stands(checked: JobManager, written: str, said: str) -> None:
    with pytest.raises(JobFileError, match=said):
        checked.create("story", f"engine: tone\n{written}\ntext: Hello.\n")


def test_the_nearer_word_wins(checked: JobManager) -> None:
    job = checked.create(
        "story",
        "engine: tone\ncheck: {model: tiny, retries: 1}\ntasks:\n- text: One.\n  check: false\n"
        "- text: Two.\n  check: {retries: 0}\n",
    ).job
    assert job is not None
    first, second = (task.check for task in job.tasks)
    assert first is None
    assert second is not None
    assert (second.model, second.retries) == ("tiny", 0)
