"""Works for ever beside a child process of its own, and writes down who they are."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, folder: str, **kwargs: Any) -> None:
        self.folder = Path(folder)

    def process(self, data: Any) -> Any:
        child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
        temporary = self.folder / f"{os.getpid()}.tmp"
        temporary.write_text(f"{os.getpid()} {child.pid}")
        temporary.rename(temporary.with_suffix(".family"))
        while not self.cancelled:
            signal.sigtimedwait([], 0.01)
        child.terminate()
        child.wait()
        return data

    def cleanup(self) -> None:
        (self.folder / f"{os.getpid()}.clean").touch()
