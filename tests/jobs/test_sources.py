"""Inputs that earlier tasks make: what is named, in what order it is made, what is made again, and what is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
from support import DEADLINE, wait_for

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.background import JobBackground
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.events import JobEvent, JobProgressed, TakeMade
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.yaml_places import JobFileError
from tests.jobs.conftest import changed, job_of, make_again

Log = Callable[[], list[str]]
ASSETS = Path(__file__).parents[2] / "assets"

TWO = """
engine: tone
chunking: {target: 20, max: 20, min: 0}
audio: {pause: {sentence: 0.5}}
tasks:
  - name: First half
    text: One two three. Four five six.
  - name: whole
    text: And the end.
    inputs: {before: task:First half}
"""
THREE = """
engine: tone
tasks:
  - {name: a, text: one}
  - {name: b, text: two, inputs: {before: task:a}}
  - {name: c, text: three, inputs: {before: task:b}}
  - {name: d, text: four}
"""


def made(tone: Log) -> list[str]:
    """What was made, in order."""
    return [line.split(" ", 1)[1] for line in tone()]


# --- what a file may say ---


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("task:firts", "there is no task 'firts' above this one (did you mean 'first'?); use first, clip."),
        ("task:this", "a task can't take what it makes itself; name a task above it, or a file."),
        ("task:last", "the task 'last' stands below this one; put it above the tasks that take what it makes."),
        ("task:4", "the task '4' stands below this one; put it above the tasks that take what it makes."),
        ("task:clip", "the task clip makes video, and chatterbox takes audio here; name another task or a file."),
        ("task:first/subtitles", "the task first is put together as one sound, so it has no output 'subtitles'"),
        ("'task:'", "there is no task '' above this one"),
    ],
)
def test_what_cannot_be_is_told_at_its_place_before_anything_starts(value: str, says: str) -> None:
    text = f"""
engine: espeak
tasks:
  - {{name: first, text: Hello.}}
  - {{name: clip, engine: control-preview, inputs: {{video: samples/street.mp4}}}}
  - name: this
    engine: chatterbox
    text: Hello again.
    inputs:
      voice: {value}
  - {{text: Four.}}
  - {{name: last, text: Good bye.}}
"""
    with pytest.raises(JobFileError) as caught:
        parse_job(text, ASSETS / "job.yaml")
    (problem,) = caught.value.problems
    assert (problem.place.line, problem.place.column, problem.key) == (10, 14, "tasks[3].inputs.voice")
    assert problem.message.startswith(says)


def test_an_input_of_the_wrong_shape_says_how_tasks_are_named() -> None:
    with pytest.raises(JobFileError) as caught:
        parse_job("engine: espeak\ntext: a\ninputs: {before: {task: a}}\n")
    assert "such as {scene_1: task:intro}" in str(caught.value)


def test_a_mistake_in_the_named_task_is_told_once() -> None:
    text = "engine: chatterbox\ntasks: [{name: a, text: Hi., params: {rate: 5}}, {text: Ho., inputs: {voice: task:a}}]\n"
    with pytest.raises(JobFileError) as caught:
        parse_job(text)
    assert [problem.key for problem in caught.value.problems] == ["tasks[1].params.rate"]


def test_a_required_input_may_come_from_a_task_and_the_rest_is_still_checked() -> None:
    clips = """
tasks:
  - {name: wide, engine: control-preview, inputs: {video: samples/street.mp4}}
  - {name: again, engine: control-preview, inputs: {video: task:wide/control_edge, depth: task:wide}}
"""
    assert [[need.key for need in task.needs] for task in parse_job(clips, ASSETS / "job.yaml").tasks] == [[], ["wide"]]
    film = """
tasks:
  - {name: voice, engine: espeak, text: Hello.}
  - engine: explainer
    inputs: {outline: explainer/tides.yaml, scene_6: task:voice}
