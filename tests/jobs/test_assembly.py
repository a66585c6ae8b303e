"""The finished sound: its length, its pauses, its loudness, its subtitles, and that an earlier one is never lost."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyloudnorm
import pytest
import scipy.signal
import soundfile

from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import Disk
from cosmos_workflow.jobs.document.schema import Audio
from cosmos_workflow.jobs.speech.assembly import assemble, final_state, finals
from cosmos_workflow.jobs.speech.chunks import Piece

RATE = 22050


def tone(path: Path, seconds: float, level: float = 0.1, rate: int = RATE, hertz: float = 440) -> Path:
    """A sine as a WAV."""
    time = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, level * np.sin(2 * np.pi * hertz * time), rate, subtype="PCM_16")
    return path


def speechlike(path: Path, seconds: float, level: float, seed: int = 0) -> Path:
    """Noise in syllables: loud and quiet parts as in speech."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    envelope = np.abs(np.sin(2 * np.pi * 2.5 * time)) * (np.sin(2 * np.pi * 0.2 * time) > -0.7)
    noise = np.convolve(random.standard_normal(len(time)), np.ones(8) / 8, "same")
    soundfile.write(path, level * envelope * noise, RATE, subtype="PCM_16")
    return path


@pytest.fixture
def pieces(tmp_path: Path) -> list[Piece]:
    """Three pieces of 1, 2 and 0.5 seconds, with a sentence's, then a paragraph's break between them."""
    return [
        Piece("rs_a", tone(tmp_path / "a.wav", 1.0), "One.", "", "sentence"),
        Piece("rs_b", tone(tmp_path / "b.wav", 2.0, hertz=880), "Two.", "anna", "paragraph"),
        Piece("rs_c", tone(tmp_path / "c.wav", 0.5), "Three.", "", ""),
    ]


def audio(**values: Any) -> Audio:
    """Audio settings as a job file gives them."""
    return Audio.model_validate({"pause": {"sentence": 0.25, "paragraph": 0.5, "speaker": 1.0}, **values})


@pytest.mark.parametrize("format", ["wav", "flac", "mp3"])
def test_pieces_are_joined_with_their_pauses(tmp_path: Path, pieces: list[Piece], format: str) -> None:
    final = assemble(pieces, audio(format=format), tmp_path / "out", "book")
    samples, rate = soundfile.read(final.path, dtype="float32")
    assert final.path.suffix == f".{format}"
    assert rate == RATE
    # An MP3 has its encoder's padding at both ends.
    assert len(samples) == pytest.approx(round(4.25 * RATE), abs=1 if format != "mp3" else 3000)
    assert final.seconds == pytest.approx(4.25, abs=0.001)
    assert final.starts == pytest.approx((0.0, 1.25, 3.75), abs=0.001)
    quiet = samples[round(3.3 * RATE) : round(3.7 * RATE)]
    assert np.max(np.abs(quiet)) < 0.001
    assert np.max(np.abs(samples[round(3.8 * RATE) : round(4.2 * RATE)])) == pytest.approx(0.1, abs=0.02)


def test_subtitles_say_when_each_piece_is_heard(tmp_path: Path, pieces: list[Piece]) -> None:
    final = assemble(pieces, audio(), tmp_path / "out", "book")
    assert final.subtitles.read_text() == (
        "1\n00:00:00,000 --> 00:00:01,000\nOne.\n\n"
        "2\n00:00:01,250 --> 00:00:03,250\nTwo.\n\n"
        "3\n00:00:03,750 --> 00:00:04,250\nThree.\n"
    )


def test_a_piece_without_a_break_follows_at_once(tmp_path: Path, pieces: list[Piece]) -> None:
    cut = [Piece(piece.run_id, piece.path, piece.text, "", "clause") for piece in pieces]
    assert assemble(cut, audio(), tmp_path / "out", "book").seconds == pytest.approx(3.5)


