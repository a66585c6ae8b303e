"""A job from file to sound: what is made, what is kept, what is told, whatever fails or changes in between."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from support import DEADLINE, digest, wait_for

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.events import JobEvent, JobProgressed, JobStarted, JobWaiting, TakeMade, TaskEnded
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.state import TaskStatus
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.queueing import ItemStatus
from tests.jobs.conftest import changed, job_of, make_again, takes_of

Log = Callable[[], list[str]]

STORY = """
job: story
engine: tone
chunking: {target: 40, max: 60, min: 0}
audio: {pause: {sentence: 0.1, paragraph: 0.5}}
tasks:
  - name: one
    text: |
      This is the first sentence of it all. And this is the second one of them.

      A paragraph on its own stands here.

      The last paragraph is the end.
"""


def test_a_job_becomes_one_sound_with_subtitles(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    assert orchestrator.report(job).label == "New"
    events: list[JobEvent] = []
    (result,) = orchestrator.run(job, on_event=events.append)
    assert result.succeeded
    assert (result.made, result.pieces, result.missing) == (4, 4, ())
    letters = sum(len(chunk.text) for chunk in job.tasks[0].chunks)
    info = soundfile.info(str(result.files["audio"]))
    assert info.duration == pytest.approx(letters * 0.05 + 0.1 + 0.5 + 0.5, abs=0.01)
    assert result.files["subtitles"].read_text().count("-->") == 4
    assert orchestrator.report(job).label == "Completed"
    assert len(tone()) == 4
    assert [type(event) for event in events if isinstance(event, JobStarted | TaskEnded)] == [JobStarted, TaskEnded]
    assert [event.done for event in events if isinstance(event, TakeMade)] == [1, 2, 3, 4]


def test_what_is_done_isnt_made_again(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    (first,) = orchestrator.run(job)
    (second,) = orchestrator.run(job)
    assert second.files == first.files
    assert (second.made, len(tone())) == (0, 4)


def test_a_changed_paragraph_makes_only_its_own_pieces(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    (first,) = orchestrator.run(job)
    job = changed(manager, job, "A paragraph on its own stands here.", "Another paragraph stands here.")
    assert orchestrator.report(job).label == "Partial 75 %"
    (second,) = orchestrator.run(job)
    assert tone()[4:] == ["7 Another paragraph stands here."]
    assert first.files["audio"].exists()
    assert second.files["audio"].name == "story-one-002.wav"


def test_a_changed_pause_makes_nothing_but_the_final(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    (first,) = orchestrator.run(job)
    job = changed(manager, job, "paragraph: 0.5", "paragraph: 1.5")
    (second,) = orchestrator.run(job)
    assert len(tone()) == 4
    assert second.seconds == pytest.approx((first.seconds or 0) + 2, abs=0.01)


def test_a_missing_piece_is_named_and_never_silence(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY.replace("stands here", "is broken"))
    (result,) = orchestrator.run(job)
    assert (result.status, result.files, result.made) == (TaskStatus.FAILED, {}, 3)
    assert result.missing == ("piece 3: the tone broke",)
    assert "3 of 4 pieces; failed: 3 (the tone broke)" in result.error
    with pytest.raises(InputError, match=r"3 of 4 pieces"):
        orchestrator.assemble(job, "one")


def test_modes(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, tmp_path: Path) -> None:
    job = job_of(manager, STORY.replace("stands here", "is flaky"))
    orchestrator.run(job)
    assert [task.state for task in orchestrator.plan(job).tasks] == ["failed"]
    wanted = {mode: orchestrator.plan(job, mode).wanted for mode in ("resume", "failed", "all")}
    assert wanted == {"resume": 1, "failed": 1, "all": 4}
    (tmp_path / "mended").touch()
    (failed,) = orchestrator.run(job, "failed")
    assert (failed.succeeded, failed.made) == (True, 1)
    (again,) = orchestrator.run(job, "all")
    assert (again.made, len(tone())) == (4, 8)
    assert [path.name for path in sorted(again.files["audio"].parent.glob("*.wav"))] == ["story-one-001.wav", "story-one-002.wav"]


def test_a_piece_that_was_never_tried_isnt_failed(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, STORY)
    assert orchestrator.plan(job, "failed").wanted == 0
    orchestrator.run(job, "failed")
    assert orchestrator.report(job).label == "New"


def test_a_deleted_output_is_made_again(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    orchestrator.run(job)
    store = orchestrator.operations.store
    store.runs.delete([store.runs.list(limit=1)[0].id])
    assert orchestrator.report(job).label == "Partial 75 %"
    (result,) = orchestrator.run(job)
    assert (result.succeeded, result.made) == (True, 1)


@pytest.mark.parametrize("earlier", [False, True])
def test_deleted_subtitles_are_written_again(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, earlier: bool
) -> None:
    job = job_of(manager, STORY)
    (first,) = orchestrator.run(job)
    subtitles = first.files["subtitles"]
    text = subtitles.read_text()
    subtitles.unlink()
    if earlier:  # an earlier release didn't write down when a piece ends
        told = subtitles.with_suffix(".json")
        told.write_text(re.sub(r'"end": [0-9.]+,', "", told.read_text()))
    report = orchestrator.report_task(job, "one")
    assert report.label == "Completed"
    assert set(orchestrator.reader.result_files(report)) == {"", "audio"}
    (again,) = orchestrator.run(job)
    assert (again.succeeded, again.files, len(tone())) == (True, first.files, 4)
    if not earlier:
        assert subtitles.read_text() == text
    assert subtitles.read_text().count("-->") == 4


@pytest.mark.parametrize("how", ["renamed", "copied", "copied outside", "one of its tasks"])
def test_what_another_job_has_made_isnt_made_again(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, tmp_path: Path, how: str
) -> None:
    job = job_of(manager, STORY)
    orchestrator.run(job)
    text = job.source
    assert job.path is not None
    if how == "renamed":
        other = orchestrator.jobs.load(job.path.rename(job.path.with_name("tale.yaml")))
    elif how == "copied":
        other = manager.create("tale", text).job
    elif how == "copied outside":
        (tmp_path / "elsewhere.yaml").write_text(text)
        other = orchestrator.jobs.load(tmp_path / "elsewhere.yaml")
    else:
        other = manager.create("tale", text.replace("name: one", "name: two") + "  - text: Something new.\n").job
    assert other is not None
    assert orchestrator.report_task(other, other.tasks[0].key).label == "Partial 99 %"
    results = orchestrator.run(other)
    assert [result.succeeded for result in results] == [True] * len(other.tasks)
    assert (results[0].made, len(tone())) == (0, 4 if len(other.tasks) == 1 else 5)
    # What the first job makes anew later is its own affair.
    if how != "renamed":
        orchestrator.run(job, "all")
        assert orchestrator.report(other).label == "Completed"


def test_what_another_user_has_made_is_made_again(
    workspace: Workspace, operations: Operations, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, STORY)
    manager.orchestrator.run(job)
    other = TaskOrchestrator(operations, JobStore(workspace, "anna"))
    (result,) = other.run(other.jobs.check(job.source, "story"))
    assert (result.made, len(tone())) == (4, 8)


def test_a_damaged_piece_of_another_job_is_made_again(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    orchestrator.run(job)
    run = orchestrator.operations.store.runs.list(limit=1)[0]
    orchestrator.operations.store.runs.output_path(run, "audio").write_bytes(b"")
    other = manager.create("tale", job.source).job
    assert other is not None
    (result,) = orchestrator.run(other)
    assert (result.succeeded, result.made, len(tone())) == (True, 1, 5)
    assert "Made again, since a file was damaged" in result.note


@pytest.mark.parametrize("damage", [lambda sound: sound[: len(sound) // 2], lambda sound: bytes(len(sound)), lambda _: b""])
def test_a_damaged_piece_is_made_again_and_named(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, damage: Callable[[bytes], bytes]
) -> None:
    job = job_of(manager, STORY)
    (whole,) = orchestrator.run(job)
    store = orchestrator.operations.store
    run = store.runs.list(limit=1)[0]
    piece = store.runs.output_path(run, "audio")
    piece.write_bytes(damage(piece.read_bytes()))
    (result,) = orchestrator.run(job)
    assert (result.succeeded, result.made, len(tone())) == (True, 1, 5)
    assert result.note.startswith(f"Made again, since a file was damaged: '{run.prompt_text[:20]}")
    assert digest(result.files["audio"]) == digest(whole.files["audio"])
    assert not piece.exists(), "what was damaged is aside, where somebody may look at it"


def test_pieces_of_several_tasks_share_batches(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, "engine: tone\ntasks: [{text: one}, {text: two}, {text: three}, {text: four, params: {key: 5}}]\n")
    results = orchestrator.run(job)
    assert all(result.succeeded for result in results)
    runs = orchestrator.operations.store.runs.list()
    assert sorted(Counter(run.batch_id for run in runs).values()) == [1, 3]


def test_tasks_that_say_the_same_share_the_work(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, "engine: tone\ntasks: [{text: one}, {text: one}, {text: one, enabled: false}]\n")
    results = orchestrator.run(job)
    assert [result.succeeded for result in results] == [True, True]
    assert tone() == ["7 one"]


def test_a_stopped_job_goes_on_where_it_was(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, tmp_path: Path
) -> None:
    job = job_of(manager, "engine: tone\ntasks:\n" + "".join(f"  - text: gate {number}\n" for number in range(9)))
    stop = threading.Event()
    found: list[str] = []

    def busy(event: JobEvent) -> None:
        """Who watches is busy until all has come to rest: a stop doesn't wait for them."""
        if isinstance(event, JobProgressed) and event.snapshot.queue.running:
            stop.wait(DEADLINE)
            wait_for(lambda: not any(lane.name.startswith("runner-") for lane in threading.enumerate()), "the batch ends")

    thread = threading.Thread(target=lambda: found.extend(r.label for r in orchestrator.run(job, on_event=busy, stop=stop)))
    thread.start()
    store = orchestrator.operations.store
    wait_for(lambda: store.runs.list(status=ItemStatus.RUNNING), "a batch runs")
    assert orchestrator.report(job).status is TaskStatus.RUNNING
    detailed = orchestrator.get_detailed_status(f"{job.id}/1")
    assert detailed is not None
    assert (detailed["status"], detailed["job_name"]) == ("Running", "story")
    with pytest.raises(UnavailableError, match="is running"):
        orchestrator.assemble(job, "1")
    stop.set()
    (tmp_path / "gate").touch()
    thread.join()
    assert Counter(found) == {"Completed": 4, "New": 5}
    assert sum(result.made for result in orchestrator.run(job)) == 5
    assert len(tone()) == len(set(tone())) == 9


