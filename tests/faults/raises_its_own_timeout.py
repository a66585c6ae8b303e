"""Raises a TimeoutError of its own: an error like any other."""

from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            raise TimeoutError("the camera did not answer")
        return data
