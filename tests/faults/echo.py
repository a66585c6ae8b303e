"""Does as the task says; the well-behaved worker beside the misbehaving ones."""

import os
import random
import sys
import threading
from pathlib import Path
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker, TaskCancelledError


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, **kwargs: Any) -> None:
        self.about = {"gpu_id": gpu_id, "seed": seed, "setup": kwargs, "pid": os.getpid()}
        random.seed(seed)

    def process(self, data: Any) -> Any:
        if not isinstance(data, str | tuple):
            return data
        match data:
            case "about":
                return self.about | {"env": dict(os.environ), "python": sys.executable}
            case ("report", count):
                for number in range(count):
                    self.report(number)
                return count
            case ("wait for", path):
                self.report("waiting")
                _wait_for(Path(path))
                return data
            case "until cancelled":
                self.report("waiting")
                while not self.cancelled:
                    threading.Event().wait(0.005)
                raise TaskCancelledError
            case "until told":
                self.report("waiting")
                while not (messages := self.receive()):
                    threading.Event().wait(0.005)
                return messages
            case _:
                return data

    def cleanup(self) -> None:
        if "log" in self.about["setup"]:
            with Path(self.about["setup"]["log"]).open("a") as file:
                file.write(f"{self.about['pid']}\n")


def _wait_for(path: Path) -> None:
    while not path.exists():
        threading.Event().wait(0.005)
