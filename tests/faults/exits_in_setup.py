"""Ends its process in `setup`, on the workers whose seed is listed."""

import os
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, failing: tuple[int, ...] = (), **kwargs: Any) -> None:
        if seed in failing:
            os._exit(7)

    def process(self, data: Any) -> Any:
        return data