@pytest.mark.parametrize(("method", "target"), [("lufs", -23.0), ("lufs", -30.0), ("rms", -26.0), ("peak", -3.0)])
def test_loudness_is_what_was_asked_for(tmp_path: Path, method: str, target: float) -> None:
    pieces = [
        Piece(f"rs_{index}", speechlike(tmp_path / f"{index}.wav", 4, level, index), "x", "", "paragraph")
        for index, level in enumerate([0.05, 0.1, 0.02])
    ]
    final = assemble(pieces, audio(normalize={"method": method, "target": target}), tmp_path / "out", "book")
    samples, rate = soundfile.read(final.path)
    sounding = samples[samples != 0]
    measured = {
        "lufs": pyloudnorm.Meter(rate).integrated_loudness(samples),
        "rms": 10 * np.log10(np.mean(sounding**2)),
        "peak": 20 * np.log10(np.max(np.abs(samples))),
    }[method]
    assert final.note == ""
    assert measured == pytest.approx(target, abs=0.2)


def spiky(path: Path, seconds: float, seed: int = 0, rate: int = RATE) -> Path:
    """What has peaks 20 dB above its loudness, as many a voice: syllables, and a click now and then."""
    speechlike(path, seconds, 0.4, seed)
    sound, _ = soundfile.read(path)
    sound[:: rate // 7] *= 0
    sound[5 :: rate // 3] = 0.95
    soundfile.write(path, sound, rate, subtype="PCM_16")
    return path


def true_peak(path: Path) -> float:
    """dBTP, by four times oversampling with another library than the product's."""
    samples, _ = soundfile.read(path, always_2d=True)
    return 20 * np.log10(np.max(np.abs(scipy.signal.resample_poly(samples, 8, 1, axis=0))))


@pytest.mark.parametrize(("method", "target"), [("lufs", -16.0), ("lufs", -19.0), ("rms", -20.0)])
@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_peaks_are_limited_so_that_the_whole_is_as_loud_as_asked(tmp_path: Path, method: str, target: float, rate: int) -> None:
    pieces = [Piece(f"rs_{index}", spiky(tmp_path / f"{index}.wav", 3, index, rate), "x", "", "sentence") for index in range(3)]
    final = assemble(pieces, audio(normalize={"method": method, "target": target}), tmp_path / "out", "book")
    samples, _ = soundfile.read(final.path)
    sounding = samples[samples != 0]
    loud = 10 * np.log10(np.mean(sounding**2)) if method == "rms" else pyloudnorm.Meter(rate).integrated_loudness(samples)
    assert (final.note, loud) == ("", pytest.approx(target, abs=0.5))
    assert true_peak(final.path) <= -0.9
    told = json.loads(final.path.with_suffix(".json").read_text())
    assert told["peaks_limited"]
    # Where a piece is, and how long, is as it was.
    seconds = 3 * RATE / rate
    assert final.seconds == pytest.approx(3 * seconds + 0.5, abs=0.001)
    assert [piece["end"] - piece["start"] for piece in told["pieces"]] == pytest.approx([seconds] * 3, abs=0.001)


@pytest.mark.parametrize("method", ["lufs", "rms"])
def test_speakers_are_as_loud_as_each_other(tmp_path: Path, method: str) -> None:
    pieces = [
        Piece(f"rs_{index}", speechlike(tmp_path / f"{index}.wav", 3, level, index), "x", speaker, "speaker")
        for index, (speaker, level) in enumerate([("", 0.2), ("anna", 0.02), ("", 0.1), ("anna", 0.04), ("tom", 0.5)])
    ]
    short = Piece("rs_s", tone(tmp_path / "s.wav", 0.2), "Oh!", "bystander", "speaker")
    final = assemble([*pieces, short], audio(normalize={"method": method}), tmp_path / "out", "book")
    samples, rate = soundfile.read(final.path)
    told = json.loads(final.path.with_suffix(".json").read_text())["pieces"]

    def loud(speaker: str) -> float:
        own = [samples[round(one["start"] * rate) : round(one["end"] * rate)] for one in told if one["speaker"] == speaker]
        sound = np.concatenate(own)
        return 10 * np.log10(np.mean(sound**2)) if method == "rms" else pyloudnorm.Meter(rate).integrated_loudness(sound)

    assert [loud(speaker) for speaker in ("", "anna", "tom")] == pytest.approx([loud("")] * 3, abs=0.5)
    target = -20 if method == "rms" else -19
    whole = samples[samples != 0]
    measured = 10 * np.log10(np.mean(whole**2)) if method == "rms" else pyloudnorm.Meter(rate).integrated_loudness(samples)
    assert measured == pytest.approx(target, abs=0.5)
    # Within a speaker nothing is evened out: a shout stays louder than a whisper.
    assert told[1]["gain_db"] == told[3]["gain_db"] != told[0]["gain_db"] == told[2]["gain_db"]


def test_nothing_is_distorted_to_be_loud(tmp_path: Path) -> None:
    path = tmp_path / "clicks.wav"
    clicks = np.random.default_rng(0).standard_normal(RATE * 4) * 0.01
    clicks[::5000] = 0.8
    soundfile.write(path, clicks, RATE)
    final = assemble([Piece("rs_a", path, "x")], audio(normalize={"method": "lufs", "target": -9}), tmp_path / "out", "book")
    samples, _ = soundfile.read(final.path)
    assert np.max(np.abs(samples)) <= 10 ** (-1 / 20) + 0.001
    assert "dB quieter than -9 lufs" in final.note


def test_silence_is_left_as_it_is(tmp_path: Path) -> None:
    path = tone(tmp_path / "quiet.wav", 1.0, level=0.0)
    final = assemble([Piece("rs_a", path, "x")], audio(normalize={"method": "peak"}), tmp_path / "out", "book")
    assert "too quiet" in final.note


def test_pieces_of_different_rates_and_channels_go_together(tmp_path: Path, pieces: list[Piece]) -> None:
    stereo = tmp_path / "stereo.wav"
    soundfile.write(stereo, np.zeros((48000, 2)) + 0.05, 48000)
    final = assemble([*pieces, Piece("rs_d", stereo, "Four.")], audio(), tmp_path / "out", "book")
    info = soundfile.info(str(final.path))
    assert (info.samplerate, info.channels) == (48000, 2)
    assert final.seconds == pytest.approx(5.25, abs=0.001)


def test_an_earlier_final_is_kept(tmp_path: Path, pieces: list[Piece]) -> None:
    folder = tmp_path / "out"
    first = assemble(pieces, audio(), folder, "book")
    second = assemble(pieces[:2], audio(), folder, "book")
    assert [final.path for final in finals(folder)] == [first.path, second.path]
    assert finals(folder)[0] == first
    assert first.path.name == "book-001.wav"
    assert first.state == final_state(pieces, audio()) != second.state


def test_a_final_knows_the_runs_it_was_made_of(tmp_path: Path, pieces: list[Piece]) -> None:
    final = assemble(pieces, audio(), tmp_path / "out", "book")
    assert final.runs == ("rs_a", "rs_b", "rs_c")
    told = json.loads(final.path.with_suffix(".json").read_text())
    assert [piece["text"] for piece in told["pieces"]] == ["One.", "Two.", "Three."]


def test_what_would_sound_different_is_another_state(pieces: list[Piece]) -> None:
    states = [
        final_state(pieces, audio()),
        final_state(pieces, audio(format="mp3")),
        final_state(pieces, audio(normalize={"method": "peak"})),
        final_state(pieces[::-1], audio()),
        final_state(pieces[:2], audio()),
    ]
    assert len(set(states)) == len(states)


def test_a_damaged_piece_stops_the_whole(tmp_path: Path, pieces: list[Piece]) -> None:
    pieces[1].path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=re.escape("b.wav isn't a sound")):
        assemble(pieces, audio(), tmp_path / "out", "book")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_leaves_the_earlier_final(tmp_path: Path, pieces: list[Piece]) -> None:
    class FullDisk(Disk):
        def touching(self, path: Path) -> None:
            if path.suffix == ".json":
                raise OSError(28, "No space left on device")

    folder = tmp_path / "out"
    first = assemble(pieces, audio(), folder, "book")
    with pytest.raises(UnavailableError, match="disk is full"):
        assemble(pieces[:1], audio(), folder, "book", FullDisk())
    assert finals(folder) == [first]
    assert assemble(pieces[:1], audio(), folder, "book").number == 2


def test_starts_never_overlap(tmp_path: Path, pieces: list[Piece]) -> None:
    final = assemble(pieces * 5, audio(), tmp_path / "out", "book")
    assert all(before < after for before, after in pairwise(final.starts))
