"""Dies and leaves a process behind that holds every pipe it had."""

import os
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            if os.fork() == 0:
                signal.pause()
            os._exit(7)
        return data
