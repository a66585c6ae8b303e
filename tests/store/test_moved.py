"""A workspace in another place than before: what it holds is still there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support import media_bytes

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing import Prompt, Queue
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store

WAV = media_bytes()


@pytest.fixture
def samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The samples of an installation, which can be taken for another one's by moving them."""
    folder = tmp_path / "first release" / "assets"
    folder.mkdir(parents=True)
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    for module in ("database", "inputs"):
        monkeypatch.setattr(f"cosmos_workflow.store.{module}.assets_dir", lambda: _present(folder))
    return folder


def _present(folder: Path) -> Path:
    return folder if folder.is_dir() else folder.with_name("assets of the second")


def fill(store: Store, voice: Path, samples: Path) -> str:
    """A prompt, an item in a queue and a run, each with a file of the library, a sample, and one from elsewhere."""
    elsewhere = samples.parent / "elsewhere.wav"
    elsewhere.write_bytes(WAV)
    files = {"voice": str(voice), "video": str(samples / "clip.mp4")}
    store.prompts.save([Prompt("Hello", files)])
    queue = Queue(journal=store.queues)
    store.queues.register(queue.token)
    (item,) = queue.add_to_queue([Prompt("Hello", {**files, "speech": str(elsewhere)})], "probe", {})
    store.runs.begin([RunRecord.of(item)])
    return queue.token


def files_of(store: Store, token: str) -> list[dict[str, str]]:
    (item,) = store.queues.load(token)
    (run,) = store.runs.list()
    (prompt,) = store.prompts.list()
    return [dict(prompt.inputs), dict(item.inputs), dict(run.inputs)]


def test_files_are_found_again_after_a_move(tmp_path: Path, samples: Path) -> None:
    old = tmp_path / "50 % of my wörk"
    voice = tmp_path / "voice.wav"
    voice.write_bytes(WAV)
    with Store(Workspace.open(old)) as store:
        token = fill(store, store.inputs.add(voice), samples)
        before = files_of(store, token)
    new = tmp_path / "archive" / "work"
    new.parent.mkdir()
    shutil.move(old, new)
    samples.rename(samples.with_name("assets of the second"))

    with Store(Workspace.open(new)):
        pass
    with Store(Workspace.open(new)) as store:
        after = files_of(store, token)
        assert store.inputs.own(after[0]["voice"]).is_relative_to(new)
    assert all(Path(path).is_file() for inputs in after for path in inputs.values())
    assert [inputs.keys() for inputs in after] == [inputs.keys() for inputs in before]
    assert after[1]["speech"] == before[1]["speech"], "what lies elsewhere has not moved"
    assert after[1]["video"].endswith("assets of the second/clip.mp4")


def test_a_copy_leaves_the_original_alone(tmp_path: Path, samples: Path) -> None:
    voice = tmp_path / "voice.wav"
    voice.write_bytes(WAV)
    with Store(Workspace.open(tmp_path / "one")) as store:
        token = fill(store, store.inputs.add(voice), samples)
        before = files_of(store, token)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with Store(Workspace.open(tmp_path / "two")) as store:
        assert all(Path(inputs["voice"]).is_relative_to(tmp_path / "two") for inputs in files_of(store, token))
    with Store(Workspace.open(tmp_path / "one")) as store:
        assert files_of(store, token) == before
