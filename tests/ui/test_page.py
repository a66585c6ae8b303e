"""The page's handlers, called as what they are: functions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import gradio as gr
import numpy as np
import pytest
import soundfile
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.runner import RunnerState
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.ui import app, live
from cosmos_workflow.ui.ask import Ask
from cosmos_workflow.ui.live import TIMER, Refresher
from cosmos_workflow.ui.page import Page, Visit, guard, owner_of
from cosmos_workflow.ui.prompts.configuration import Configuration
from cosmos_workflow.ui.prompts.editor import Editor
from cosmos_workflow.ui.prompts.library import Library
from cosmos_workflow.ui.queue.controls import QueueControls
from cosmos_workflow.ui.queue.table import QueueTable

FIXED = """prompts-table add-to-queue queue-counter clear-config queue-table start-queue pause-queue clear-queue
remove-selected cancel-running batch-preview live-updates results-gallery"""
ANN = cast("gr.Request", SimpleNamespace(username="ann"))
NOBODY = cast("gr.Request", SimpleNamespace(username=None))


@pytest.fixture
def page(sessions: Sessions) -> Iterator[Page]:
    """A page that components can be put on."""
    with gr.Blocks(analytics_enabled=False):
        yield Page(sessions)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Toasts need a browser; here they are a list."""
    toasts: list[str] = []
    for name in ("Info", "Warning"):
        monkeypatch.setattr(gr, name, lambda text, **_options: toasts.append(text))
    return toasts


def controls_of(page: Page) -> QueueControls:
    return QueueControls(page, Ask(page, "come-back", "Start"))


def values_of(form: Configuration) -> list[Any]:
    return [component.value for component in form.forms.components]


def test_the_whole_page_is_built_with_the_fixed_ids(sessions: Sessions) -> None:
    demo = app.build(sessions)
    ids = {getattr(block, "elem_id", None) for block in demo.blocks.values()}
    fixed = (
        "prompts-table add-to-queue queue-counter clear-config queue-table start-queue pause-queue clear-queue remove-selected"
    )
    assert {*fixed.split(), "cancel-running", "batch-preview", "live-updates", "results-gallery"} <= ids
    assert len([name for name in ids if name]) == len({name for name in ids if name})


def test_a_state_is_a_queue_of_its_own_in_every_visit(page: Page) -> None:
    import copy

    default = page.queue.value
    assert isinstance(default, Queue)
    assert copy.deepcopy(default) is not default
    assert copy.deepcopy(default).token != default.token


def test_add_queues_the_selected_prompts_in_the_order_of_the_library(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt(text, id=f"ps_{text}") for text in ("one", "two", "three")])
    form = Configuration(page, "prompts-table")
    form.add(["ps_three", "ps_one", "ps_gone"], session.queue, "espeak", *values_of(form))
    assert [item.prompt_text for item in session.queue.snapshot().items] == ["one", "three"]


def test_add_changes_nothing_when_something_is_wrong(page: Page, session: Session) -> None:
    page.store.prompts.save([Prompt("text", id="ps_1"), Prompt("no clip", id="ps_2")])
    form = Configuration(page, "prompts-table")
    for ids, engine in ([], "espeak"), (["ps_gone"], "espeak"), (["ps_1", "ps_2"], "control-preview"), (["ps_1"], "chatterbox"):
        with pytest.raises(Exception, match=r"tick at least one|input 'video' is missing|weights"):
            form.add(ids, session.queue, engine, *values_of(form))
    assert len(session.queue) == 0


def test_nobody_queues_with_the_prompts_of_others(page: Page, sessions: Sessions) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="tick at least one"):
        form.add(["ps_ann"], sessions.open("", "bob").queue, "espeak", *values_of(form))


def test_a_page_whose_queue_is_unknown_says_to_reload(page: Page) -> None:
    form = Configuration(page, "prompts-table")
    with pytest.raises(InputError, match="reload the page"):
        form.add(["ps_1"], Queue(), "espeak", *values_of(form))


