"""Writes into its channel what is no frame, or none of ours, as a library may that closes the wrong file."""

import os
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker, channel

JUNK = {
    "text": b"a line that was meant for a log\n" * 5,
    "kind": channel._HEADER.pack(channel._MARK, 99, 0, 1, 4) + b"junk",
    "length": channel._HEADER.pack(channel._MARK, channel.Kind.SUCCESS, 0, 1, 1 << 60),
    "buffers": channel._HEADER.pack(channel._MARK, channel.Kind.SUCCESS, 1, 1, 4) + (1 << 60).to_bytes(8, "little"),
}


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, how: str, **kwargs: Any) -> None:
        self.junk = JUNK[how]

    def process(self, data: Any) -> Any:
        if data == "bad":
            assert self._link is not None
            os.write(self._link._channel.fileno(), self.junk)
            signal.pause()
        return data
