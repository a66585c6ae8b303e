"""Misbehaves in the way that the task names."""

import os
import signal
import time
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker, TaskCancelledError


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, broken: bool = False, **kwargs: Any) -> None:
        if broken:
            raise RuntimeError("broken")

    def process(self, data: Any) -> Any:
        match data:
            case "raise":
                raise ValueError("bad")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                while True:
                    time.sleep(600)
            case "hold":
                while not self.cancelled:
                    time.sleep(0.002)
                raise TaskCancelledError
            case "talk":
                for number in range(20):
                    self.report(number)
        return data
