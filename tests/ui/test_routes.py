"""Files of runs are served in parts, to their owner, and nothing else is."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient
from store_support import publish

from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui import routes
from cosmos_workflow.ui.access.guard import Guard

SOUND = b"RIFF" + bytes(range(256)) * 8


def published(
    store: Store, name: str = "sound.wav", content: bytes = SOUND, owner: str = "local", text: str = "hello"
) -> RunRecord:
    """A succeeded run with one output."""
    run = store.runs.begin([RunRecord("qi_1", text, "espeak", {}, owner=owner)])[0]
    folder = store.runs.open_folder(run.id)
    (folder / name).write_bytes(content)
    return publish(store, run.id, {"audio": name}, {})


def client(store: Store, users: dict[str, str] | None = None) -> TestClient:
    app = FastAPI()
    routes.serve_results(app, store)
    app.add_middleware(Guard, users=users or {}, host="127.0.0.1")
    return TestClient(app, base_url="http://127.0.0.1:7860")


def test_a_sound_is_served_whole_and_in_parts(operations: Operations) -> None:
    run = published(operations.store)
    visitor = client(operations.store)
    whole = visitor.get(f"/media/{run.id}/audio")
    assert (whole.status_code, whole.content, whole.headers["content-type"]) == (200, SOUND, "audio/wav")
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["accept-ranges"] == "bytes"
    part = visitor.get(f"/media/{run.id}/audio", headers={"range": "bytes=4-9"})
    assert (part.status_code, part.content) == (206, SOUND[4:10])
    assert part.headers["content-range"] == f"bytes 4-9/{len(SOUND)}"
    assert visitor.head(f"/media/{run.id}/audio").headers["content-length"] == str(len(SOUND))


def test_a_download_has_a_name(operations: Operations) -> None:
    run = published(operations.store)
    answer = client(operations.store).get(f"/media/{run.id}/audio?download=1")
    assert answer.headers["content-disposition"] == f'attachment; filename="{run.id}-sound.wav"'


def test_what_a_browser_might_execute_is_only_handed_out(operations: Operations) -> None:
    run = published(operations.store, "page.html", b"<script>alert(1)</script>")
    answer = client(operations.store).get(f"/media/{run.id}/audio")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


OUTSIDE = ["audio/../run.json", "..", "%2e%2e", "..%2frun.json", quote("../../database", safe=""), "C:%5Cx", "/etc/passwd"]


@pytest.mark.parametrize("path", ["sound.wav", "run.json", *OUTSIDE])
def test_only_outputs_are_served(operations: Operations, path: str) -> None:
    run = published(operations.store)
    assert client(operations.store).get(f"/media/{run.id}/{path}").status_code == 404


def test_an_output_that_leads_out_of_its_folder_is_not_served(operations: Operations, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(b"RIFF secret")
    run = published(operations.store)
    file = operations.store.runs.output_path(run, "audio")
    file.unlink()
    file.symlink_to(secret)
    assert client(operations.store).get(f"/media/{run.id}/audio").status_code == 404


def test_a_file_that_is_gone_is_not_found(operations: Operations) -> None:
    run = published(operations.store)
    operations.store.runs.output_path(run, "audio").unlink()
    assert client(operations.store).get(f"/media/{run.id}/audio").status_code == 404


def test_only_its_owner_gets_a_file(operations: Operations) -> None:
    run = published(operations.store, owner="ann")
    assert run.status is ItemStatus.SUCCEEDED
    visitor = client(operations.store, {"ann": "one", "bob": "two"})
    assert visitor.get(f"/media/{run.id}/audio", auth=("ann", "one")).content == SOUND
    assert visitor.get(f"/media/{run.id}/audio", auth=("bob", "two")).status_code == 404
    assert client(operations.store).get(f"/media/{run.id}/audio").status_code == 404


def zipped(visitor: TestClient, query: str = "", user: str = "") -> dict[str, bytes]:
    """The files of the archive, in its order."""
    answer = visitor.get(f"/media.zip{query}", auth=(user, "one") if user else None)
    assert answer.headers["content-disposition"] == 'attachment; filename="results.zip"'
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_all_that_succeeded_comes_in_one_file_named_after_its_prompts(operations: Operations, tmp_path: Path) -> None:
    store = operations.store
    visitor = client(store)
    assert zipped(visitor) == {}
    published(store, text="Good morning, Ann!")
    gone, linked = published(store, text="gone"), published(store, text="linked")
    store.runs.output_path(gone, "audio").unlink()
    (secret := tmp_path / "secret.wav").write_bytes(b"RIFF secret")
    (file := store.runs.output_path(linked, "audio")).unlink()
    file.symlink_to(secret)
    failed = store.runs.begin([RunRecord("qi_2", "failed", "espeak", {})])[0]
    store.runs.finish(failed.id, ItemStatus.FAILED, error="it broke")
    clip = store.runs.begin([RunRecord("qi_3", "../早上好", "control-preview", {})])[0]
    folder = store.runs.open_folder(clip.id)
    for name in ("edge.mp4", "all.mp4"):
        (folder / name).write_bytes(name.encode())
    publish(store, clip.id, {"control_edge": "edge.mp4", "video": "all.mp4"}, {})
    published(store, owner="ann", text="somebody else's")
    made = zipped(visitor)
    unspoken = next(name for name in made if name.endswith("-control_edge.mp4")).removesuffix("-control_edge.mp4")
    assert made == {"01-good-morning-ann.wav": SOUND, f"{unspoken}-control_edge.mp4": b"edge.mp4", f"{unspoken}.mp4": b"all.mp4"}
    assert unspoken.startswith("04-")
    assert list(zipped(visitor, "?engine=espeak&text=morning")) == ["01-good-morning-ann.wav"]
    assert zipped(client(store, {"ann": "one"}), user="ann") == {"01-somebody-else-s.wav": SOUND}
