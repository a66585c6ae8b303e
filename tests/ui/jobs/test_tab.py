"""The Jobs tab without a browser: its handlers, its pictures, and the files it serves."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from support import DEADLINE, digest, wait_for

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.ui import markup, routes
from cosmos_workflow.ui.access.guard import Guard
from cosmos_workflow.ui.jobs import editor as job_editor
from cosmos_workflow.ui.jobs import markup as jobs_markup
from cosmos_workflow.ui.jobs import view as jobs_view
from cosmos_workflow.ui.jobs.editor import CHANGED, GONE, JobEditor
from cosmos_workflow.ui.jobs.files import JobFiles
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.jobs.part import JobsTabState
from cosmos_workflow.ui.jobs.tab import JobsTab, RunMode
from cosmos_workflow.ui.jobs.table import JobTable
from cosmos_workflow.ui.jobs.task import JobTask
from cosmos_workflow.ui.page import Page
from cosmos_workflow.ui.page_view import PAGE_SIZE, PageState
from cosmos_workflow.ui.server import make_app

NOBODY = cast("gr.Request", SimpleNamespace(username=None))
TEXT = "# mine\nengine: espeak\ntasks:\n  - text: One.  # first\n  - text: Two.\n"
SPOKEN = "engine: espeak\ntasks:\n  - name: both\n    text: |\n      One.\n\n      Two.\n"


def clicked(row_id: str, value: str = "") -> gr.EventData:
    return cast("gr.EventData", SimpleNamespace(_data={"id": row_id, "value": value}))


class Tab:
    """The parts of the tab on a page of their own, with one visit."""

    def __init__(self, sessions: Sessions, session: Session, managers: JobManagers) -> None:
        self.page = Page(sessions)
        self.state = PageState()
        self.managers = managers
        self.queue = session.queue
        self.files = JobFiles(self.page, managers)
        self.table = JobTable(self.page, managers)
        self.editor = JobEditor(self.page, managers)
        self.task = JobTask(self.page, managers)
        self.files.wire(self.editor, self.table.selection)
        self.table.wire(self.editor)

    @property
    def manager(self) -> JobManager:
        return self.managers.of("local")

    @property
    def looked_at(self) -> JobsTabState:
        return self.state.of(JobsTabState)

    def open(self, job_id: str) -> str:
        """Open a job; the text that the editor shows then."""
        return self.editor.shown(self.manager, self.state, job_id)[2]

    def type(self, job_id: str, text: str) -> dict[str, Any]:
        """Write a text; what the page says of it."""
        heading, problems, save, discard, plan = self.editor.type(job_id, text, self.state, NOBODY)
        shown = {"heading": heading, "problems": problems["rows"], "plan": plan}
        return {**shown, "save": save.interactive, "discard": discard.interactive}

    def live(self, component: Any) -> Any:
        """What a component that follows shows now."""
        part = next(part for part in self.page.live if part.component is component)
        self.manager.look_again()
        now = self.page.view(self.queue, self.state)
        part.key(now)
        return part.render(now)

    def rows(self) -> dict[str, str]:
        return {row["id"]: row["html"] for row in self.live(self.table.table)["rows"]}

    def states(self) -> dict[str, str]:
        return self.live(self.table.states)["rows"]


@pytest.fixture
def managers(operations: Operations) -> Iterator[JobManagers]:
    """The managers of a server that just started."""
    made = JobManagers(operations)
    yield made
    made.close()


@pytest.fixture
def tab(sessions: Sessions, session: Session, managers: JobManagers) -> Iterator[Tab]:
    """The tab on a page."""
    with gr.Blocks(analytics_enabled=False):
        yield Tab(sessions, session, managers)


# --- the table ---


def test_a_job_from_a_template_opens_and_stands_in_the_table_with_its_tasks(tab: Tab) -> None:
    *_, opened, text, _heading, _problems, _save, _discard = tab.files.create("Short texts", "", "", "", tab.state, NOBODY)
    assert (opened, "Good morning." in text) == ("short-texts", True)
    assert list(tab.rows()) == ["short-texts", "short-texts/1", "short-texts/2"]
    assert all("New" in state for state in tab.states().values())
    assert 'aria-current="true"' in tab.rows()["short-texts"]


def test_a_snapshot_keeps_its_number_while_nothing_changes(tab: Tab) -> None:
    tab.manager.create("Night", TEXT)
    first = tab.manager.snapshot()
    tab.manager.look_again()
    assert tab.manager.snapshot() is first
    tab.manager.enable("night", False)
    assert tab.manager.snapshot().number > first.number


def test_what_a_person_wrote_is_never_html(tab: Tab) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    tab.manager.create(nasty, f'engine: espeak\ntasks:\n  - name: "{nasty}"\n    text: "{nasty}"\n')
    (job_id,) = tab.manager.jobs.ids()
    tab.open(job_id)
    tab.looked_at.task_id = f"{job_id}/{tab.manager.jobs.job(job_id).tasks[0].key}"
    heading = tab.editor.type(job_id, tab.manager.jobs.source(job_id), tab.state, NOBODY)[0]
    cards = "".join(row["html"] for row in tab.live(tab.task.pieces)["rows"])
    for html in (*tab.rows().values(), heading, tab.live(tab.task.heading), cards):
        assert "<img" not in html
    assert "&lt;img" in cards


def test_a_wrong_file_and_damaged_choices_stay_their_own_jobs_trouble(tab: Tab, workspace: Workspace) -> None:
    (workspace.jobs / "a.yaml").write_text("engine: nothing\n")
    tab.manager.create("b", TEXT)
    tab.manager.create("c", TEXT)
    folder = tab.manager.jobs.task_folder("b/1")
    folder.mkdir(parents=True)
    (folder / "choices.json").write_text("{")
    rows, states = tab.rows(), tab.states()
    assert "1:9: engine" in rows["a"]
    assert "isn&#x27;t installed" in rows["a"]
    assert "can&#x27;t be read" in rows["b"]
    assert ["wrong" in states[job_id] for job_id in ("a", "b", "c")] == [True, True, False]


def test_many_rows_are_shown_a_page_at_a_time(tab: Tab) -> None:
    tab.manager.create("Many", "engine: espeak\ntasks:\n" + "".join(f"  - text: Number {n}.\n" for n in range(250)))
    assert len(tab.rows()) == PAGE_SIZE
    for _ in range(251 // PAGE_SIZE):
        tab.table.pager.turn(tab.state, 1)
    assert list(tab.rows())[-1] == "many/250"
    assert len(tab.rows()) == 251 % PAGE_SIZE


def test_jobs_are_ordered_copied_and_deleted(tab: Tab) -> None:
    for name in ("one", "two", "three"):
        tab.manager.create(name, TEXT)
    tab.table.move(["three"], "", -1, NOBODY)
    tab.table.move(["one/1"], "", 1, NOBODY)
    assert tab.manager.jobs.ids() == ["three", "one", "two"]
    tab.files.duplicate([], "one", tab.open("one"), tab.state, NOBODY)
    assert tab.manager.jobs.ids() == ["three", "one", "two", "one-copy"]
    tab.type("one", TEXT.replace("Two", "Three"))
    *_, doomed = tab.files.ask_delete(["one", "two", "three/1"], "", NOBODY)
    assert doomed == ("one", "two")
    assert "Delete one, two, with the finals?" in str(tab.files.ask_delete(["one", "two"], "", NOBODY)[1])
    tab.files.confirm_delete(doomed, "two", "", tab.state, NOBODY)
    assert tab.manager.jobs.ids() == ["three", "one-copy"]
    assert list(tab.manager.snapshot().drafts) == []
    with pytest.raises(InputError, match="tick one in the table"):
        tab.files.ask_delete([], "", NOBODY)


def test_switching_off_changes_file_and_unsaved_text_and_keeps_comments(tab: Tab) -> None:
    tab.manager.create("Night", TEXT)
    text = tab.open("night")
    tab.table.switch(["night/2"], False, "night", text.replace("One.", "Uno."), tab.state, NOBODY)
    saved, draft = tab.manager.jobs.source("night"), tab.manager.jobs.draft("night")
    assert draft is not None
    assert "# first" in saved
    assert saved.count("enabled: false") == draft.text.count("enabled: false") == 1
    assert ("Uno." in draft.text, "Uno." in saved) == (True, False)
    assert tab.live(tab.editor.note) == ""
    assert "off" in tab.rows()["night/2"]
    tab.table.switch(["night/2"], True, "night", draft.text, tab.state, NOBODY)
    assert "enabled" not in tab.manager.jobs.source("night")


# --- the editor ---


def test_unsaved_changes_survive_another_job_a_reload_and_a_restart(tab: Tab, operations: Operations) -> None:
    for name in ("Night", "Day"):
        tab.manager.create(name, TEXT)
    mine = tab.open("night").replace("One.", "Uno.")
    with gr.Tab("Jobs") as here:
        jobs = JobsTab(tab.page, tab.managers, here, [])
    # The last letters come with the click on another job.
    jobs.open_row("night", mine, tab.state, clicked("day"), NOBODY)
    assert "unsaved changes" in tab.rows()["night"]
    assert "unsaved changes" not in tab.rows()["day"]
    assert tab.open("night") == mine
    later = JobManagers(operations).of("local")
    assert tab.editor.shown(later, PageState(), "night")[2] == mine
    assert "Uno" not in tab.manager.jobs.source("night")
    assert tab.editor.reload("night", tab.state, NOBODY)[2] == tab.manager.jobs.source("night")
    assert list(tab.manager.snapshot().drafts) == []


def test_a_wrong_text_is_told_by_line_and_never_saved(tab: Tab) -> None:
    tab.manager.create("Night", TEXT)
    before = tab.manager.jobs.source("night")
    text = tab.open("night")
    wrong = text.replace("text: Two.", "text: Two.\n    pramas: {}\n    rate: 1")
    said = tab.type("night", wrong)
    assert [(row["line"], row["column"], row["key"]) for row in said["problems"]] == [
        (7, 5, "tasks[2].pramas"),
        (8, 5, "tasks[2].rate"),
    ]
    assert "did you mean 'params'" in str(said["problems"][0]["message"])
    assert (said["save"], said["discard"], said["plan"]) == (False, True, "")
    with pytest.raises(InputError):
        tab.editor.store("night", wrong, tab.state, NOBODY)
    assert tab.manager.jobs.source("night") == before
    right = text.replace("Two.", "Two and three.")
    said = tab.type("night", right)
    assert (said["save"], said["problems"]) == (True, [])
    assert "2 to make in 1 batch" in said["plan"]
    tab.editor.store("night", right, tab.state, NOBODY)
    assert tab.manager.jobs.source("night") == right
    assert "# first" in right
    assert tab.type("night", right)["save"] is False


@pytest.mark.slow
def test_an_answer_to_a_keystroke_never_overtakes_the_answer_to_save(
    sessions: Sessions, managers: JobManagers, monkeypatch: pytest.MonkeyPatch
) -> None:
    managers.of("local").create("Night", TEXT)
    text = TEXT.replace("Two.", "Three.")
    typed, overtaken = threading.Event(), threading.Event()
    plan, store = job_editor.plan_of, JobEditor.store

    def plan_late(manager: JobManager, job_id: str, text: str) -> str:
        if "Three" in text:
            typed.set()
            overtaken.wait(1)
        return plan(manager, job_id, text)

    @functools.wraps(store)
    def save(*arguments: Any) -> list[Any]:
        try:
            return store(*arguments)
        finally:
            overtaken.set()

    monkeypatch.setattr(job_editor, "plan_of", plan_late)
    monkeypatch.setattr(JobEditor, "store", save)
    app = make_app(sessions, {}, managers=managers)
    numbers = {function.name: number for number, function in app.state.pages.blocks.fns.items()}
    with TestClient(app, base_url="http://127.0.0.1") as client:

        def send(name: str, *values: object) -> str:
            body = {"data": [*values, None], "fn_index": numbers[name], "session_hash": "a page"}
            return client.post("/gradio_api/queue/join", json=body).raise_for_status().json()["event_id"]

        def answers() -> list[tuple[str, Any]]:
            """What came for the page since it asked last: the event's id, and its values."""
            lines = client.get("/gradio_api/queue/data", params={"session_hash": "a page"}).text.splitlines()
            messages = [json.loads(line.removeprefix("data: ")) for line in lines if line]
            return [(m["event_id"], m["output"]["data"]) for m in messages if m["msg"] == "process_completed"]

        send("reopen", "night")
        assert answers()[0][1][1] == "night"
        keystroke = send("type", "night", text)
        assert typed.wait(DEADLINE)
        click = send("store", "night", text)
        (first, _), (second, shown) = answers()
    assert (first, second) == (keystroke, click)
    assert shown[2]["interactive"] is False, "there is nothing to save"
    assert "Three" in managers.of("local").jobs.source("night")


