"""Whatever a call says, it is answered with a sentence: never a traceback, and never for long."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from page_support import Server
from visitors import Visitor, as_file

pytestmark = pytest.mark.slow

HUGE = "9" * 300_000
ENDPOINTS: dict[str, list[Any]] = {
    "add_to_queue": ["", ["One."], "espeak", {}, {}],
    "remove_from_queue": ["", []],
    "clear_queue": [""],
    "get_queue_display": ["", 0, 10],
    "get_results": ["", 10],
    "pause_queue": ["", False],
}
WRONG: list[Any] = [
    0,
    1.5,
    True,
    [],
    {},
    [[]],
    {"a": []},
    "x",
    [None],
    [{}],
    HUGE,
    "\0",
    "\ud800",
    None,
    ["<img src=x>"],
    -1,
    2**70,
]


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: repr(value)[:20])
def test_an_argument_of_a_wrong_type_is_a_sentence(ann: Visitor, name: str, wrong: Any) -> None:
    for place in range(len(ENDPOINTS[name])):
        data = [wrong if number == place else value for number, value in enumerate(ENDPOINTS[name])]
        answer = ann.post(f"/gradio_api/call/{name}", content=json.dumps({"data": data}))
        if answer.status_code != 200:
            assert answer.status_code in (400, 422), answer.text
            continue
        said = ann.answer(name, answer.json()["event_id"])
        assert "complete" in said or "went wrong in Cosmos Workflow itself" not in str(said), (place, said)


@pytest.mark.parametrize("data", [[], [""] * 50, ["", ["One."]]])
def test_too_few_or_too_many_arguments_are_a_sentence(ann: Visitor, data: list[Any]) -> None:
    answer = ann.post("/gradio_api/call/add_to_queue", json={"data": data})
    if answer.status_code == 200:
        assert ann.answer("add_to_queue", answer.json()["event_id"])
    else:
        assert answer.status_code in (400, 422)


def test_what_has_a_default_may_be_left_out(ann: Visitor) -> None:
    assert "added" in str(ann.call("add_to_queue", "", ["One."], "espeak"))
    short = ann.post("/gradio_api/call/add_to_queue", json={"data": ["", ["One."]]})
    assert (short.status_code, "2 values are too few; give 3" in short.text) == (422, True)


@pytest.mark.parametrize("name", ["rate", "seed", "pitch"])
def test_a_number_of_300_000_digits_is_a_sentence(ann: Visitor, name: str) -> None:
    begun = time.monotonic()
    for value in (HUGE, f"0.{HUGE}", f"1e{HUGE}", f"-{HUGE}"):
        said = str(ann.call("add_to_queue", "", ["One."], "espeak", {name: value}, {}))
        assert "error" in said
        assert len(said) < 2000
        body = f'{{"data": ["", ["One."], "espeak", {{"{name}": {value}}}, {{}}]}}'
        answer = ann.post("/gradio_api/call/add_to_queue", content=body)
        if answer.status_code == 200:
            assert len(str(ann.answer("add_to_queue", answer.json()["event_id"]))) < 2000
        else:
            assert answer.status_code == 400
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "text",
    [
        f"job: a\nengine: espeak\nparams: {{rate: {HUGE}}}\ntasks: [{{text: One.}}]\n",
        f"job: a\nengine: espeak\ntasks: [{{text: {HUGE}}}]\n",
        f"job: {HUGE}\nengine: espeak\ntasks: [{{text: One.}}]\n",
        f"job: a\nengine: espeak\n{HUGE}: 1\ntasks: [{{text: One.}}]\n",
        f"job: a\nengine: espeak\ncandidates: 0x{'f' * 300_000}\ntasks: [{{text: One.}}]\n",
        f"job: a\nengine: espeak\nparams: {{rate: 1e{HUGE}}}\ntasks: [{{text: One.}}]\n",
        f"job: a\nengine: espeak\nparams: {{rate: {'1:' * 100_000}1}}\ntasks: [{{text: One.}}]\n",
    ],
    ids=["a param", "a text", "a name", "a key", "hexadecimal", "an exponent", "sexagesimal"],
)
def test_a_job_with_a_huge_number_is_a_sentence(ann: Visitor, text: str) -> None:
    path = ann.upload(text.encode(), "huge.yaml")
    answer = ann.trigger("run/predict", ann.event("upload-job", "upload"), [as_file(path)], "", "", None)
    assert "went wrong in Cosmos Workflow itself" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"data": 1}',
        b'{"data": []}',
        b'{"data": NaN}',
        b'{"fn_index": "x"}',
        b'{"data": [], "fn_index": 99999}',
        b'{"data": [], "fn_index": 1e400}',
        b'{"data": [], "session_hash": {}}',
        b'{"data": [], "session_hash": ""}',
        b'{"data": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=lambda body: repr(body)[:30],
)
@pytest.mark.parametrize(
    "route", ["queue/join", "run/predict", "api/predict", "call/add_to_queue", "call/nothing", "cancel", "reset"]
)
def test_a_body_that_is_no_call_is_refused(ann: Visitor, route: str, body: bytes) -> None:
    answer = ann.post(f"/gradio_api/{route}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 404, 422), answer.text


def test_a_large_body_costs_little_memory(ann: Visitor, server: Server) -> None:
    process = psutil.Process(server.process.pid)
    ann.get("/config")
    before = process.memory_info().rss

    def body() -> Any:
        yield b'{"data": ["'
        for _ in range(200):
            yield b"x" * 1_000_000
        yield b'"]}'

    assert ann.post("/gradio_api/call/add_to_queue", content=body()).status_code == 413
    assert ann.post("/gradio_api/call/add_to_queue", content=b"x" * 21_000_000).status_code == 413
    assert process.memory_info().rss - before < 80_000_000


def test_a_search_for_10_000_words_is_refused_at_once(ann: Visitor) -> None:
    words = " ".join(f"w{number}" for number in range(1500))
    begun = time.monotonic()
    answer = ann.get("/media.zip", params={"text": words})
    assert (answer.status_code, time.monotonic() - begun < 10) == (400, True)
    said = ann.search(words * 10).text
    assert "search for less" in said


@pytest.mark.parametrize("wrong", [{"path": "x"}, "x", 3, [3], [[]]])
def test_an_upload_of_another_shape_is_refused(ann: Visitor, wrong: Any) -> None:
    answer = ann.trigger("run/predict", ann.event("prompt-file", "upload"), wrong, "", None)
    assert answer.status_code == 422
    assert "data: value 1 is of a wrong type" in answer.text


def test_a_toast_draws_no_html(ann: Visitor) -> None:
    path = ann.upload(b"text,<img src=http://evil.example/x.png>\nOne.,two\n")
    said = ann.trigger("run/predict", ann.event("import-prompts", "upload"), as_file(path)).json()["error"]
    assert "&lt;img" in said
    assert "<img" not in said
    # A program gets the sentence as it is.
    assert "<img" in str(ann.call("add_to_queue", "", ["One."], "<img src=x>", {}, {}))


def test_a_linked_job_file_is_not_served(ann: Visitor, server: Server, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("job: secret\nengine: espeak\ntasks: [{text: One.}]\n")
    path = ann.upload(b"job: night\nengine: espeak\ntasks: [{text: One.}]\n", "night.yaml")
    assert ann.trigger("run/predict", ann.event("upload-job", "upload"), [as_file(path)], "", "", None).status_code == 200
    stored = next((server.workspace / "jobs").rglob("night.yaml"))
    assert ann.get("/job-files/night").status_code == 200
    stored.with_name("linked.yaml").symlink_to(secret)
    assert ann.get("/job-files/linked").status_code == 404
