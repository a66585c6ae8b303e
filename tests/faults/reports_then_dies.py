"""Reports a lot, then is killed before the parent can have read it all."""

import os
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            for number in range(500):
                self.report(number)
            os.kill(os.getpid(), signal.SIGKILL)
        return data
