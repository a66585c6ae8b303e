"""Is killed while it works, as by the kernel when memory runs out."""

import os
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            os.kill(os.getpid(), signal.SIGKILL)
        return data
