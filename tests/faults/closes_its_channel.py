"""Closes every file it has, its pipes among them, and goes on."""

import os
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            os.closerange(3, 256)
            signal.pause()
        return data