"""
    with pytest.raises(JobFileError) as caught:
        parse_job(film, ASSETS / "job.yaml")
    (problem,) = caught.value.problems
    assert (problem.key, problem.place.line) == ("tasks[2].inputs.scene_6", 5)
    assert problem.message == "explainer: scene_6 has a sound, but the outline has 5 scenes."
    with pytest.raises(JobFileError, match="narration is off, but scene_5 is given"):
        parse_job(film.replace("scene_6", "scene_5") + "    params: {narration: false}\n", ASSETS / "job.yaml")
    assert parse_job(film.replace("scene_6", "scene_5"), ASSETS / "job.yaml").tasks[1].needs[0].key == "voice"


def test_the_first_task_can_only_name_files() -> None:
    with pytest.raises(JobFileError, match="there is no task 'x' above this one; it is the first one, so name a file"):
        parse_job("engine: chatterbox\ntext: Hello.\ninputs: {voice: task:x}\n")


def test_a_speaker_may_have_the_voice_that_a_task_makes() -> None:
    text = """
engine: espeak
tasks:
  - {name: sample, text: Some seconds of speech.}
  - engine: chatterbox
    text: <speaker:anna> Hello. <speaker:default> And good bye.
    speakers: {anna: {inputs: {voice: task:sample}}}
"""
    task = parse_job(text).tasks[1]
    assert [need.key for need in task.needs] == ["sample"]
    assert (list(task.voices[""].sources), list(task.voices["anna"].sources)) == ([], ["voice"])


def test_a_file_of_such_a_name_can_still_be_named(tmp_path: Path) -> None:
    (tmp_path / "task:a.wav").write_bytes((ASSETS / "samples" / "voice.flac").read_bytes())
    job = parse_job("engine: chatterbox\ntext: Hello.\ninputs: {voice: './task:a.wav'}\n", tmp_path / "a.yaml")
    assert job.tasks[0].needs == ()


# --- what is made ---


def test_a_task_takes_what_another_made_of_all_its_pieces(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, TWO)
    assert orchestrator.report(job).tasks[1].message == "waits for First half"
    first, whole = orchestrator.run(job)
    assert made(tone) == ["One two three.", "Four five six.", "And the end."]
    letters = sum(map(len, made(tone)))
    assert first.pieces == 2
    assert soundfile.info(str(whole.files["audio"])).duration == pytest.approx(letters * 0.05 + 0.5, abs=0.01)
    (run,) = [run for run in orchestrator.operations.store.runs.list() if run.prompt_text == "And the end."]
    assert run.inputs == {"before": str(first.files["audio"])}
    again = orchestrator.run(job)
    assert [(result.succeeded, result.made) for result in again] == [(True, 0), (True, 0)]
    assert [result.files for result in again] == [first.files, whole.files]


def test_a_changed_task_makes_those_that_take_from_it_again(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, TWO)
    orchestrator.run(job)
    job = changed(manager, job, "Four five six", "Four, five and six")
    assert [task.label for task in orchestrator.report(job).tasks] == ["Partial 50 %", "New"]
    orchestrator.run(job)
    assert made(tone)[3:] == ["Four, five and six.", "And the end."]
    job = changed(manager, job, "sentence: 0.5", "sentence: 1.5")  # the pieces stay, the sound is another one
    orchestrator.run(job)
    assert made(tone)[5:] == ["And the end."]
    job = changed(manager, job, "And the end", "And an end")
    orchestrator.run(job)
    assert made(tone)[6:] == ["And an end."]
    assert orchestrator.report(job).label == "Completed"


def test_the_same_sound_put_together_again_makes_nothing_new(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, TWO)
    orchestrator.run(job)
    orchestrator.assemble(job, "first-half")
    assert orchestrator.report(job).label == "Completed"
    assert [result.made for result in orchestrator.run(job)] == [0, 0]


def test_tasks_wait_for_each_other_in_a_row(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, THREE)
    events: list[JobEvent] = []
    results = orchestrator.run(job, on_event=events.append)
    assert all(result.succeeded for result in results)
    assert sorted(made(tone)[:2]) == ["four", "one"], "what needs nothing shares a batch"
    assert made(tone)[2:] == ["two", "three"]
    assert results[2].seconds == pytest.approx(len("onetwothree") * 0.05, abs=0.01)
    assert [event.done for event in events if isinstance(event, TakeMade)] == [1, 2, 3, 4]
    held = [event.snapshot.left for event in events if isinstance(event, JobProgressed)]
    assert held[0] is None, "nobody knows how long it takes before anything was made"
    orchestrator.run(job, "all")
    assert len(made(tone)) == 8
    assert made(tone)[6:] == ["two", "three"]


def test_a_task_whose_need_failed_isnt_run_and_says_so(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, tmp_path: Path
) -> None:
    job = job_of(manager, THREE.replace("text: one", "text: flaky"))
    results = orchestrator.run(job)
    assert [result.label for result in results] == ["Failed", "Failed", "Failed", "Completed"]
    assert results[1].error == "not run, since a failed (the tone broke)"
    assert results[2].error == "not run, since b was not run"
    assert (results[1].missing, results[1].made) == ((), 0)
    assert made(tone) == ["four"]
    assert [task.status for task in orchestrator.report(job).tasks] == [result.status for result in results]
    (tmp_path / "mended").touch()
    assert [result.made for result in orchestrator.run(job, "failed")] == [1, 1, 1, 0]
    assert orchestrator.report(job).label == "Completed"


def test_a_task_without_its_need_is_never_tried_by_the_mode_for_failed_ones(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, THREE)
    assert [result.label for result in orchestrator.run(job, "failed")] == ["New"] * 4
    assert made(tone) == []


def test_a_need_that_is_switched_off(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, THREE.replace("name: a,", "name: a, enabled: false,"))
    results = orchestrator.run(job)
    assert [result.error for result in results] == ["waits for a, which is switched off", "waits for b", ""]
    assert made(tone) == ["four"]
    job = changed(manager, job, "enabled: false", "enabled: true")
    orchestrator.run(job)
    job = changed(manager, job, "enabled: true", "enabled: false")
    job = changed(manager, job, "two", "twenty")
    assert [result.made for result in orchestrator.run(job)] == [1, 1, 0], "what it made once is used"


def test_an_output_that_isnt_made_names_those_that_are(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    text = """
weights: {vis: 0, edge: 1, depth: 0, seg: 0}
engine: control-preview
params: {fps: 5}
tasks:
  - {name: lines, inputs: {video: clip.mp4}}
  - {name: again, inputs: {video: task:lines/control_edge}}
  - {name: never, inputs: {video: task:lines/control_depth}}
