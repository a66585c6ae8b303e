"""Job files of a workspace as their owner handles them, and the background that works them off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.jobs.background import JobBackground
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.jobs.orchestrator import TaskOrchestrator
from cosmos_workflow.jobs.speech.assembly import finals
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.jobs.takes import Choice
from cosmos_workflow.jobs.templates import TEMPLATES
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.yaml_places import JobFileError

Log = Callable[[], list[str]]
SIMPLE = "engine: tone   # hums\ntasks:\n  - text: {}\n"


@pytest.fixture
def background(orchestrator: TaskOrchestrator) -> Iterator[JobBackground]:
    """The background of a program that ends with the test."""
    made = JobBackground(orchestrator)
    yield made
    made.close()


# --- files ---


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_job_from_a_template_is_right_and_needs_nothing_else(manager: JobManager, template: str) -> None:
    stored = manager.create("My night", template=template)
    assert stored.job is not None
    assert (stored.id, stored.name) == ("my-night", "My night")
    assert [entry.stored.id for entry in manager.list()] == ["my-night"]


def test_two_jobs_of_one_name_are_two_jobs(manager: JobManager) -> None:
    ids = [manager.create("Night", SIMPLE.format("a")).id for _ in range(3)]
    assert ids == ["night", "night-2", "night-3"]


def test_nothing_wrong_is_saved(manager: JobManager) -> None:
    with pytest.raises(JobFileError, match="did you mean 'tone'"):
        manager.create("Night", "engine: tune\ntext: a\n")
    assert manager.list() == []
    stored = manager.create("Night", SIMPLE.format("a"))
    with pytest.raises(JobFileError) as caught:
        manager.update(stored.id, "engine: tone\ntext: [a]\n")
    assert caught.value.problems[0].place.line == 2
    assert manager.jobs.source(stored.id) == "engine: tone   # hums\njob: Night\ntasks:\n  - text: a\n"


def test_an_edit_of_a_file_that_changed_meanwhile_is_refused(manager: JobManager) -> None:
    stored = manager.create("Night", SIMPLE.format("a"))
    base = manager.jobs.source(stored.id)
    manager.update(stored.id, base.replace("text: a", "text: b"), base)
    with pytest.raises(InputError, match="changed meanwhile"):
        manager.update(stored.id, base.replace("text: a", "text: c"), base)
    assert "text: b" in manager.jobs.source(stored.id)


def test_switching_a_job_and_a_task_off_keeps_the_comments(manager: JobManager) -> None:
    stored = manager.create("Night", "engine: tone   # hums\ntasks:\n  - text: a  # first\n  - text: b\n")
    before = manager.jobs.source(stored.id)
    off = manager.enable(stored.id, False)
    assert not off.enabled
    task_off = manager.enable(stored.id, False, task="2")
    assert task_off.job is not None
    assert [task.enabled for task in task_off.job.tasks] == [True, False]
    assert "# hums" in manager.jobs.source(stored.id)
    assert "# first" in manager.jobs.source(stored.id)
    manager.enable(stored.id, True)
    manager.enable(stored.id, True, task="2")
    assert manager.jobs.source(stored.id) == before


def test_jobs_have_an_order(manager: JobManager) -> None:
    for name in ("one", "two", "three"):
        manager.create(name, SIMPLE.format("a"))
    manager.order(["three", "one"])
    assert manager.jobs.ids() == ["three", "one", "two"]
    manager.move("two", -5)
    manager.move("three", 1)
    assert manager.jobs.ids() == ["two", "one", "three"]
    manager.create("four", SIMPLE.format("a"))
    assert manager.jobs.ids() == ["two", "one", "three", "four"]


def test_a_copy_has_what_the_first_one_has_made(manager: JobManager, orchestrator: TaskOrchestrator) -> None:
    stored = manager.create("Night", SIMPLE.format("a"))
    assert stored.job is not None
    orchestrator.run(stored.job)
    copy = manager.duplicate(stored.id)
    assert (copy.id, copy.name) == ("night-copy", "Night copy")
    assert [entry.report.label for entry in manager.list() if entry.report] == ["Completed", "Partial 99 %"]


def test_a_deleted_job_takes_its_finals_with_it(manager: JobManager, orchestrator: TaskOrchestrator) -> None:
    stored = manager.create("Night", SIMPLE.format("a"))
    assert stored.job is not None
    (result,) = orchestrator.run(stored.job)
    manager.delete(stored.id)
    assert manager.list() == []
    assert not result.files["audio"].exists()
    assert orchestrator.operations.store.runs.count() == 1
    with pytest.raises(InputError, match="may have been deleted"):
        manager.jobs.source(stored.id)


def test_files_that_somebody_put_there_by_hand(manager: JobManager, workspace: Workspace) -> None:
    (workspace.jobs / "My Book.yaml").write_text(SIMPLE.format("a"))
    (workspace.jobs / "wrong.yml").write_text("engine: tone\n")
    (workspace.jobs / "notes.txt").write_text("nothing")
    entries = manager.list()
    assert len({entry.stored.id for entry in entries}) == 2
    right, wrong = entries
    assert right.report is not None
    assert wrong.report is None
    assert "there is no text" in wrong.stored.problem
    assert manager.jobs.load(workspace.jobs / "My Book.yaml").id == right.stored.id


def test_what_is_wrong_is_told_with_paths_of_the_workspace(manager: JobManager, workspace: Workspace) -> None:
    (workspace.jobs / "My Book.yaml").write_text("engine: tone\ntext_file: none.txt\n")
    (workspace.jobs / "song.yaml").write_text("engine: tone\ntext_file: song.txt\nspeakers: {anna: {}}\n")
    (workspace.jobs / "song.txt").write_text("One.\n\n<speaker:nobody> Two.\n")
    (workspace.jobs / "wide.yaml").write_text("engine: tone\ntext_file: wide.txt\n")
    (workspace.jobs / "wide.txt").write_bytes(b"\xff\xfe")
    problems = [entry.stored.problem for entry in manager.list()]
    assert problems[0] == "jobs/My Book.yaml:2:12: text_file: there is no file 'none.txt' in jobs; check the name."
    assert problems[1].startswith("jobs/song.txt:3:1: the speaker 'nobody' isn't defined")
    assert problems[2].startswith("jobs/wide.yaml:2:12: text_file: jobs/wide.txt:1: the text file isn't UTF-8")
    assert not any(str(workspace.root) in problem for problem in problems)


def test_an_edited_text_file_is_seen(manager: JobManager, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "song.txt").write_text("One.")
    manager.upload(tmp_path / "song.txt")
    stored = manager.create("Song", "engine: tone\ntext_file: song.txt\n")
    (workspace.jobs / "song.txt").write_text("One.\n\nTwo.")
    job = manager.jobs.get(stored.id).job
    assert job is not None
    assert [chunk.text for chunk in job.tasks[0].chunks] == ["One.", "Two."]


def test_an_uploaded_job_is_checked(manager: JobManager, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_text(SIMPLE.format("a"))
    stored = manager.upload(path, "Night Song.yaml")
    assert stored is not None
    assert stored.id == "night-song"
    path.write_text("engine: nothing\n")
    with pytest.raises(JobFileError):
        manager.upload(path, "other.yaml")
    assert len(manager.list()) == 1


@pytest.mark.parametrize("name", [".order.json", "_x.txt", "..", "a:b.txt"])
def test_an_upload_stays_in_its_folder(manager: JobManager, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_text("text")
    with pytest.raises(InputError):
        manager.upload(tmp_path / "x", name)


def test_an_upload_never_replaces_another_file(manager: JobManager, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    manager.upload(tmp_path / "a.txt")
    manager.upload(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("two")
    with pytest.raises(InputError, match="another file"):
        manager.upload(tmp_path / "a.txt", "../../a.txt")
    assert (workspace.jobs / "a.txt").read_text() == "one"


def test_owners_never_see_each_others_jobs(manager: JobManager, workspace: Workspace) -> None:
    manager.create("Night", SIMPLE.format("a"))
    others = [JobStore(workspace, owner) for owner in ("anna", "Anna", "../x")]
    assert [other.list() for other in others] == [[], [], []]
    assert len({other.folder for other in others}) == 3
    assert all(other.folder.parent == workspace.jobs for other in others)


def test_ids_that_lead_elsewhere_are_refused(manager: JobManager) -> None:
    for job_id in ("../x", "", ".", "a/b", "A"):
        assert manager.jobs.find(job_id) is None
        with pytest.raises(InputError):
            manager.jobs.job_folder(job_id)
        with pytest.raises(InputError):
            manager.jobs.task_folder(f"job/{job_id}")


def test_damaged_choices_are_told(manager: JobManager) -> None:
    manager.jobs.set_choice("night/1", "abc", Choice(1, "rs_x"))
    assert manager.jobs.choices("night/1") == {"abc": Choice(1, "rs_x")}
    (manager.jobs.task_folder("night/1") / "choices.json").write_text("{")
    with pytest.raises(UnavailableError, match="can't be read"):
        manager.jobs.choices("night/1")


# --- the background ---


def test_run_mode_takes_the_enabled_jobs_in_order_and_switches_itself_off(
    manager: JobManager, background: JobBackground, tone: Log
) -> None:
    for name in ("one", "two", "three"):
        manager.create(name, SIMPLE.format(f"{name} and broken" if name == "two" else name))
    manager.enable("one", False)
    manager.order(["three", "two", "one"])
    background.switch(True)
    assert background.join(DEADLINE)
    assert tone() == ["7 three"]
    state = background.state()
    assert (state.on, state.running) == (False, "")
    assert "the tone broke" in state.message
    assert [entry.report.label for entry in manager.list() if entry.report] == ["Completed", "Failed", "New"]
    background.switch(True)
    assert background.join(DEADLINE)
    assert tone() == ["7 three"]


def test_a_job_that_was_asked_for_comes_first(manager: JobManager, background: JobBackground, tone: Log, tmp_path: Path) -> None:
    for name in ("gate", "two", "three"):
        manager.create(name, SIMPLE.format(name))
    background.switch(True)
    wait_for(lambda: background.state().running == "gate", "the first job runs")
    background.run_now("three")
    assert background.state().waiting == ("three",)
    (tmp_path / "gate").touch()
    assert background.join(DEADLINE)
    assert tone() == ["7 gate", "7 three", "7 two"]


def test_a_task_that_was_asked_for_runs_alone(manager: JobManager, background: JobBackground, tone: Log, tmp_path: Path) -> None:
    manager.create("first", SIMPLE.format("gate"))
    manager.create("night", "engine: tone\ntasks: [{text: a}, {text: b}, {text: c, enabled: false}, {text: d}]\n")
    background.run_now("first")
    wait_for(lambda: background.state().running == "first", "the first job runs")
    background.run_now("night", tasks=["2"])
    background.run_now("night", tasks=["3", "2"])
    assert background.state().waiting == ("night",)
    with pytest.raises(InputError, match="has no task '9'"):
        background.run_now("night", tasks=["9"])
    (tmp_path / "gate").touch()
    assert background.join(DEADLINE)
    assert tone() == ["7 gate", "7 b.", "7 c."]
    background.run_now("night")
    assert background.join(DEADLINE)
    assert sorted(tone()[3:]) == ["7 a.", "7 d."]


def test_switching_off_stops_after_the_batch(
    manager: JobManager, background: JobBackground, orchestrator: TaskOrchestrator, tone: Log, tmp_path: Path
) -> None:
    manager.create("gates", "engine: tone\ntasks:\n" + "".join(f"  - text: gate {number}\n" for number in range(9)))
    background.switch(True)
    store = orchestrator.operations.store
    wait_for(lambda: store.runs.list(status=ItemStatus.RUNNING), "a batch runs")
    background.switch(False)
    (tmp_path / "gate").touch()
    assert background.join(DEADLINE)
    assert len(tone()) == 4
    assert not background.state().on


def test_what_is_made_again_is_counted_and_a_final_of_a_run_that_was_stopped_says_that_it_is_mixed(
    manager: JobManager, tone: Log, tmp_path: Path
) -> None:
    text = "".join(f"      gate {number}\n\n" for number in range(9))
    manager.create("gates", f"engine: tone\ntasks:\n  - name: all\n    text: |\n{text}")
    (tmp_path / "gate").touch()
    manager.background.run_now("gates")
    assert manager.background.join(DEADLINE)
    (tmp_path / "gate").unlink()
    manager.background.run_now("gates", "all")
    wait_for(lambda: (shot := manager.background.state().snapshot) and shot.queue.running, "a batch runs")
    manager.look_again()
    task = manager.snapshot().task("gates/all")
    assert task is not None
    assert (task.label, task.message) == ("Running 0 %", "0 of 9 made again")
    manager.stop("gates")
    (tmp_path / "gate").touch()
    assert manager.background.join(DEADLINE)
    assert len(tone()) == 13
    note = finals(manager.jobs.task_folder("gates/all"))[-1].note
    assert note == "Mixed: 4 of 9 takes were made again, the others are from before."


def test_a_stopped_job_isnt_begun_again_by_run_mode(
    manager: JobManager, background: JobBackground, tone: Log, tmp_path: Path
) -> None:
    manager.create("a", "engine: tone\ntasks:\n" + "".join(f"  - text: gate {number}\n" for number in range(9)))
    manager.create("b", SIMPLE.format("after"))
    background.switch(True)
    wait_for(lambda: (shot := background.state().snapshot) and shot.queue.running, "a batch of the first job runs")
    background.stop("a")
    (tmp_path / "gate").touch()
    assert background.join(DEADLINE)
    assert tone()[-1] == "7 after"
    assert len(tone()) == 5


@pytest.mark.parametrize(("startup", "goes_on"), [("resume", True), ("ask", False), ("stay_paused", False)])
def test_run_mode_survives_a_restart_as_the_setting_says(
    workspace: Workspace, tone: Log, tmp_path: Path, startup: str, goes_on: bool
) -> None:
    workspace = Workspace(workspace.root, Settings.model_validate({"startup": startup}))
    with Operations(workspace) as operations:
        first = TaskOrchestrator(operations, JobStore(workspace))
        JobManager(first).create("gates", SIMPLE.format("gate"))
        before = JobBackground(first)
        before.switch(True)
        wait_for(lambda: before.state().running, "the job runs")
        shutil.copytree(workspace.jobs, tmp_path / "crashed")
        (tmp_path / "gate").touch()
        assert before.join(DEADLINE)
    # What a program that was killed in the middle leaves behind.
    shutil.copy(tmp_path / "crashed" / ".run-mode.json", workspace.jobs)
    with Operations(workspace) as operations:
        after = JobBackground(TaskOrchestrator(operations, JobStore(workspace)))
        after.restore()
        assert after.state().asks is not goes_on
        assert after.join(DEADLINE)
        assert not after.state().on
        after.close()


def test_a_wrong_job_doesnt_stop_the_others(
    manager: JobManager, background: JobBackground, workspace: Workspace, tone: Log
) -> None:
    (workspace.jobs / "a.yaml").write_text("engine: nothing\n")
    manager.create("b", SIMPLE.format("hello"))
    background.switch(True)
    assert background.join(DEADLINE)
    assert tone() == ["7 hello"]


def test_a_deleted_job_is_refused_while_it_runs(manager: JobManager, background: JobBackground, tmp_path: Path) -> None:
    manager.create("gates", SIMPLE.format("gate"))
    background.run_now("gates")
    wait_for(lambda: background.state().snapshot, "the job runs")
    with pytest.raises(UnavailableError, match="is running"):
        manager.delete("gates")
    (tmp_path / "gate").touch()
    assert background.join(DEADLINE)
    manager.delete("gates")