def test_a_problem_in_a_file_that_the_job_names_is_told_with_its_name(tab: Tab, workspace: Workspace) -> None:
    (workspace.jobs / "song.txt").write_text("One.\n\n<speaker:nobody> Two.\n")
    tab.manager.create("Song", TEXT)
    tab.open("song")
    (problem,) = tab.type("song", "engine: espeak\ntext_file: song.txt\nspeakers: {anna: {}}\n")["problems"]
    assert (problem["line"], problem["where"]) == (0, "song.txt, line 3, column 1")


def test_a_file_that_was_changed_meanwhile_is_told_and_not_overwritten(tab: Tab) -> None:
    tab.manager.create("Night", TEXT)
    mine = tab.open("night").replace("One.", "Uno.")
    tab.type("night", mine)
    theirs = tab.manager.jobs.source("night").replace("Two.", "Due.")
    tab.manager.update("night", theirs)
    assert CHANGED in tab.live(tab.editor.note)
    with pytest.raises(InputError, match="changed meanwhile"):
        tab.editor.store("night", mine, tab.state, NOBODY)
    assert tab.manager.jobs.source("night") == theirs
    tab.editor.store_over("night", mine, tab.state, NOBODY)
    assert tab.manager.jobs.source("night") == mine
    assert tab.live(tab.editor.note) == ""
    tab.manager.delete("night")
    assert GONE.split(".")[0] in tab.live(tab.editor.note)