def test_the_library_shows_only_its_owners_prompts(page: Page) -> None:
    page.store.prompts.save([Prompt("Ann's", id="ps_ann")], "ann")
    page.store.prompts.save([Prompt("mine", id="ps_mine")])
    library = Library(page)
    assert [row["id"] for row in library.show("", "all", 0, ANN)[0]["rows"]] == ["ps_ann"]
    assert [row["id"] for row in library.show("", "all", 0, NOBODY)[0]["rows"]] == ["ps_mine"]
    with pytest.raises(InputError):
        library.ask_delete(["ps_ann"], NOBODY)
    library.really_delete(["ps_ann"], NOBODY)
    assert page.store.prompts.count("ann") == 1
    assert owner_of(None) == "local"


def test_the_library_is_searched_filtered_and_paged(page: Page) -> None:
    page.store.prompts.save([Prompt(f"text {number}") for number in range(250)])
    library = Library(page)
    first, second = library.show("", "all", 0, NOBODY), library.show_next("", "text", 0, NOBODY)
    assert (len(first[0]["rows"]), len(second[0]["rows"])) == (200, 50)
    assert second[0]["page"] == "201 to 250 of 250"
    assert library.show("", "all", 99, NOBODY)[1] == 1
    assert library.show("", "video", 0, NOBODY)[0]["empty"] == "No prompt matches."
    page.store.prompts.save([Prompt("a needle", id="ps_needle"), Prompt("another needle", id="ps_other")])
    assert library.all_ids("needle an", "all", NOBODY) == ["ps_other"]


def test_what_runs_cannot_be_removed(page: Page, session: Session) -> None:
    table = QueueTable(page)
    (item,) = session.queue.add_to_queue([Prompt("ok")], "probe", {})
    session.queue.claim()
    with pytest.raises(InputError, match="use Cancel running"):
        table.take_away([item.id], session.queue)
    with pytest.raises(InputError, match="tick at least one"):
        table.move_up([], session.queue)


def refresher(page: Page) -> Refresher:
    return Refresher(page, gr.Timer(1, active=False), gr.Checkbox(True), gr.Button())


def sent(updates: list[Any]) -> int:
    return sum(not (isinstance(update, dict) and update.get("__type__") == "update" and len(update) == 1) for update in updates)


def test_only_what_changed_is_sent(page: Page, session: Session) -> None:
    controls_of(page)
    QueueTable(page)
    refresh, visit = refresher(page), Visit()
    assert sent(refresh.refresh(session.queue, visit, True)) == len(page.live) + 1
    assert sent(refresh.refresh(session.queue, visit, True)) == 0
    session.queue.add_to_queue([Prompt("ok")], "probe", {})
    assert 0 < sent(refresh.refresh(session.queue, visit, True)) < len(page.live)
    assert sent(refresh.refresh_all(session.queue, visit, True)) == len(page.live) + 1


def test_a_page_that_has_not_found_its_queue_yet_is_sent_nothing(page: Page) -> None:
    controls_of(page)
    assert sent(refresher(page).refresh(Queue(), Visit(), True)) == 0


def test_the_timer_runs_only_while_something_does(page: Page, session: Session, sessions: Sessions, tmp_path: Path) -> None:
    controls_of(page)
    refresh, visit = refresher(page), Visit()
    interval = page.operations.workspace.settings.live_interval
    refresh.refresh(session.queue, visit, True)
    assert visit.seen[TIMER] == (live.RUNNING_INTERVAL, False)
    flag = tmp_path / "go"
    session.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {})
    session.runner.start()
    refresh.refresh(session.queue, visit, True)
    assert visit.seen[TIMER] == (live.RUNNING_INTERVAL, True)
    refresh.refresh(session.queue, visit, False)
    assert visit.seen[TIMER] == (live.RUNNING_INTERVAL, False)
    other = Visit()
    refresh.refresh(sessions.open().queue, other, True)
    assert other.seen[TIMER] == (interval, True)
    flag.touch()
    assert session.runner.join(DEADLINE)
    refresh.refresh(session.queue, visit, True)
    refresh.refresh(session.queue, visit, True)
    assert visit.seen[TIMER] == (live.RUNNING_INTERVAL, True), "the end is told twice, a tick apart"
    visit.last_words_at -= live.RUNNING_INTERVAL
    assert sent(refresh.refresh(session.queue, visit, True)) == len(page.live) + 1
    assert visit.seen[TIMER] == (live.RUNNING_INTERVAL, False)
    assert sent(refresh.refresh(session.queue, visit, True)) == 0