"""
    manager.upload(ASSETS / "samples" / "street.mp4", "clip.mp4")
    results = orchestrator.run(job_of(manager, text))
    assert [result.label for result in results] == ["Completed", "Completed", "Failed"]
    assert results[2].error == "not run, since lines made no 'control_depth'; it made video, control_edge"
    runs = {run.source.split("/")[1].split("#")[0]: run for run in orchestrator.operations.store.runs.list()}
    assert runs["again"].inputs["video"].endswith(f"{runs['lines'].id}/control_edge.mp4")


def test_what_was_made_and_cannot_be_used_fails_in_its_own_run(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, TWO.replace("sentence: 0.5", "sentence: 9"))
    first, whole = orchestrator.run(job)
    assert first.succeeded
    assert (whole.label, whole.missing) == (
        "Failed",
        ("piece 1: tone: story-first-half-001.wav lasts 10.4 s; give 5 s at most.",),
    )


def test_a_stopped_job_doesnt_begin_what_waited(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log, tmp_path: Path
) -> None:
    job = job_of(manager, THREE.replace("text: one", "text: gate"))
    stop = threading.Event()
    labels: list[str] = []
    thread = threading.Thread(target=lambda: labels.extend(r.label for r in orchestrator.run(job, stop=stop)))
    thread.start()
    wait_for(lambda: orchestrator.operations.store.runs.list(status=ItemStatus.RUNNING), "the first batch runs")
    stop.set()
    (tmp_path / "gate").touch()
    thread.join()
    assert labels == ["Completed", "New", "New", "Completed"]
    assert [result.made for result in orchestrator.run(job)] == [0, 1, 1, 0]


def test_a_task_that_was_asked_for_runs_with_what_it_needs_and_nothing_else(
    orchestrator: TaskOrchestrator, manager: JobManager, tone: Log
) -> None:
    job = job_of(manager, THREE.replace("name: a,", "name: a, enabled: false,"))
    results = orchestrator.run(job, tasks=["b"])
    assert [(result.title, result.made) for result in results] == [("a", 1), ("b", 1)]
    again = orchestrator.run(job, "all", tasks=["b"])
    assert [(result.title, result.made) for result in again] == [("a", 0), ("b", 1)], (
        "what it needs is only made where it is missing"
    )
    assert made(tone) == ["one", "two", "two"]
    with pytest.raises(InputError, match="has no task 'x'"):
        orchestrator.run(job, tasks=["x"])


def test_a_piece_that_waits_cant_be_made_alone(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job = job_of(manager, THREE)
    with pytest.raises(InputError, match="b waits for a; run the job first"):
        make_again(orchestrator, job, "b", 0)
    orchestrator.run(job)
    results = make_again(orchestrator, job, "a", 0)
    assert [result.made for result in results] == [1, 0, 0, 0]


def test_run_mode_goes_on_behind_a_job_whose_need_failed(orchestrator: TaskOrchestrator, manager: JobManager, tone: Log) -> None:
    job_of(manager, THREE.replace("text: one", "text: broken"))
    manager.create("after", "engine: tone\ntext: after\n")
    background = JobBackground(orchestrator)
    background.switch(True)
    assert background.join(DEADLINE)
    assert sorted(made(tone)) == ["after", "four"]
    assert "the tone broke" in background.state().message
    background.switch(True)
    assert background.join(DEADLINE)
    assert len(made(tone)) == 2
    background.close()


def test_what_a_check_tells_of_a_job_that_waits(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    job = job_of(manager, THREE)
    checked = orchestrator.check(job)
    assert [len(batch) for batch, _ in checked.batches] == [4]
    assert checked.time == "not known before the engine has made something here"
    orchestrator.run(job)
    assert orchestrator.check(job).time == "nothing is left to make"
    checked = orchestrator.check(changed(manager, job, "text: one", "text: once"))
    assert checked.plan.wanted == 3
    assert checked.time.endswith("; what waits for other tasks isn't counted in")


@pytest.mark.slow
def test_a_chain_of_hundreds_is_read_without_a_stack(orchestrator: TaskOrchestrator, manager: JobManager) -> None:
    lines = [f"  - {{name: t{number}, text: one, inputs: {{before: task:t{number - 1}}}}}" for number in range(1, 600)]
    job = job_of(manager, "engine: tone\ntasks:\n  - {name: t0, text: one}\n" + "\n".join(lines))
    assert orchestrator.plan(job, tasks=["t599"]).wanted == 600
    assert (orchestrator.get_detailed_status(f"{job.id}/t599") or {})["message"] == "waits for t598"


@pytest.mark.slow
def test_killed_between_two_tasks_it_goes_on_with_the_second(
    workspace: Workspace, tone: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent / "plugin"))
    (tmp_path / "job.yaml").write_text(TWO.replace("And the", "A gate at the"))
    command = [sys.executable, "-m", "cosmos_workflow", "run", str(tmp_path / "job.yaml"), "--workspace", str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        wait_for(lambda: list((workspace.root / "jobs").glob("*/first-half/*.json")), "the first task is put together")
        os.kill(process.pid, signal.SIGKILL)
    (tmp_path / "gate").touch()
    assert subprocess.run(command, stdout=subprocess.DEVNULL, timeout=DEADLINE, check=False).returncode == 0
    assert made(tone) == ["One two three.", "Four five six.", "A gate at the end."]
