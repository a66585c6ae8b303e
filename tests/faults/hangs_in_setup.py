"""Never gets ready, on the workers whose seed is listed."""

import time
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, failing: tuple[int, ...] = (), **kwargs: Any) -> None:
        if seed in failing:
            time.sleep(600)

    def process(self, data: Any) -> Any:
        return data
