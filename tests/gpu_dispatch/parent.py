"""A program that dispatches for ever: what becomes of its workers when it is told to end?"""

import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cosmos_workflow.gpu_dispatch import Dispatcher

if __name__ == "__main__":
    Dispatcher("faults.family:Worker", [None, None]).run(itertools.count(), folder=sys.argv[1])
