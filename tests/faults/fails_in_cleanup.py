"""Raises, hangs or exits in `cleanup`, as told at setup."""

import os
import time
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, how: str = "", **kwargs: Any) -> None:
        self.how = how

    def process(self, data: Any) -> Any:
        return data

    def cleanup(self) -> None:
        match self.how:
            case "raise":
                raise RuntimeError("it won't close")
            case "hang":
                time.sleep(600)
            case "exit":
                os._exit(7)
