"""Says in `setup` that it failed, in a pickle that can't be read; on the workers whose seed is listed."""

import os
import re
import signal
import sys
from typing import Any

from cosmos_workflow.gpu_dispatch import BaseWorker, channel


class Worker(BaseWorker):
    def setup(self, gpu_id: int | None, seed: int, *, failing: tuple[int, ...] = (), **kwargs: Any) -> None:
        if seed in failing:
            found = re.search(r"main\((\d+),", " ".join(sys.orig_argv))
            assert found
            junk = channel._HEADER.pack(channel._MARK, channel.Kind.SETUP_FAILED, 0, 0, 4) + b"junk"
            os.write(int(found[1]), junk)
            signal.pause()

    def process(self, data: Any) -> Any:
        return data