def test_text_of_one_job_is_never_kept_as_anothers(tab: Tab) -> None:
    tab.manager.create("Night", TEXT)
    tab.type("night", "engine: espeak\ntext: never sent to this page\n")
    assert list(tab.manager.snapshot().drafts) == []


# --- running ---


def test_a_job_is_run_heard_made_again_chosen_and_put_together(tab: Tab, toasts: list[str]) -> None:
    tab.manager.create("Night", SPOKEN)
    tab.table.run_now(["night"], "", "resume", NOBODY)
    assert tab.manager.background.join(DEADLINE)
    assert "Completed" in tab.states()["night"]
    tab.looked_at.task_id = "night/both"
    cards = tab.live(tab.task.pieces)["rows"]
    assert [row["html"].count("<audio") for row in cards] == [1, 1]
    assert "score 1.00" in cards[0]["html"]
    assert len(tab.live(tab.task.finals)["rows"]) == 1

    tab.task.make_again(tab.state, clicked("1"), NOBODY)
    assert tab.manager.background.join(DEADLINE)
    first, second = tab.live(tab.task.pieces)["rows"]
    assert (first["html"], second["html"].count("<audio")) == (cards[0]["html"], 2)
    runs = tab.manager.takes(tab.manager.orchestrator.report_task(tab.manager.jobs.job("night"), "both"), [1])[0].runs
    older = runs[-1][0].id
    assert f'data-value="{older}"' in second["html"]
    tab.task.use(tab.state, clicked("1", older), NOBODY)
    assert toasts[-1] == "Chosen, and put together again."
    shown = tab.live(tab.task.pieces)["rows"][1]["html"]
    assert 'data-action="auto"' in shown
    assert f'data-value="{older}"' not in shown
    newest, folded = tab.live(tab.task.finals)["rows"]
    assert "Final 3" in newest["html"]
    assert (
        folded["html"].index("2 earlier finals")
        < folded["html"].index("Earlier final 2")
        < folded["html"].index("Earlier final 1")
    )
    tab.task.use(tab.state, clicked("1"), NOBODY)
    assert 'data-action="auto"' not in tab.live(tab.task.pieces)["rows"][1]["html"]
    tab.table.assemble(["night"], "", NOBODY)
    assert toasts[-1] == "Put 1 task together again; the earlier finals stay."


