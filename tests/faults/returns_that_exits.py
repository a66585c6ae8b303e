"""Returns, or reports, what raises an exception that ends programs when it's unpickled."""

from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


def leave() -> None:
    raise SystemExit(3)


def interrupt() -> None:
    raise KeyboardInterrupt


class Trap:
    def __init__(self, how: Any) -> None:
        self.how = how

    def __reduce__(self) -> Any:
        return self.how, ()


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, how: str, **kwargs: Any) -> None:
        self.trap = Trap(leave if "exit" in how else interrupt)
        self.reports = "report" in how

    def process(self, data: Any) -> Any:
        if data == "bad" and self.reports:
            self.report(self.trap)
        return self.trap if data == "bad" else data
