"""Forks in `process`, and both go on; by Python's own call, or behind its back as native code does."""

import ctypes
import os
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, natively: bool, **kwargs: Any) -> None:
        self.fork = ctypes.PyDLL(None).fork if natively else os.fork

    def process(self, data: Any) -> Any:
        if data == "bad":
            self.fork()
        return data
