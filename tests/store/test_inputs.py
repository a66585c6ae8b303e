"""Input files: kept by content, known by content, each owner's apart."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from sqlalchemy import update
from support import media_bytes

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.media import probe_sound
from cosmos_workflow.queueing import Prompt, Queue, QueueItem
from cosmos_workflow.store.schema import input_files
from cosmos_workflow.store.store import Store

WAV = media_bytes("wav")
AVI = media_bytes("avi")
CONTENTS = {
    ".wav": WAV,
    ".avi": AVI,
    ".flac": media_bytes("flac"),
    ".ogg": media_bytes("ogg"),
    ".mp3": media_bytes("mp3"),
    ".m4a": media_bytes("ipod"),
    ".mp4": media_bytes("mp4"),
    ".webm": media_bytes("webm"),
    ".mkv": media_bytes("matroska"),
    ".txt": "Good morning, äöü.".encode(),
    ".yaml": b"job: a\n",
    ".json": b'\xef\xbb\xbf{"title": "a"}\n',
}


def put(tmp_path: Path, content: bytes, name: str = "upload") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def _begins_with(atom: bytes) -> bytes:
    """A film of QuickTime, which may begin with any atom: an empty one where its type once stood."""
    return b"\0\0\0\x08" + atom + media_bytes("mov")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "extension"),
    [
        ("film.mov", _begins_with(b"wide"), ".mov"),
        ("film.mov", _begins_with(b"free"), ".mov"),
        ("film.mov", _begins_with(b"skip"), ".mov"),
        ("memo.m4a", media_bytes("ipod"), ".m4a"),
        ("memo.m4a", media_bytes("ipod").replace(b"ftypM4A ", b"ftypmp42"), ".mp4"),
        ("song.mp3", b"\0" * 300 + media_bytes("mp3"), ".mp3"),
    ],
)
def test_what_an_engine_can_read_is_taken(store: Store, tmp_path: Path, name: str, content: bytes, extension: str) -> None:
    kept = store.inputs.add(put(tmp_path, content, name))
    assert kept.suffix == extension
    assert (probe_clip if name == "film.mov" else probe_sound)(kept).seconds == pytest.approx(0.2, abs=0.1)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clip.mp4", CONTENTS[".m4a"]),
        ("clip.mp4", CONTENTS[".mp4"][:40]),
        ("clip.webm", CONTENTS[".webm"][:60]),
        ("voice.ogg", b"OggS\0\2"),
        ("voice.wav", b"RIFF\x24\0\0\0WAVEfmt "),
    ],
)
def test_what_no_engine_can_read_is_refused_at_once(store: Store, tmp_path: Path, name: str, content: bytes) -> None:
    with pytest.raises(InputError, match=r"choose|its content is audio"):
        store.inputs.add(put(tmp_path, content, name))
    assert store.inputs.list() == []


@pytest.mark.slow
@pytest.mark.parametrize("extension", list(CONTENTS))
def test_a_file_is_kept_under_its_content(store: Store, tmp_path: Path, extension: str) -> None:
    kept = store.inputs.add(put(tmp_path, CONTENTS[extension]), f"../../My File{extension.upper()}")
    assert kept.parent == store.workspace.inputs / "local"
    assert kept.name == f"{store.digests.of(kept)}{extension}"
    assert kept.read_bytes() == CONTENTS[extension]
    (listed,) = store.inputs.list()
    assert (listed.file, listed.name, listed.size) == (kept.name, f"My File{extension.upper()}", len(CONTENTS[extension]))
    assert store.inputs.own(listed.name) == store.inputs.own(kept.name) == store.inputs.own(str(kept)) == kept


def test_the_same_content_twice_is_one_file(store: Store, tmp_path: Path) -> None:
    first = store.inputs.add(put(tmp_path, WAV), "a.wav")
    second = store.inputs.add(put(tmp_path, WAV), "b.wav")
    assert first == second
    assert [known.name for known in store.inputs.list()] == ["b.wav"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("clip.mp4", b"<html><script>alert(1)</script>", r"'clip\.mp4' isn't a video: its content is text\."),
        ("clip.mp4", WAV, r"isn't a video: its content is audio"),
        ("voice.wav", AVI, r"isn't an audio file: its content is video"),
        ("voice.wav", b"MZ\x90\0\3\0\0\0\xff\xff", r"isn't a sound that can be read"),
        ("notes.txt", b"\x7fELF\2\1\1\0\0", r"isn't text in UTF-8: its content is something else"),
        ("notes.txt", "für".encode("latin-1"), r"isn't text in UTF-8"),
        ("clip.mp4", b"", r"'clip\.mp4' is empty"),
        ("outline.json", b"title: a", r"'outline\.json' isn't JSON: line 1: Expecting value\."),
        ("outline.json", b'{"title": "a"', r"'outline\.json' isn't JSON: line 1: Expecting ',' delimiter"),
        ("outline.json", b"[" * 100_000, r"'outline\.json' is nested too deeply"),
        (
            "outline.json",
            b'"' + b"a" * 1_000_000 + b'"',
            r"'outline\.json' has 1,000,002 bytes; a JSON file has at most 1,000,000\.",
        ),
        ("outline.json", WAV, r"isn't text in UTF-8: its content is audio"),
        ("run.exe", b"text", r"'run\.exe' isn't a kind of file that is taken; use one of \.wav, "),
        ("page.html", b"<html>", r"isn't a kind of file that is taken"),
        ("model.pkl", b"\x80\x04\x95", r"isn't an audio, video or text file: its content is something else"),
    ],
)
def test_a_file_must_be_what_its_name_says(store: Store, tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        store.inputs.add(put(tmp_path, content), name)
    assert not list(store.workspace.inputs.iterdir())
    assert store.inputs.list() == []


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(Workspace.open(tmp_path / "w").root, Settings(max_upload_mb=1))
    with Store(workspace) as store:
        with pytest.raises(InputError, match=r"'a\.wav' has 1 MB; use a file of at most 1 MB"):
            store.inputs.add(put(tmp_path, WAV + b"x" * 1_000_000), "a.wav")
        assert store.inputs.add(put(tmp_path, WAV + b"x" * (1_000_000 - len(WAV))), "a.wav").exists()


def test_a_file_that_is_not_there_is_one_sentence(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"The file 'gone\.wav' can't be used: No such file"):
        store.inputs.add(tmp_path / "gone.wav")


def test_a_full_disk_keeps_nothing(store: Store, disk, tmp_path: Path) -> None:
    disk.full = True
    disk.when = lambda path: path.name.startswith(".tmp")
    with pytest.raises(UnavailableError, match="the disk is full"):
        store.inputs.add(put(tmp_path, WAV), "a.wav")
    disk.full = False
    assert not [path for path in store.workspace.inputs.rglob("*") if path.is_file()]
    assert store.inputs.list() == []


@pytest.mark.parametrize("owner", ["../eve", "..", "a/b", "Ada", "ada ", "", "CON.", "x" * 300, "ada\0", "\u2028", "local."])
def test_any_owner_has_a_folder_of_their_own_inside(store: Store, owner: str) -> None:
    folder = store.inputs.folder(owner)
    assert folder.parent == store.workspace.inputs
    assert folder.name.lower() == folder.name
    assert folder != store.inputs.folder("ada")
    assert folder != store.inputs.folder("local")


def test_another_owners_file_is_not_there(store: Store, tmp_path: Path) -> None:
    kept = store.inputs.add(put(tmp_path, WAV), "a.wav", "ada")
    assert store.inputs.list("eve") == []
    for path in ("a.wav", kept.name, str(kept), f"../ada/{kept.name}", f"..%2Fada%2F{kept.name}", f"..\\ada\\{kept.name}"):
        with pytest.raises(InputError):
            store.inputs.own(path, "eve")
    (store.inputs.folder("eve")).mkdir()
    (store.inputs.folder("eve") / "link.wav").symlink_to(kept)
    with pytest.raises(InputError, match="isn't inside your input files"):
        store.inputs.own("link.wav", "eve")


def test_a_digest_follows_the_content(store: Store, tmp_path: Path) -> None:
    path = put(tmp_path, b"one")
    before = store.digests.of(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(0, 0))
    assert store.digests.of(path) != before


def test_many_threads_add_one_file(store: Store, tmp_path: Path) -> None:
    source = put(tmp_path, WAV + os.urandom(100_000))
    kept: list[Path] = []
    threads = [threading.Thread(target=lambda: kept.append(store.inputs.add(source, "a.wav"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(kept)) == 1
    assert [path.name for path in kept[0].parent.iterdir()] == [kept[0].name]


def test_a_users_files_have_a_limit_and_what_is_in_use_is_never_taken_away(tmp_path: Path) -> None:
    workspace = Workspace(Workspace.open(tmp_path / "w").root, Settings(max_user_mb=1))
    with Store(workspace) as store:

        def add(letter: str, owner: str = "ada") -> Path:
            return store.inputs.add(put(tmp_path, letter.encode() * 450_000), f"{letter}.txt", owner)

        def age() -> None:
            with store.database.write() as connection:
                connection.execute(update(input_files).values(added_at=0.0))

        saved = add("a")
        prompt = store.prompts.save([Prompt("text", {"video": str(saved)})], "ada")[0]
        on_a_page = add("b")
        with pytest.raises(
            InputError,
            match=r"'c\.txt' doesn't fit: your files may take 1\.0 MB together, so .* \('[ab]\.txt' with 0\.5 MB",
        ):
            add("c")
        assert add("c", "eve").is_file(), "another user has room of their own"
        assert add("a") == saved, "the same again takes no more"
        age()
        added = add("c")
        assert (saved.is_file(), on_a_page.is_file(), added.is_file()) == (True, False, True), "nothing used it, and it was old"
        (workspace.jobs / "mine.yaml").write_text(f"job: mine\ninputs: {{voice: {added}}}\n")
        store.prompts.delete([prompt.id], "ada")
        queue = Queue(journal=store.queues, owner="ada")
        store.queues.register(queue.token, "ada")
        queue.extend([QueueItem("ps_1", "text", "probe", {}, {}, {"video": str(saved)}, "key")])
        age()
        with pytest.raises(InputError, match="doesn't fit"):
            add("d")
        queue.clear_queue()
        add("d")
        assert (saved.is_file(), added.is_file()) == (False, True)
        assert {known.name for known in store.inputs.list("ada")} == {"c.txt", "d.txt"}
