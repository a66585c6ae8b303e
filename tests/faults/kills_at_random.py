"""Is killed in every tenth task, whichever that is."""

import os
import random
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, **kwargs: Any) -> None:
        self.random = random.SystemRandom()

    def process(self, data: Any) -> Any:
        if self.random.random() < 0.1:
            os.kill(os.getpid(), signal.SIGKILL)
        return data
