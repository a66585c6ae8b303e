"""The loaded model: tokens and a voice's style in, sound out, and a way to stop it half-way."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cosmos_workflow.engines.base import Device
from cosmos_workflow.engines.kokoro.model_files import missing_voice, model_file, voice_file
from cosmos_workflow.engines.kokoro.phonemes import TOKENS
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.gpu_dispatch.platform import processors

SAMPLE_RATE = 24_000
STYLE_ROWS, STYLE_SIZE = 510, 256
WORKERS_VARIABLE = "COSMOS_WORKFLOW_CPU_WORKERS"
"""How many workers share this machine's cores, as whoever starts them says it."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether the item was cancelled."""

Sound = NDArray[np.float32]


def threads() -> int:
    """Threads of a session: the machine's cores, those that this process may use, divided by the workers."""
    workers = int(os.environ.get(WORKERS_VARIABLE, "1") or 1)
    return max(1, processors() // max(1, workers))


class KokoroModel:
    """One session. The same symbols, style and speed give the same samples, whatever came before and however many threads."""

    def __init__(self, folder: Path, device: Device) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()
        options.inter_op_num_threads = 1
        # A thread that spins while it waits takes the core from whoever else works: half as fast on a busy machine.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # The arena keeps the largest of everything it ever gave out: texts of ever new lengths would make it grow for long.
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(model_file(folder)), options, providers=_providers(device))
        except Exception as error:
            # The library's errors share no class but Exception.
            if type(error).__module__.startswith("onnxruntime"):
                raise UnavailableError(f"kokoro: {model_file(folder).name} can't be loaded ({error}); fetch it again.") from error
            raise
        self.provider: str = self._session.get_providers()[0]
        self._tokens_name = self._session.get_inputs()[0].name
        self._folder = folder
        self._voices: dict[str, Sound] = {}
        self._thread = ThreadPoolExecutor(1, "kokoro")

    def speak(self, symbols: str, mix: Mapping[str, float], speed: float, look: Callable[[], None]) -> Sound:
        """The samples of at most 510 symbols, at 24 kHz. `look` is called all the while; what it raises stops the model."""
        ids = [TOKENS[symbol] for symbol in symbols]
        rows = [np.float32(share) * self._voice(name)[len(ids) - 1] for name, share in mix.items()]
        feed = {
            self._tokens_name: np.array([[0, *ids, 0]], dtype=np.int64),
            "style": np.sum(rows, axis=0, dtype=np.float32).reshape(1, STYLE_SIZE),
            "speed": np.array([speed], dtype=np.float32),
        }
        options = onnxruntime.RunOptions()
        running = self._thread.submit(lambda: self._session.run(None, feed, options))
        try:
            while not wait((running,), LOOK_EVERY).done:
                look()
        except BaseException:
            options.terminate = True
            wait((running,))
            raise
        return np.asarray(running.result()[0], dtype=np.float32).ravel()

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown()

    def _voice(self, name: str) -> Sound:
        """A voice's styles, of shape (510, 256)."""
        if name not in self._voices:
            self._voices[name] = read_voice(self._folder, name)
        return self._voices[name]


def read_voice(folder: Path, name: str) -> Sound:
    """A voice's styles, of shape (510, 256)."""
    path = voice_file(folder, name)
    if path is None:
        raise UnavailableError(f"{missing_voice(name)}.")
    if path.stem != name:
        with np.load(path, allow_pickle=False) as voices:
            return np.asarray(voices[name], dtype=np.float32).reshape(STYLE_ROWS, STYLE_SIZE)
    return np.fromfile(path, dtype="<f4").reshape(STYLE_ROWS, STYLE_SIZE)


def _providers(device: Device) -> list[str]:
    wanted = ["CUDAExecutionProvider", "CPUExecutionProvider"] if device.is_gpu else ["CPUExecutionProvider"]
    return [name for name in wanted if name in onnxruntime.get_available_providers()]