def test_two_programs_never_make_a_piece_twice(
    orchestrator: TaskOrchestrator, manager: JobManager, workspace: Workspace, tone: Log, tmp_path: Path
) -> None:
    job = job_of(manager, STORY.replace("A paragraph", "A gate"))
    with Operations(workspace) as others:
        other = TaskOrchestrator(others, JobStore(workspace))
        events: list[JobEvent] = []
        threads = [
            threading.Thread(target=orchestrator.run, args=(job,)),
            threading.Thread(target=lambda: other.run(job, on_event=events.append)),
        ]
        threads[0].start()
        wait_for(lambda: orchestrator.is_live(job.id), "the first one runs")
        threads[1].start()
        wait_for(lambda: any(isinstance(event, JobWaiting) for event in events), "the second one waits")
        (tmp_path / "gate").touch()
        for thread in threads:
            thread.join()
    assert len(tone()) == len(set(tone())) == 4
    report = orchestrator.report(job)
    assert (report.label, len(report.tasks[0].finals)) == ("Completed", 1)
    (ended,) = [event.result for event in events if isinstance(event, TaskEnded)]
    assert (ended.succeeded, ended.made) == (True, 0)


def test_candidates_have_their_own_seeds_and_the_best_is_used(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, "engine: tone\ntext: A mute beginning of a sentence.\ncandidates: 3\n")
    (result,) = orchestrator.run(job)
    assert (result.succeeded, result.made) == (True, 3)
    seeds = [int(line.split()[0]) for line in tone()]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    takes = takes_of(orchestrator, job, "1", 0)
    assert [run.params["seed"] for run, _ in takes] == seeds
    assert [fault.name for fault in takes[0][1].faults] == ["silence"]
    used = orchestrator.report(job).tasks[0].chosen[0]
    assert used is not None
    assert used.id != takes[0][0].id
    samples, _ = soundfile.read(result.files["audio"])
    assert abs(samples).max() > 0.1


