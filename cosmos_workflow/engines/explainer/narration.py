"""What is heard: the built-in speech, or a sound that was made beforehand, as 16-bit mono at 48 kHz."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_workflow.engines.base import Device, Request
from cosmos_workflow.engines.espeak import EspeakParams
from cosmos_workflow.engines.espeak.engine import EspeakEngine
from cosmos_workflow.engines.explainer import MAX_SOUND_SECONDS, ExplainerParams
from cosmos_workflow.errors import InputError
from cosmos_workflow.media import _open as open_media
from cosmos_workflow.media import write_sound

if TYPE_CHECKING:
    import numpy as np

RATE = 48_000

Look = Callable[[], None]


def speak(text: str, params: ExplainerParams, folder: Path, look: Look) -> Path:
    """Speak a scene's narration into a WAV of `folder`, which is empty; `look` may raise to stop it."""
    speech = EspeakEngine()
    device = Device()
    speech.load(device)
    told = EspeakParams(voice=params.voice, rate=params.rate, pitch=params.pitch, sample_rate="48000")
    request = Request("narration", text, told, {}, {}, folder)
    made = speech.generate_one(request, _Listening(device, look))
    return folder / made.files["audio"]


def take_sound(source: Path, target: Path, look: Look) -> Path:
    """Write a given sound as the WAV `target`; raises InputError where it can't be decoded or is too long."""
    write_sound(target, _decoded(source, look), RATE, "wav")
    return target


class _Listening:
    """The speech engine's `Context`: it asks for nothing but to be stopped."""

    def __init__(self, device: Device, look: Look) -> None:
        self.device = device
        self._look = look

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        self._look()

    def is_cancelled(self, item_id: str) -> bool:
        return False


def _decoded(source: Path, look: Look) -> Iterator[np.ndarray[Any, np.dtype[np.int16]]]:
    import av
    from av.error import FFmpegError

    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    samples = 0
    with open_media(source, "sound") as container:
        try:
            for frame in container.decode(container.streams.audio[0]):
                look()
                for made in resampler.resample(frame):
                    samples += made.samples
                    yield made.to_ndarray()[0]
                if samples > MAX_SOUND_SECONDS * RATE:
                    raise InputError(
                        f"explainer: {source.name} is longer than it says; a scene's sound lasts at most {MAX_SOUND_SECONDS} s."
                    )
            for made in resampler.resample(None):
                yield made.to_ndarray()[0]
        except FFmpegError as error:
            raise InputError(f"explainer: {source.name} can't be decoded ({error.strerror}); choose another file.") from error
