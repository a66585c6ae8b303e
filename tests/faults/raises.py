"""Raises in `process`."""

from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            raise ValueError("this one is bad")
        return data
