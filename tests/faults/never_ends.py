"""Cleans up, and then can't end, because a thread of its own never does."""

import threading
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, **kwargs: Any) -> None:
        threading.Thread(target=threading.Event().wait).start()

    def process(self, data: Any) -> Any:
        return data