@pytest.mark.parametrize("startup", ["ask", "stay_paused"])
def test_what_came_back_is_asked_about_only_where_the_settings_say_so(
    operations: Operations, session: Session, startup: Literal["ask", "stay_paused"]
) -> None:
    session.queue.add_to_queue([Prompt("ok")], "probe", {})
    operations.workspace = replace(operations.workspace, settings=Settings(startup=startup))
    with gr.Blocks(analytics_enabled=False):
        later = Page(Sessions(operations))
        controls = controls_of(later)
    queue = later.sessions.open(session.token).queue
    asked = controls.ask_comeback(queue)
    assert ("1 item came back from before." in str(asked[1])) is (startup == "ask")
    controls.begin_again(queue)
    assert later.runner(queue).join(DEADLINE)
    assert later.picture(queue).snapshot.queue.done == {"succeeded": 1}


def test_process_queue_starts_reports_and_says_how_it_ended(page: Page, session: Session, quiet: list[str]) -> None:
    controls = controls_of(page)
    session.queue.add_to_queue([Prompt("ok"), Prompt("fail")], "probe", {})
    told: list[float] = []

    async def follow() -> None:
        progress = cast("gr.Progress", lambda fraction, **_words: told.append(fraction))
        async for _ in controls.process_queue(session.queue, progress):
            pass

    asyncio.run(follow())
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert quiet == ["Done: 1 succeeded, 1 failed. Failed: fail."]


def test_a_follower_that_is_dropped_stops_nothing(page: Page, session: Session, tmp_path: Path) -> None:
    flag = tmp_path / "go"
    session.queue.add_to_queue([Prompt(f"wait {flag}")], "probe", {})
    session.runner.start()

    async def look_once() -> None:
        follower = live.follow(session, lambda *_fraction, **_words: None)
        await anext(follower)
        await cast("Any", follower).aclose()

    asyncio.run(look_once())
    assert session.runner.snapshot().active
    flag.touch()
    assert session.runner.join(DEADLINE)
    assert session.runner.snapshot().state is RunnerState.IDLE


def test_two_pages_that_send_the_same_file_both_get_it(page: Page, tmp_path: Path) -> None:
    # Gradio keeps a content in one place, whichever page it came from.
    editor = Editor(page)
    clip, table = tmp_path / "clip.wav", tmp_path / "table.txt"
    soundfile.write(clip, np.zeros(800), 8_000)
    table.write_text("One.\nTwo.\n")
    attached = [editor.attach(str(clip), "", {}, NOBODY)[0] for _ in range(2)]
    assert attached[0] == attached[1] != {}
    library = Library(page)
    assert [len(library.read_file(str(table), NOBODY)) for _ in range(2)] == [2, 2]


def test_cancel_takes_the_selected_ones_or_all(page: Page, session: Session, tmp_path: Path) -> None:
    controls = controls_of(page)
    (item,) = session.queue.add_to_queue([Prompt(f"wait {tmp_path / 'never'}")], "probe", {})
    session.runner.start()
    wait_for((tmp_path / "never.waiting").exists, "the item runs")
    controls.stop(["qi_other"], session.queue)
    assert session.runner.join(DEADLINE)
    cancelled = session.queue.get(item.id)
    assert cancelled is not None
    assert cancelled.status == "cancelled"


def test_an_error_nobody_expected_is_a_sentence_and_a_logged_traceback(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise KeyError("secret")

    with pytest.raises(gr.Error, match=r"Something went wrong in Cosmos Workflow itself \(KeyError\)") as caught:
        guard(broken)()
    assert "secret" not in caught.value.message
    assert "Traceback" in caplog.text


def test_the_browsers_secret_outlives_a_restart(sessions: Sessions) -> None:
    workspace = sessions.operations.workspace
    assert app.browser_secret(workspace) == app.browser_secret(workspace)
    assert len(app.browser_secret(workspace)) == 32
