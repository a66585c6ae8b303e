"""Files of a book as players see them: read back by PyAV, by mutagen, and by ear (where each sound begins)."""

from __future__ import annotations

import itertools
from concurrent.futures import CancelledError
from pathlib import Path
from threading import Event
from typing import Any

import av
import mutagen
import numpy as np
import pytest
import soundfile
from book_support import picture

from cosmos_workflow.books.output.binding import Part, bind, encode
from cosmos_workflow.books.output.formats import FORMATS
from cosmos_workflow.books.output.tags import Tags
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import read_sound

RATE = 24_000
TITLES = ("The Rope", "Die Flut ü", "第三章")
TAGS = Tags("The Keeper", ("Ada Example", "Ben Sample"), "af_heart (Kokoro)", "en-gb", 1911, cover=cover_of(picture()))


@pytest.fixture
def parts(tmp_path: Path, request: pytest.FixtureRequest) -> list[Part]:
    """Half a second of silence, and three chapters of a second with a second between them, as the format takes them."""
    name: str = request.getfixturevalue("name")
    time = np.arange(RATE) / RATE
    made: list[Part] = [_part(tmp_path, name, None, 0.5, "")]
    for number, title in enumerate(TITLES):
        sound = tmp_path / f"{number}.flac"
        soundfile.write(sound, 0.3 * np.sin(2 * np.pi * (300 + 100 * number) * time), RATE)
        made += [*([_part(tmp_path, name, None, 1.0, "")] if number else []), _part(tmp_path, name, sound, 1.0, title)]
    return [*made, _part(tmp_path, name, None, 1.0, "")]


def _part(folder: Path, name: str, sound: Path | None, seconds: float, title: str) -> Part:
    if FORMATS[name].lossless:
        return Part(sound, seconds, title)
    path = folder / f"{sound.stem if sound else seconds}.part"
    return Part(path, encode(sound, seconds, path, name, RATE), title)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(FORMATS))
def test_chapters_begin_where_they_sound(tmp_path: Path, name: str, parts: list[Part]) -> None:
    path = tmp_path / f"book.{name}"

    marks = bind(parts, path, name, RATE, TAGS)

    assert [title for title, _, _ in marks] == list(TITLES)
    sound = np.concatenate(list(read_sound(path, RATE))).astype(float) / 32768
    loud = np.flatnonzero(np.abs(sound) > 0.1)
    onsets = [loud[0], *(here for before, here in itertools.pairwise(loud) if here - before > RATE / 2)]
    expected = [0.5, marks[1][1], marks[2][1]]
    # What an encoder needs to begin with is silence of at most a twentieth of a second, once a part.
    assert [onset / RATE for onset in onsets] == pytest.approx(expected, abs=0.1)
    quiet = [sound[round((mark - 0.4) * RATE) : round((mark - 0.1) * RATE)] for mark in expected]
    assert max(np.max(np.abs(stretch)) for stretch in quiet) < 0.01  # the seams don't click
    assert len(sound) / RATE == pytest.approx(6.5, abs=0.6)


@pytest.mark.parametrize("name", ["m4b", "mp3", "opus"])
def test_players_find_the_chapters(tmp_path: Path, name: str, parts: list[Part]) -> None:
    path = tmp_path / f"book.{name}"

    marks = bind(parts, path, name, RATE, TAGS)

    with av.open(str(path)) as container:
        found = [
            (chapter["metadata"]["title"], float(chapter["start"] * (chapter["time_base"] or 0)))
            for chapter in container.chapters()
        ]
    assert [title for title, _ in found] == list(TITLES)
    # Ogg's demuxer of libav rounds its chapters to another second; what stands in the file is below.
    if name != "opus":
        assert [start for _, start in found] == pytest.approx([start for _, start, _ in marks], abs=0.002)