def test_a_person_chooses_a_take_and_puts_it_together(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, "engine: tone\ntext: A sentence for two.\ncandidates: {count: 2, pick: first}\n")
    orchestrator.run(job)
    second = takes_of(orchestrator, job, "1", 0)[1][0]
    report = orchestrator.choose(job, "1", 0, second.id)
    assert report.label == "Partial 99 %"
    assert "to be put together" in report.message
    result = orchestrator.assemble(job, "1")
    assert result.files["audio"].name == "story-1-002.wav"
    assert orchestrator.report(job).tasks[0].final is not None
    assert len(tone()) == 2
    back = orchestrator.choose(job, "1", 0)
    assert back.chosen[0] is not None
    assert back.chosen[0].id != second.id
    with pytest.raises(InputError, match="isn't a take"):
        orchestrator.choose(job, "1", 0, "rs_nothing")


def test_another_take_is_made_of_one_piece(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, STORY)
    orchestrator.run(job)
    (result,) = make_again(orchestrator, job, "one", 2)
    assert (result.succeeded, result.made, len(tone())) == (True, 1, 5)
    assert tone()[4].split(" ", 1)[1] == "A paragraph on its own stands here."
    assert len(takes_of(orchestrator, job, "one", 2)) == 2
    with pytest.raises(InputError, match="has no piece 5"):
        make_again(orchestrator, job, "one", 4)


