"""An engine of another package, which does what its prompt says: how a test makes an item fail, hang, or kill its worker."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from cosmos_workflow.engines.base import Context, Device, Dropped, Engine, ItemOutcome, Output, Request, failure
from cosmos_workflow.engines.params import Params, param
from cosmos_workflow.engines.spec import Availability, EngineSpec
from cosmos_workflow.errors import UnavailableError
from cosmos_workflow.progress import Stage

UNAVAILABLE = "COSMOS_PROBE_UNAVAILABLE"
LOAD_FAILS = "COSMOS_PROBE_LOAD_FAILS"
LOG = "COSMOS_PROBE_LOG"


class ProbeParams(Params):
    """`group` tells batches apart, `rate` doesn't."""

    group: int = param(0, label="Group", ge=0, invariant=True)
    rate: int = param(1, label="Rate", ge=0)


class ProbeSpec(EngineSpec):
    """Costs nothing to load."""

    name = "probe"
    title = "Probe"
    medium = "audio"
    params = ProbeParams
    implementation = "cosmos_probe:ProbeEngine"
    stages = (Stage("think", 0.0, "Thinking"), Stage("write", 0.5, "Writing"))
    output = "audio"
    max_batch_size = 8

    def availability(self) -> Availability:
        if os.environ.get(UNAVAILABLE):
            return Availability(False, "The probe isn't there.", "Unset the variable.")
        return Availability(True)


class ProbeEngine(Engine):
    """The prompt says: ok | work MS | fail | break | oom N | kill | kill-once FILE | wait FILE | watch FILE | hang FILE |
    no-space FILE (until it is there) | break-no-space FILE
    """

    def load(self, device: Device) -> None:
        log("load")
        if os.environ.get(LOAD_FAILS) == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get(LOAD_FAILS):
            raise UnavailableError("The probe's weights are damaged; fetch them again.")

    def generate(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        log(f"batch {len(requests)}")
        for request in requests:
            if context.is_cancelled(request.id):
                yield Dropped(request.id)
                continue
            context.report(request.id, "think", 0.0, "thinking")
            yield self._one(request, context, len(requests))

    def _one(self, request: Request, context: Context, size: int) -> ItemOutcome:
        word, _, rest = request.text.partition(" ")
        if word == "fail":
            return failure(request.id, ValueError("the probe was told to fail"))
        if word.endswith("no-space") and not Path(rest).exists():
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if word == "no-space":
                return failure(request.id, full)
            raise full
        if word == "break":
            raise ValueError("the probe was told to break")
        if word == "oom" and size > int(rest):
            raise MemoryError
        if word == "kill" or (word == "kill-once" and not Path(rest).exists()):
            if rest:
                Path(rest).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if word == "work":
            threading.Event().wait(int(rest) / 1000)
        if word == "hang":
            Path(rest).touch()
            threading.Event().wait(600)
        if word in ("wait", "watch") and not self._wait(request, context, Path(rest), asks=word == "wait"):
            return Dropped(request.id)
        context.report(request.id, "write", 1.0, "writing")
        (request.folder / "sound.wav").write_bytes(b"RIFF" + request.text.encode())
        log(f"made {request.id}")
        return Output(request.id, {"audio": "sound.wav"}, {"size": size})

    def _wait(self, request: Request, context: Context, path: Path, *, asks: bool) -> bool:
        path.with_suffix(".waiting").touch()
        pause = threading.Event()
        for turn in range(60_000):
            if path.exists():
                break
            if asks and context.is_cancelled(request.id):
                return False
            context.report(request.id, "think", turn / 60_000, f"waited {turn}")
            pause.wait(0.01)
        return True


def log(line: str) -> None:
    """Append to the file that the environment names, so that a test sees what happened in which process."""
    path = os.environ.get(LOG)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{os.getpid()} {line}\n")


SPEC = ProbeSpec()
