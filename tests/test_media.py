"""Clips and sounds as files: what is written plays, what is read is what was written, what isn't media is refused."""

from __future__ import annotations

import os
import resource
import signal
import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.clips.looking import probe_clip
from cosmos_workflow.clips.reading import read_frames, resample_frames
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.media import ClipWriter, probe_sound, read_sound, resample_sound, sound_peaks, write_sound

if TYPE_CHECKING:
    from cosmos_workflow.media import Frame

CORNERS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def quarters(width: int, height: int) -> Frame:
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = CORNERS["red"]
    picture[: height // 2, width // 2 :] = CORNERS["green"]
    picture[height // 2 :, : width // 2] = CORNERS["blue"]
    picture[height // 2 :, width // 2 :] = CORNERS["white"]
    return picture


def corners(picture: Frame) -> list[str]:
    """Names of the colours at the upper left, upper right, lower left and lower right."""
    at = [picture[4, 4], picture[4, -5], picture[-5, 4], picture[-5, -5]]
    return [min(CORNERS, key=lambda name: int(np.abs(pixel.astype(int) - CORNERS[name]).max())) for pixel in at]


def write_clip(path: Path, frames: int = 12, width: int = 64, height: int = 48, fps: int = 12) -> Path:
    with ClipWriter(path, width, height, fps) as clip:
        for number in range(frames):
            picture = quarters(width, height)
            picture[height // 2 - 4 : height // 2 + 4, :8] = number * 8
            clip.write(picture)
    return path


def test_a_written_clip_has_its_size_rate_length_and_colours(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", frames=30)
    info = probe_clip(path)
    assert (info.width, info.height, info.fps, info.frames, info.codec) == (64, 48, 12.0, 30, "h264")
    assert info.seconds == pytest.approx(2.5)
    assert not info.has_sound
    frames = list(read_frames(path))
    assert len(frames) == 30
    assert [round(start * 12) for _, start, _ in frames] == list(range(30))
    assert all(end == pytest.approx(following) for (_, _, end), (_, following, _) in pairwise(frames))
    assert frames[-1][2] == pytest.approx(2.5)
    for picture, _, _ in frames:
        assert corners(picture) == ["red", "green", "blue", "white"]
        assert np.abs(picture[4, 4].astype(int) - CORNERS["red"]).max() < 12


def test_a_written_clip_is_made_for_browsers(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4")
    data = path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.pix_fmt == "yuv420p"
        frame = next(container.decode(stream))
        assert (frame.colorspace, frame.color_range) == (1, 1)


def test_a_clip_is_written_without_what_makes_its_bytes_differ_from_one_time_to_the_next(tmp_path: Path) -> None:
    # The encoder writes its settings into the file; its macroblock tree reads memory that was never written.
    assert b" mbtree=0 " in write_clip(tmp_path / "clip.mp4").read_bytes()


def test_a_clip_that_fails_on_the_way_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    clip = ClipWriter(path, 64, 48, 12)
    clip.write(quarters(64, 48))
    with pytest.raises(RuntimeError, match="stop"), clip:
        raise RuntimeError("stop")
    assert not path.exists()


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (0, 2)])
def test_an_odd_size_cannot_be_written(tmp_path: Path, width: int, height: int) -> None:
    with pytest.raises(ValueError, match="even"):
        ClipWriter(tmp_path / "clip.mp4", width, height, 12)
    assert list(tmp_path.iterdir()) == []


def test_a_turned_clip_is_read_as_it_is_shown(tmp_path: Path) -> None:
    data = bytearray(write_clip(tmp_path / "clip.mp4").read_bytes())
    # The display matrix of an upright phone: it starts 36 bytes into the track header and says "a quarter to the right".
    matrix = data.index(b"tkhd") + 4 + 40
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data)
    info = probe_clip(turned)
    assert (info.width, info.height) == (48, 64)
    picture, _, _ = next(read_frames(turned))
    assert picture.shape == (64, 48, 3)
    assert corners(picture) == ["blue", "red", "white", "green"]


def _timed(count: int, fps: Fraction) -> Iterator[tuple[Frame, float, float]]:
    for number in range(count):
        yield np.full((1, 1, 3), number % 256, np.uint8), float(number / fps), float((number + 1) / fps)


rates = st.sampled_from(
    [Fraction(n) for n in (1, 5, 10, 12, 24, 25, 30, 50, 60)] + [Fraction(24000, 1001), Fraction(30000, 1001)]
)


@given(count=st.integers(1, 200), source=rates, target=rates)
def test_another_rate_keeps_the_duration_and_the_order(count: int, source: Fraction, target: Fraction) -> None:
    shown = [int(frame[0, 0, 0]) for frame, times in resample_frames(_timed(count, source), target) for _ in range(times)]
    wanted = count / source * target
    assert abs(len(shown) - max(1, wanted)) <= 0.5 + 1e-3
    assert shown == sorted(shown)
    for number, frame in enumerate(shown):
        # What is shown in a slot is what the clip shows in its middle, give or take the rounding of a time stamp.
        assert abs(frame - min(count - 1, int((number + Fraction(1, 2)) / target * source))) <= 1
    if source == target:
        assert shown == list(range(count))


def test_frames_may_last_differently(tmp_path: Path) -> None:
    path = tmp_path / "uneven.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=100)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100)
        for number, pts in enumerate([0, 10, 50, 60]):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 60 * number, np.uint8), format="rgb24")
            picture.pts, picture.time_base = pts, Fraction(1, 100)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    shown = [
        round(int(frame[9, 9, 0]) / 60) for frame, times in resample_frames(read_frames(path), Fraction(10)) for _ in range(times)
    ]
    # The last frame lasts a hundredth of a second: less than half a slot.
    assert shown == [0, 1, 1, 1, 1, 2]


def _sound(path: Path, seconds: float = 1.0, rate: int = 22050) -> Path:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.int16)
    write_sound(path, np.array_split(tone, 7), rate, "flac" if path.suffix == ".flac" else "wav")
    return path


