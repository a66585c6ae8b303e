"""A program that dispatches for ever: what becomes of its workers when it is told to end?"""

import itertools
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cosmos_workflow.gpu_dispatch import Dispatcher

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs us in the background has it ignored
    folder, *rest = sys.argv[1:]
    stop = "--stop-on-sigterm" in rest
    where: Any = {"executor": "ray", "address": rest[0]} if rest and not stop else {}
    dispatcher = Dispatcher("faults.family:Worker", [None, None], stop_on_sigterm=stop, **where)
    exited: list[str] = []
    dispatcher.run(itertools.count(), folder=folder, on_exit=lambda: exited.append("returned"))
    (Path(folder) / "exit").write_text("".join(exited))