CHAIN = """
tasks:
  - {name: intro, engine: espeak, text: Hello <there>.}
  - name: film
    engine: explainer
    params: {plan_only: true}
    inputs: {scene_1: task:intro, outline: outline.json}
"""


def test_run_now_takes_the_selected_tasks_alone(tab: Tab, toasts: list[str]) -> None:
    tab.manager.create("Night", TEXT)
    tab.table.run_now(["night/2"], "", "resume", NOBODY)
    assert toasts[-1] == "Running 2. Two."
    assert tab.manager.background.join(DEADLINE)
    states = tab.states()
    assert [word in states[row] for row, word in (("night/1", "New"), ("night/2", "Completed"))] == [True, True]
    tab.table.run_now(["night", "night/2"], "", "resume", NOBODY)
    assert tab.manager.background.join(DEADLINE)
    assert "Completed" in tab.states()["night"]


def test_an_input_from_another_task_is_told_in_words(tab: Tab, workspace: Workspace) -> None:
    (workspace.jobs / "outline.json").write_text('{"title": "T", "scenes": [{"title": "S", "narration": "N"}]}')
    tab.manager.create("Night", CHAIN)
    assert "Explainer · takes from intro" in tab.rows()["night/film"]
    assert "waits for intro" in tab.states()["night/film"]
    tab.looked_at.task_id = "night/film"
    heading = tab.live(tab.task.heading)
    assert "Inputs: outline: outline.json, scene_1: from the task intro." in heading
    assert "2 to make in 2 batches" in jobs_markup.plan(tab.manager.check("night", tab.manager.jobs.source("night")))


