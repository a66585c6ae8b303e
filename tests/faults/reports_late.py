"""A thread of one task reports during the next one; so do a thread of the worker and one of a pool, which may."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, **kwargs: Any) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.go, self.done = threading.Event(), threading.Event()

    def process(self, data: Any) -> Any:
        self.pool.submit(self.report, f"pool {data}").result()
        if data == 0:
            threading.Thread(target=self.late).start()
        else:
            self.go.set()
            self.done.wait()
        threads = [threading.Thread(target=self.report, args=(f"own {data}",))]
        threads[0].start()
        threads[0].join()
        return data

    def late(self) -> None:
        self.go.wait()
        self.report("late")
        self.done.set()
