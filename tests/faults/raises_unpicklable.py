"""Raises what can't be pickled, can't be unpickled, and can't even say what it is."""

import threading
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class HostileError(Exception):
    def __init__(self, one: object, two: object) -> None:
        super().__init__(threading.Lock())

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            raise HostileError(1, 2)
        return data
