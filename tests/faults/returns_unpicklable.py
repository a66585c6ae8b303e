"""Returns what can't be pickled."""

import threading
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        return threading.Lock() if data == "bad" else data