@pytest.mark.parametrize("name", ["opus", "flac"])
def test_chapters_of_ogg_and_flac_are_comments(tmp_path: Path, name: str, parts: list[Part]) -> None:
    marks = bind(parts, tmp_path / "book", name, RATE, TAGS)

    comments: Any = mutagen.File(tmp_path / "book").tags  # type: ignore[union-attr]

    assert [comments[f"CHAPTER00{number}NAME"] for number in (1, 2, 3)] == [[title] for title in TITLES]
    clock = comments["CHAPTER003"][0].split(":")
    assert int(clock[0]) * 3600 + int(clock[1]) * 60 + float(clock[2]) == pytest.approx(marks[2][1], abs=0.002)


@pytest.mark.parametrize("name", ["m4b"])
def test_an_m4b_is_an_audiobook_to_its_player(tmp_path: Path, name: str, parts: list[Part]) -> None:
    path = tmp_path / "book.m4b"
    bind(parts, path, name, RATE, TAGS)

    found: Any = mutagen.File(path)

    assert path.read_bytes()[4:12] == b"ftypM4B "
    assert path.read_bytes().find(b"moov") < path.read_bytes().find(b"mdat")  # it begins to play before it is whole
    assert found["stik"] == [2]
    assert (found["©nam"], found["©alb"], found["©ART"]) == (["The Keeper"], ["The Keeper"], ["Ada Example, Ben Sample"])
    assert (found["©wrt"], found["©day"], found["©gen"]) == (["af_heart (Kokoro)"], ["1911"], ["Audiobook"])
    assert bytes(found["covr"][0]) == TAGS.cover
    with av.open(str(path)) as container:
        assert container.streams.audio[0].metadata["language"] == "eng"


@pytest.mark.parametrize("name", ["mp3"])
def test_an_mp3_has_id3_with_its_cover(tmp_path: Path, name: str, parts: list[Part]) -> None:
    bind(parts, tmp_path / "book.mp3", name, RATE, TAGS)

    found: Any = mutagen.File(tmp_path / "book.mp3")

    assert (found["TIT2"], found["TPE1"], found["TCOM"]) == ("The Keeper", "Ada Example, Ben Sample", "af_heart (Kokoro)")
    assert (str(found["TDRC"]), found["TLAN"]) == ("1911", "eng")
    assert found["APIC:"].data == TAGS.cover
    assert [str(found[f"CHAP:ch{number}"].sub_frames["TIT2"]) for number in range(3)] == list(TITLES)


@pytest.mark.parametrize("name", ["opus", "flac"])
def test_ogg_and_flac_have_their_cover(tmp_path: Path, name: str, parts: list[Part]) -> None:
    import base64

    from mutagen.flac import Picture

    bind(parts, tmp_path / "book", name, RATE, TAGS)

    found: Any = mutagen.File(tmp_path / "book")

    pictures = found.pictures if name == "flac" else [Picture(base64.b64decode(found["METADATA_BLOCK_PICTURE"][0]))]
    assert [one.data for one in pictures] == [TAGS.cover]


def test_as_stores_want_an_mp3(tmp_path: Path) -> None:
    sound = tmp_path / "a.flac"
    soundfile.write(sound, 0.3 * np.sin(np.arange(RATE) / 10), RATE)
    part = tmp_path / "a.part"

    bind([Part(part, encode(sound, 1.0, part, "mp3", 44_100), "One")], tmp_path / "a.mp3", "mp3", 44_100, TAGS)

    info: Any = mutagen.File(tmp_path / "a.mp3").info  # type: ignore[union-attr]
    assert (info.sample_rate, info.channels, round(info.bitrate, -3)) == (44_100, 1, 192_000)


def test_a_sound_that_cant_be_read_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(b"no sound")

    with pytest.raises(InputError):
        encode(tmp_path / "a.flac", 1.0, tmp_path / "a.part", "m4b", RATE)
    with pytest.raises(InputError):
        bind([Part(tmp_path / "gone.part", 1.0, "One")], tmp_path / "a.m4b", "m4b", RATE, TAGS)

    assert [path.name for path in tmp_path.iterdir()] == ["a.flac"]


def test_what_is_stopped_leaves_no_file(tmp_path: Path) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(CancelledError):
        encode(None, 5.0, tmp_path / "a.m4a", "m4b", RATE, stop)
    assert list(tmp_path.iterdir()) == []
