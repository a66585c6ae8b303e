"""What is heard: the built-in speech, or a sound that was made beforehand, as 16-bit mono at 48 kHz."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_workflow.engines.base import Device, Request
from cosmos_workflow.engines.espeak import EspeakParams
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.explainer import MAX_SOUND_SECONDS, ExplainerParams
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import read_sound, write_sound

if TYPE_CHECKING:
    from cosmos_workflow.media import Samples

RATE = 48_000

Look = Callable[[], None]


def speak(text: str, params: ExplainerParams, folder: Path, look: Look) -> Path:
    """Speak a scene's narration into a WAV of `folder`, which is empty; `look` may raise to stop it."""
    speech = EspeakEngine()
    device = Device()
    speech.load(device)
    told = EspeakParams(voice=params.voice, rate=params.rate, pitch=params.pitch, sample_rate="48000")
    request = Request(text, told, {}, {}, id="narration", folder=folder)
    try:
        made = speech.generate_one(request, _Listening(device, look))
    finally:
        speech.close()
    return folder / made.files["audio"]


def take_sound(source: Path, target: Path, look: Look) -> Path:
    """Write a given sound as the WAV `target`; raises InputError where it can't be decoded or is too long."""
    try:
        write_sound(target, _watched(read_sound(source, RATE, MAX_SOUND_SECONDS), look), RATE, "wav")
    except InputError as error:
        raise InputError(f"explainer: {error}") from error
    return target


def _watched(blocks: Iterable[Samples], look: Look) -> Iterator[Samples]:
    for block in blocks:
        look()
        yield block


class _Listening:
    """The speech engine's `Context`: it asks for nothing but to be stopped."""

    def __init__(self, device: Device, look: Look) -> None:
        self.device = device
        self._look = look

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        self._look()

    def is_cancelled(self, item_id: str) -> bool:
        return False
