"""Goes on whatever is raised in it."""

import time
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        while data == "bad":
            try:
                time.sleep(600)
            except BaseException:  # noqa: S112 - this is the misbehaviour
                continue
        return data
