"""Hangs in native code with every signal blocked, and keeps the interpreter's lock."""

import ctypes
import signal
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker


class Worker(BaseWorker):
    def process(self, data: Any) -> Any:
        if data == "bad":
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            self.report("hanging")
            ctypes.PyDLL(None).sleep(600)
        return data
