"""What is typed stays text, whatever it is; players and chips are what they say."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.execution.batch_run import ItemProgressed
from cosmos_workflow.execution.estimates import BatchingGain
from cosmos_workflow.execution.runner import RunnerSnapshot, RunnerState
from cosmos_workflow.queueing import ItemStatus, Prompt, Queue
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.ui import markup
from cosmos_workflow.ui.page_view import PAGE_SIZE, PageView, Window
from cosmos_workflow.ui.prompts.library import prompts_table
from cosmos_workflow.ui.queue.markup import batch_preview, group_chip, item_details, queue_progress
from cosmos_workflow.ui.queue.table import queue_table
from cosmos_workflow.ui.results.markup import result_card, run_details

NASTY = st.text(min_size=1).map(lambda text: f"{text}<script>\"'&</td><img src=x onerror=alert(1)>{text}")
PLAYER = {"controls", "preload", "playsinline", "muted", "loop", "src"}
SAFE_ATTRIBUTES = PLAYER | {"class", "type", "title", "id", "href", "role", "style", "download"}


class Reader(HTMLParser):
    """Tags, attributes and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_only_ours(html: str) -> None:
    reader = Reader(html)
    assert not reader.tags & {"script", "img"}
    assert all(name in SAFE_ATTRIBUTES or name.startswith(("aria-", "data-")) for name in reader.attributes)


def view_of(queue: Queue, progress: dict[str, ItemProgressed] | None = None, state: RunnerState = RunnerState.IDLE) -> PageView:
    snapshot = RunnerSnapshot(1, state, "", queue.snapshot(), progress or {}, (), None, 0.0)
    return PageView(snapshot, queue.plan, queue.labels, lambda _engine: None)


def run(**known: Any) -> RunRecord:
    values: dict[str, Any] = {"item_id": "qi_1", "prompt_text": "hello", "engine": "espeak", "params": {}, "id": "rs_1", **known}
    return RunRecord(**values)


@given(NASTY)
def test_nothing_typed_becomes_html(text: str) -> None:
    queue = Queue()
    (item,) = queue.add_to_queue([Prompt(text, name=text)], "probe", {})
    queue.claim()
    moving = {item.id: ItemProgressed(item.id, 0.5, "think", text, 0.0)}
    now = view_of(queue, moving, RunnerState.RUNNING)
    made = run(prompt_text=text, status=ItemStatus.SUCCEEDED, outputs={"audio": text})
    failed = run(prompt_text=text, error=text, traceback=text, status=ItemStatus.FAILED, inputs={text: f"/x/{text}"}, device=text)
    for html in (
        queue_table(now, Window.at(0, 1), queue.snapshot().items, {})["rows"][0]["html"],
        queue_progress(now)["html"],
        item_details(replace(item, error=text), now, {}),
        prompts_table([Prompt(text, {"video": f"/x/{text}"}, name=text)], {}, Window.at(0, 1), filtered=False)["rows"][0]["html"],
        markup.run_card(failed)["html"],
        result_card(made)["html"],
        run_details(failed, {}),
        markup.note(text),
        markup.bar(text, 0.5, text),
    ):
        assert_only_ours(html)


def test_a_run_is_played_by_what_it_is() -> None:
    sound = markup.player(run(status=ItemStatus.SUCCEEDED, outputs={"audio": "speech.wav"}))
    clip = markup.player(run(engine="control-preview", status=ItemStatus.SUCCEEDED, outputs={"vis": "a.mp4", "video": "b.mp4"}))
    assert sound.startswith("<audio controls")
    assert 'src="media/rs_1/audio"' in sound
    assert clip.startswith("<video controls")
    assert 'src="media/rs_1/video"' in clip
    assert markup.player(run(status=ItemStatus.FAILED, outputs={})) == ""


def test_a_run_of_an_engine_that_is_gone_still_plays() -> None:
    assert "<video" in markup.player(run(engine="gone", status=ItemStatus.SUCCEEDED, outputs={"video": "clip.mp4"}))


def test_groups_have_colours_that_repeat_only_after_eight() -> None:
    colours = [group_chip(letter).split("cw-g", 2)[2][0] for letter in "ABCDEFGHI"]
    assert len(set(colours[:8])) == 8
    assert colours[8] == colours[0]
    assert group_chip("AA") != ""


def test_the_preview_shows_sizes_and_why_batches_are_apart() -> None:
    queue = Queue()
    queue.add_to_queue([Prompt("a"), Prompt("b")], "probe", {"group": 1})
    queue.add_to_queue([Prompt("c")], "probe", {"group": 7})
    text = Reader(batch_preview(view_of(queue))).text
    assert "A2 items" in text
    assert "B1 item" in text
    assert "apart: group differs: 1, 7" in text


def test_the_gain_of_batching_is_shown_once_it_was_measured() -> None:
    queue = Queue()
    queue.add_to_queue([Prompt("Good morning.")], "espeak", {})
    assert "in batches" not in Reader(batch_preview(view_of(queue))).text
    measured = replace(view_of(queue), gain=lambda _engine: BatchingGain(batched=15, alone=6))
    words = "15 items a minute instead of 6 one at a time (2.5 times as fast), measured on finished runs."
    assert words in Reader(batch_preview(measured)).text


@pytest.mark.parametrize(
    ("number", "page", "rows", "words"),
    [(3, 0, 3, ""), (120, 1, PAGE_SIZE, "51 to 100 of 120"), (120, 2, 20, "101 to 120 of 120")],
)
def test_the_table_is_sent_in_pages(number: int, page: int, rows: int, words: str) -> None:
    queue = Queue()
    queue.add_to_queue([Prompt(f"text {index}") for index in range(number)], "probe", {})
    table = queue_table(view_of(queue), Window.at(page, number), queue.snapshot().items, {})
    assert len(table["rows"]) == rows
    assert table["page"] == words
