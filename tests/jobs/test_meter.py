"""The loudness meter beside the standard's own figures and other meters."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest

from cosmos_workflow.jobs.speech.meter import LoudnessMeter


def _sine(rate: int, seconds: float, amplitude: float = 1.0) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 997 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)[:, None]


def _measured(sound: np.ndarray, rate: int, block: int = 30_000) -> float | None:
    meter = LoudnessMeter(rate, sound.shape[1])
    for start in range(0, len(sound), block):
        meter.push(sound[start : start + block])
    return meter.close()


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_a_full_sine_in_one_channel_has_the_loudness_that_the_recommendation_states(rate: int):
    assert _measured(_sine(rate, 3), rate) == pytest.approx(-3.01, abs=0.06)


def test_two_channels_are_three_decibels_louder_than_one():
    sound = _sine(48_000, 3, 0.1)
    assert _measured(np.repeat(sound, 2, axis=1), 48_000) == pytest.approx(-20.0, abs=0.05)


def test_silence_and_quiet_stretches_are_left_out():
    rate, loud = 22_050, _sine(22_050, 5, 0.1)
    quiet, nothing = loud * 0.05, np.zeros((20 * rate, 1), np.float32)
    whole = np.concatenate([loud, nothing, quiet, nothing])
    assert _measured(whole, rate) == pytest.approx(_measured(loud, rate), abs=0.3)


@pytest.mark.parametrize("rate", [22_050, 48_000])
def test_noise_that_swells_measures_as_by_another_meter(rate: int):
    random = np.random.default_rng(5)
    sound = random.normal(0, 0.1, 12 * rate) * np.repeat(np.linspace(0.02, 1, 24), rate // 2)
    sound = sound.astype(np.float32)[:, None]
    assert _measured(sound, rate) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(sound), abs=0.1)


@pytest.mark.parametrize("sound", [np.zeros((0, 1)), np.zeros((99_000, 1)), _sine(22_050, 0.39)], ids=["none", "silent", "short"])
def test_what_cannot_be_measured_has_no_loudness(sound: np.ndarray):
    assert _measured(sound.astype(np.float32), 22_050) is None


def test_the_blocks_it_comes_in_make_no_difference():
    sound = np.random.default_rng(1).normal(0, 0.1, (50_000, 1)).astype(np.float32)
    one, other = _measured(sound, 22_050), _measured(sound, 22_050, 777)
    assert one is not None
    assert other is not None
    assert math.isclose(one, other, abs_tol=1e-9)
