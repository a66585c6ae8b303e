"""Ends its process in `process`, without a word."""

import os
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            os._exit(7)
        return data