@pytest.mark.parametrize("name", ["tone.wav", "tone.flac"])
def test_a_written_sound_is_what_its_header_says(tmp_path: Path, name: str) -> None:
    info = probe_sound(_sound(tmp_path / name))
    assert (info.sample_rate, info.channels) == (22050, 1)
    assert info.seconds == pytest.approx(1.0, abs=0.001)


@given(
    blocks=st.lists(st.integers(100, 3000), min_size=1, max_size=8),
    rates=st.sampled_from([(22050, 48000), (48000, 22050), (24000, 24000)]),
)
def test_resampling_keeps_duration_and_does_not_depend_on_the_blocks(blocks: list[int], rates: tuple[int, int]) -> None:
    source, target = rates
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(sum(blocks)) / source)).astype(np.int16)
    whole = np.concatenate(list(resample_sound([tone], source, target)))
    parts = np.concatenate(list(resample_sound(np.split(tone, np.cumsum(blocks)[:-1]), source, target)))
    assert np.array_equal(whole, parts)
    assert abs(len(whole) - len(tone) * target / source) <= 2


def test_a_resampled_tone_is_the_same_tone(tmp_path: Path) -> None:
    samples = soundfile.read(_sound(tmp_path / "tone.wav"), dtype="int16")[0].astype(np.int16)
    resampled = np.concatenate(list(resample_sound([samples], 22050, 48000)))
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(len(resampled)) / 48000)
    assert np.abs(resampled[500:-500] - expected[500:-500]).max() < 80


def test_a_sound_that_fails_on_the_way_is_deleted(tmp_path: Path) -> None:
    def broken() -> Iterator[np.ndarray]:
        yield np.zeros(100, np.int16)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_sound(tmp_path / "tone.wav", broken(), 22050, "wav")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow past 20,000 bytes, as if the disk were full then."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    usual = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, usual)


