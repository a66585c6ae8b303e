"""Calls sys.exit in `process`."""

import sys
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            sys.exit(7)
        return data
