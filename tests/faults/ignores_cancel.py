"""Sees that it should stop, and doesn't."""

import threading
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        folder = Path(data)
        (folder / "started").touch()
        while not self.cancelled:
            threading.Event().wait(0.005)
        (folder / "asked").touch()
        threading.Event().wait()
