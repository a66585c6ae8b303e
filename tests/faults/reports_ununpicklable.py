"""Reports progress that raises when it's unpickled."""

from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


def refuse() -> None:
    raise ValueError("not to be unpickled")


class Trap:
    def __reduce__(self) -> Any:
        return refuse, ()


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            self.report(Trap())
        return data