def test_a_piece_of_an_engine_without_seeds_is_made_again(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, "engine: espeak\ntext: Good morning.\n")
    orchestrator.run(job)
    (result,) = make_again(orchestrator, job, "1", 0)
    assert (result.succeeded, result.made) == (True, 1)
    takes = takes_of(orchestrator, job, "1", 0)
    used = orchestrator.report(job).tasks[0].chosen[0]
    assert used is not None
    assert takes[0][0].id == used.id
    assert len(takes) == 2


def test_what_a_task_is_by_its_id(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, STORY)
    assert orchestrator.get_detailed_status("nothing/1") is None
    assert orchestrator.get_detailed_status(f"{job.id}/nothing") is None
    before = orchestrator.get_detailed_status(f"{job.id}/one")
    assert before == {
        "task_id": f"{job.id}/one",
        "job_name": "story",
        "status": "New",
        "progress": 0.0,
        "message": "0 of 4 pieces",
        "start_time": None,
        "estimated_completion": None,
    }
    orchestrator.run(job)
    after = orchestrator.get_detailed_status(f"{job.id}/one")
    assert after is not None
    assert (after["status"], after["progress"], after["message"]) == ("Completed", 1.0, "4 of 4 pieces")


def test_a_file_outside_the_workspace_has_a_place_of_its_own(orchestrator: TaskOrchestrator, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "story.yaml").write_text("engine: tone\ntext: Hello there.\n")
    jobs = [orchestrator.jobs.load(tmp_path / folder / "story.yaml") for folder in ("a", "b")]
    assert jobs[0].id != jobs[1].id
    (result,) = orchestrator.run(jobs[0])
    assert result.succeeded
    assert orchestrator.report_task(jobs[1], "1").finals == ()
    assert (orchestrator.get_detailed_status(f"{jobs[0].id}/1") or {})["status"] == "Completed"
    assert orchestrator.jobs.list() == []
