"""A program that dispatches for ever: what becomes of its workers when it is told to end?"""

import itertools
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cosmos_workflow.gpu_dispatch import Dispatcher

if __name__ == "__main__":
    folder, *address = sys.argv[1:]
    where: Any = {"executor": "ray", "address": address[0]} if address else {}
    Dispatcher("faults.family:Worker", [None, None], **where).run(itertools.count(), folder=folder)
