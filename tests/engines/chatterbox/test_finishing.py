"""A waveform's end and speed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cosmos_workflow.engines.chatterbox.finishing import at_speed, without_tail

RATE = 24_000


def _tone(seconds: float, level: float = 0.3) -> Any:
    return (level * np.sin(2 * np.pi * 220 * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def _hiss(seconds: float, level: float) -> Any:
    return (level * np.random.default_rng(0).standard_normal(round(RATE * seconds))).astype(np.float32)


def _ending(*parts: Any) -> float:
    """Seconds that stay behind a second of speech with these parts behind it."""
    wave = np.concatenate([_tone(1), *parts])
    kept = without_tail(wave, RATE)
    assert (kept[:RATE] == wave[:RATE]).all()
    return len(kept) / RATE - 1


def test_noise_behind_the_speech_is_cut_off() -> None:
    assert _ending(_hiss(1, 0.0005)) == pytest.approx(0.1, abs=0.02)
    assert _ending(_hiss(0.4, 0.0005), _tone(0.05, 0.2), _hiss(0.3, 0.0005)) == pytest.approx(0.1, abs=0.02), "a click"


def test_the_end_of_a_word_stays() -> None:
    assert _ending() == 0
    assert _ending(_hiss(0.05, 0.0005)) == pytest.approx(0.05), "nothing is added"
    plosive = (_hiss(0.08, 0.0), _hiss(0.03, 0.05))
    assert _ending(*plosive, _hiss(0.5, 0.0)) == pytest.approx(0.08 + 0.04 + 0.1, abs=0.03)
    assert _ending(_hiss(0.5, 0.0), _tone(0.4, 0.1)) == pytest.approx(0.9), "a word after a pause"


@pytest.mark.parametrize("wave", [np.zeros(0, np.float32), np.zeros(100, np.float32), np.zeros(RATE, np.float32)])
def test_what_has_no_speech_is_left_alone(wave: Any) -> None:
    assert without_tail(wave, RATE) is wave
    assert len(at_speed(wave, RATE, 1.0)) == len(wave)


@pytest.mark.parametrize("speed", [0.5, 0.8, 1.25, 2.0])
def test_another_speed_keeps_the_pitch(speed: float) -> None:
    wave = at_speed(_tone(3), RATE, speed)
    assert wave.dtype == np.float32
    assert len(wave) / RATE == pytest.approx(3 / speed, rel=0.04)
    middle = wave[len(wave) // 2 - RATE // 2 :][:RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(220, abs=3)