def test_stop_and_put_together_say_why_they_cannot(tab: Tab) -> None:
    tab.manager.create("Night", SPOKEN)
    with pytest.raises(InputError, match="Night doesn't run"):
        tab.table.stop(["night"], "", NOBODY)
    with pytest.raises(InputError, match="run the job first"):
        tab.table.assemble([], "night", NOBODY)
    with pytest.raises(InputError, match="open its task again"):
        tab.task.make_again(tab.state, clicked("0"), NOBODY)


def test_run_mode_works_everything_off_and_says_so(tab: Tab) -> None:
    switch = RunMode(tab.page, tab.managers)
    tab.manager.create("Night", TEXT)
    switch.switch(True, tab.state, NOBODY)
    wait_for(lambda: tab.manager.background.join(0) or tab.manager.background.state().running == "night", "it begins")
    assert tab.manager.background.join(DEADLINE)
    assert tab.live(switch.checkbox).value is False
    assert "Completed" in tab.states()["night"]
    word, sentence = jobs_view.run_mode_text(tab.manager.snapshot())
    assert (word, sentence) == ("Run mode is off.", "Everything is done; run mode switched itself off.")


def test_run_mode_that_was_on_asks(tab: Tab, workspace: Workspace, operations: Operations) -> None:
    tab.manager.create("Night", TEXT)
    (workspace.jobs / ".run-mode.json").write_text('{"on": true}')
    later = JobManagers(operations)
    later.of("local").background.restore()
    assert "Go on where it stopped?" in jobs_markup.run_mode(later.of("local").snapshot())
    assert not later.of("local").background.state().running
    later.close()


def test_the_page_is_kept_up_to_date_while_somebody_looks_or_something_runs(
    sessions: Sessions, managers: JobManagers, workspace: Workspace
) -> None:
    with gr.Blocks(analytics_enabled=False):
        page = Page(sessions)
        with gr.Tab("Jobs") as here:
            tab = JobsTab(page, managers, here, [])
    now = page.view(sessions.open().queue)
    assert tab.refresh_interval(now) is None
    tab.enter(now.state)
    assert tab.refresh_interval(now) == Settings().live_interval == 5
    manager = managers.of("local")
    manager.create("Night", TEXT)
    manager.background.run_now("night")
    wait_for(lambda: manager.background.join(0) or tab.refresh_interval(now) == 1, "it is looked at every second")
    assert manager.background.join(DEADLINE)


# --- whose is what ---


@pytest.fixture
def visitor(managers: JobManagers) -> Callable[..., TestClient]:
    """A browser of a server with two users, or with none."""

    def make(user: str = "") -> TestClient:
        app = FastAPI()
        routes.serve_jobs(app, managers)
        users = {"ann": "one", "bob": "two"}
        app.add_middleware(Guard, users=users if user else {}, host="127.0.0.1")
        client = TestClient(app, base_url="http://127.0.0.1:7860")
        if user:
            client.auth = (user, users[user])
        return client

    return make


def test_finals_are_served_in_parts_and_to_their_owner_alone(managers: JobManagers, visitor: Callable[..., TestClient]) -> None:
    manager = managers.of("ann")
    manager.create("Night", SPOKEN)
    manager.background.run_now("night")
    assert manager.background.join(DEADLINE)
    task = manager.snapshot().task("night/both")
    assert task is not None
    assert task.final is not None
    sound, words = (f"/{markup.final_url('night/both', task.final, kind)}" for kind in ("sound", "subtitles"))
    ann, bob = visitor("ann"), visitor("bob")
    whole = ann.get(sound)
    assert (whole.status_code, digest(whole.content)) == (200, digest(task.final.path))
    assert ann.get(sound, headers={"range": "bytes=0-3"}).content == b"RIFF"
    assert "-->" in ann.get(words).text
    assert "filename" in ann.get(f"{sound}&download=1").headers["content-disposition"]
    assert ann.get("/job-files/night").text == manager.jobs.source("night")
    for path in (sound, words, "/job-files/night"):
        assert bob.get(path).status_code == 404
    assert managers.of("bob").snapshot().entries == ()


@pytest.mark.parametrize("path", ["x", "..", "%2e%2e%2fx", "night/both/9/sound", "night/..%2f/1/sound", "_ann"])
def test_nothing_else_is_served(managers: JobManagers, visitor: Callable[..., TestClient], path: str) -> None:
    managers.of("local").create("Night", SPOKEN)
    assert visitor().get(f"/job-files/{path}").status_code == 404
