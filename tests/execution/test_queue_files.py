"""A queue in a file, and back, elsewhere."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.queue_files import load_queue, write_queue
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.queueing import Prompt

ROW: dict[str, Any] = {"text": "one", "engine": "espeak", "params": {}, "weights": {}, "inputs": {}}
CLIP = {**ROW, "engine": "control-preview"}


def archive(path: Path, rows: Any, files: Sequence[tuple[str, bytes]] = ()) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("queue.json", json.dumps({"cosmos_workflow_queue": 1, "items": rows}))
        for name, content in files:
            made.writestr(name, content)
    return path


def test_a_queue_goes_round_with_its_files_under_their_own_names(sessions: Sessions, tmp_path: Path) -> None:
    store = sessions.operations.store
    clip = store.inputs.add(assets_dir() / "samples" / "street.mp4", "My street.mp4")
    queue, other = sessions.open().queue, sessions.open("", "ann").queue
    queue.add_to_queue([Prompt("one"), Prompt("two")], "espeak", {"rate": 200})
    queue.add_to_queue([Prompt("clip", {"video": str(clip)})], "control-preview", {}, {"edge": 0.5})
    names = {known.file: known.name for known in store.inputs.list()}
    saved = tmp_path / "queue.zip"
    saved.write_bytes(b"".join(write_queue(queue.snapshot().items, names)))
    assert zipfile.ZipFile(saved).namelist() == ["media/001-My street.mp4", "queue.json"]

    load_queue(saved, "queue.zip", other, store)
    for one, again in zip(queue.snapshot().items, other.snapshot().items, strict=True):
        assert (one.prompt_text, one.batch_key, one.params, one.cost) == (
            again.prompt_text,
            again.batch_key,
            again.params,
            again.cost,
        )
    assert [known.name for known in store.inputs.list("ann")] == ["My street.mp4"]
    assert Path(other.snapshot().items[-1].inputs["video"]).is_relative_to(store.inputs.folder("ann"))


@pytest.mark.parametrize(
    ("rows", "files", "sentence"),
    [
        ([ROW, {**ROW, "engine": "nothing"}], (), "item 2: engine 'nothing' isn't installed"),
        ([ROW, {**ROW, "params": {"rate": 9999}}], (), "item 2: rate: 9999 isn't right"),
        ([ROW, {**ROW, "text": " "}], (), "item 2: .*prompt is empty"),
        ([ROW, {**ROW, "text": None}], (), "item 2: it needs text, engine"),
        ([ROW, "x"], (), "item 2: it needs text, engine"),
        ([{**CLIP, "inputs": {"video": "/etc/passwd"}}], (), "isn't in bad.zip"),
        ([{**CLIP, "inputs": {"video": "../x.mp4"}}], [("../x.mp4", b"x")], "is no file of a queue"),
        ([{**CLIP, "inputs": {"video": "media/1-x.mp4"}}], [("media/1-x.mp4", b"<html>")], "'x.mp4' isn't a video"),
        ([], (), "holds no queue"),
        ({}, (), "holds no queue"),
    ],
)
def test_of_a_wrong_file_nothing_is_added(
    sessions: Sessions, tmp_path: Path, rows: Any, files: Sequence[tuple[str, bytes]], sentence: str
) -> None:
    queue = sessions.open().queue
    with pytest.raises(InputError, match=sentence):
        load_queue(archive(tmp_path / "bad.zip", rows, files), "bad.zip", queue, sessions.operations.store)
    assert len(queue) == 0


def test_what_is_no_zip_is_told(sessions: Sessions, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"hello")
    with pytest.raises(InputError, match="zip file is damaged"):
        load_queue(tmp_path / "text.zip", "text.zip", sessions.open().queue, sessions.operations.store)
