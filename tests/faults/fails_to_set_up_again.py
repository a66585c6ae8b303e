"""Is killed in its first bad task, and can't be set up for a while, as when a dead process's memory isn't free yet."""

import os
import signal
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, folder: str, times: int, **kwargs: Any) -> None:
        self.folder = Path(folder)
        failures = self.folder / "failures"
        if (self.folder / "died").exists() and (count := len(failures.read_text())) < times:
            failures.write_text("x" * (count + 1))
            raise MemoryError("the device is full")
        failures.touch()

    def process(self, data: Any) -> Any:
        if data == "bad" and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return data
