"""What is kept between videos: whole or not there, checked when used, bounded, and tidied by `repair`."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from explainer_support import SHORT

from cosmos_workflow.engines.explainer.cache import ASIDE, Cache, cache_folder, check_cache, outline_problem
from cosmos_workflow.engines.explainer.outline import parse_outline

KEY = "0123456789abcdef" * 2


@pytest.fixture
def kept(tmp_path: Path) -> Cache:
    """A cache with one outline in it."""
    cache = Cache(tmp_path / "cache")
    source = tmp_path / "outline.json"
    source.write_text(parse_outline(SHORT, "short").model_dump_json())
    cache.keep("outline", KEY, source)
    return cache


def take(cache: Cache, target: Path) -> bool:
    return cache.take("outline", KEY, target, "outline", outline_problem)


def only(cache: Cache) -> Path:
    (path,) = cache.folder.iterdir()
    return path


def test_it_is_in_the_home_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == tmp_path / "home" / "cache" / "explainer"
    monkeypatch.delenv("COSMOS_WORKFLOW_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "cosmos-workflow" / "explainer"


def test_what_is_kept_is_found_again(kept: Cache, tmp_path: Path) -> None:
    assert take(kept, tmp_path / "again.json")
    assert parse_outline((tmp_path / "again.json").read_text(), "again").title == "Short"
    assert not kept.take("outline", "f" * 32, tmp_path / "none.json", "outline", outline_problem)
    assert kept.notes == []


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "it is empty"), (b'{"error": "rate limit"}', "its content isn't what was written")]
)
def test_a_broken_file_is_found_said_and_gone(kept: Cache, tmp_path: Path, content: bytes, says: str) -> None:
    only(kept).write_bytes(content)
    assert not take(kept, tmp_path / "again.json")
    assert kept.notes == [f"The kept outline was broken ({says}), so it was made again."]
    assert list(kept.folder.iterdir()) == []


def test_an_error_message_kept_as_an_outline_is_found(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    error = tmp_path / "error.json"
    error.write_text('{"error": {"message": "rate limit"}}')
    cache.keep("outline", KEY, error)
    assert check_cache(cache.folder) != []
    assert not take(cache, tmp_path / "again.json")
    assert cache.notes == ["The kept outline was broken (it isn't an outline), so it was made again."]


def test_repair_tells_what_is_broken_and_puts_it_aside_only_when_told_to(kept: Cache) -> None:
    sound, now = only(kept), time.time()
    empty = kept.folder / f"scene-{KEY}-{'0' * 32}.mp4"
    empty.touch()
    message = kept.folder / f"outline-{KEY}-{'1' * 32}.json"
    message.write_text("503 Service Unavailable")
    half = kept.folder / ".tmp_dead"
    half.write_bytes(b"half")
    os.utime(half, (now - 7200, now - 7200))
    being_written = kept.folder / ".tmp_alive"
    being_written.write_bytes(b"half")
    foreign = kept.folder / "notes.txt"
    foreign.write_text("mine")
    expected = {
        empty.name: "It is empty.",
        message.name: "Its content isn't what was written.",
        half.name: "It was left behind half written.",
    }
    assert dict(check_cache(kept.folder)) == expected
    assert len(list(kept.folder.iterdir())) == 6
    assert dict(check_cache(kept.folder, apply=True)) == expected
    assert {path.name for path in kept.folder.iterdir()} == {sound.name, being_written.name, foreign.name, ASIDE}
    assert {path.name for path in (kept.folder / ASIDE).iterdir()} == set(expected)
    assert check_cache(kept.folder) == []
    assert check_cache(kept.folder / "nowhere") == []


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for number in range(4):
        source = tmp_path / f"{number}.mp4"
        source.write_bytes(bytes([number]) * 1000)
        cache.keep("scene", f"{number:032x}", source)
        (path,) = cache.folder.glob(f"scene-{number:032x}-*")
        os.utime(path, (1000 + number, 1000 + number))
    assert cache.take("scene", f"{0:032x}", tmp_path / "used.mp4", "clip", lambda _: "")
    cache.prune(2500)
    assert sorted(path.name.split("-")[1][-1] for path in cache.folder.iterdir()) == ["0", "3"]


def test_a_cache_that_cannot_be_written_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    cache = Cache(tmp_path / "cache")
    source = tmp_path / "outline.json"
    source.write_text("{}")
    cache.keep("outline", KEY, source)
    cache.keep("outline", KEY, source)
    assert len(cache.notes) == 1
    assert cache.notes[0].startswith("What was made can't be kept for the next time: ")
    cache.prune()