def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(tmp_path: Path, small_disk: None) -> None:
    noise = np.random.default_rng(1)

    def write_noise() -> None:
        with ClipWriter(tmp_path / "clip.mp4", 64, 48, 12) as clip:
            for _ in range(40):
                clip.write(noise.integers(0, 256, (48, 64, 3), np.uint8))

    with pytest.raises(UnavailableError, match=r"clip.mp4 can't be written"):
        write_noise()
    with pytest.raises(UnavailableError, match=r"tone.wav can't be written"):
        write_sound(tmp_path / "tone.wav", [noise.integers(-9999, 9999, 50_000, np.int16)], 22050, "wav")
    assert list(tmp_path.iterdir()) == []


def _no_clips(folder: Path) -> dict[str, Path]:
    """Files that somebody may take for a clip, by what is wrong with them."""
    good = write_clip(folder / "good.mp4")
    data = good.read_bytes()
    contents = {
        "text": b"this is no clip\n" * 50,
        "empty": b"",
        "noise": os.urandom(5000),
        "cut": data[: data.index(b"mdat") - 20],
        "without pictures": data[: data.index(b"mdat") + 4],
        "playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{good}\n#EXT-X-ENDLIST\n".encode(),
        "concat": f"ffconcat version 1.0\nfile '{good}'\n".encode(),
        "sound": _sound(folder / "tone.wav").read_bytes(),
    }
    paths = {what: folder / f"{what}.mp4" for what in contents}
    for what, content in contents.items():
        paths[what].write_bytes(content)
    return {**paths, "missing": folder / "missing.mp4", "folder": folder}


@pytest.mark.parametrize(
    "what", ["text", "empty", "noise", "cut", "without pictures", "playlist", "concat", "sound", "missing", "folder"]
)
def test_what_is_no_clip_is_refused_in_one_sentence(tmp_path: Path, what: str) -> None:
    path = _no_clips(tmp_path)[what]
    for attempt in (lambda: probe_clip(path), lambda: list(read_frames(path))):
        with pytest.raises(InputError) as caught:
            attempt()
        sentence = str(caught.value)
        assert path.name in sentence
        assert "choose" in sentence
        assert str(tmp_path) not in sentence
        assert "\n" not in sentence


def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for what in ("text", "empty", "playlist", "missing"):
        with pytest.raises(InputError, match="choose"):
            probe_sound(_no_clips(tmp_path)[what])
    with pytest.raises(InputError, match="holds no sound"):
        probe_sound(write_clip(tmp_path / "silent.mp4"))


def test_a_sound_is_read_as_mono_at_the_wanted_rate(tmp_path: Path) -> None:
    time = np.arange(44_100) / 44_100
    soundfile.write(tmp_path / "tone.flac", 0.5 * np.sin(2 * np.pi * 440 * np.stack([time, time], 1)), 44_100)
    samples = np.concatenate(list(read_sound(tmp_path / "tone.flac", 48_000)))
    assert samples.dtype == np.int16
    assert len(samples) == pytest.approx(48_000, abs=2)
    assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(440, abs=1)
    assert len(list(read_sound(tmp_path / "tone.flac", 48_000, 1.1))) > 1
    with pytest.raises(InputError, match=r"tone\.flac lasts longer than 0\.5 s"):
        list(read_sound(tmp_path / "tone.flac", 48_000, 0.5))


def test_what_is_no_sound_is_told_when_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"a\.wav isn't a sound that can be read"):
        list(read_sound(tmp_path / "a.wav", 48_000))


def test_the_peaks_of_a_sound_stand_where_it_is_loud(tmp_path: Path) -> None:
    samples = np.zeros(30_000, dtype=np.int16)
    samples[15_000:20_000] = 16_384
    write_sound(tmp_path / "s.wav", [samples], 10_000, "wav")
    assert sound_peaks(tmp_path / "s.wav", 6) == (3.0, [0, 0, 0, 0.5, 0, 0])
    (tmp_path / "s.txt").write_text("no sound")
    with pytest.raises(InputError, match=r"s\.txt isn't a sound"):
        sound_peaks(tmp_path / "s.txt", 6)
