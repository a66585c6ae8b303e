"""The agent: an actor that is one slot's place on a machine of the cluster.

It starts the slot's workers and passes on what is said. A worker is the same child process as on one machine, so all that it
may do wrong ends with that process; the agent never runs a task and never unpickles one. If it ends, the kernel kills its
worker (see `platform.die_with`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import PickleBuffer
from typing import Any, NamedTuple

import ray

from .. import files, platform
from ..channel import Frame, Kind, Payload
from ..devices import worker_environ
from ..process import WorkerProcess, search_path

WireFrame = tuple[int, int, Any, Sequence[Any]]
"""A frame on its way through Ray: kind, task number, pickle, buffers."""

GROUPS = {"wait": 1, "receive": 1, "send": 1, "kill": 1}
"""The concurrency groups: their methods run beside each other, those of one, and all others, one after another."""

_LARGE = 1 << 15  # bytes; what is larger goes beside Ray's own pickle instead of into it


class Place(NamedTuple):
    """Where an agent came to be. `gpu_id` is the GPU's number on its machine, None for a CPU worker."""

    node_id: str
    gpu_id: int | None


class Received(NamedTuple):
    """What a worker said. `eof`: its channel is closed, `junk`: because of what it wrote there; `ended`: its process is gone,
    with this exit code, or if nobody knows that, for this reason."""

    frames: list[WireFrame]
    eof: bool
    junk: bool
    ended: bool
    exitcode: int | None
    reason: str = ""
    stderr: str = ""


class Agent:
    """See the module. It becomes an actor where it is asked for, with the resources of its slot."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = [path for path in paths if Path(path).is_dir()]
        self._run = self._killed = self._gpus = 0
        self._child: WorkerProcess | None = None
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def locate(self) -> Place:
        """Get ready, and say where this is."""
        context = ray.get_runtime_context()
        node = context.get_node_id()
        self._folder = claim_folder(f"{node[:16]}-{context.get_job_id()}")
        self._work = self._folder / "work" / str(context.get_actor_id())
        gpus = context.get_accelerator_ids().get("GPU")
        self._gpus = len(gpus or ())
        if not gpus:
            return Place(node, None)
        return Place(node, int(gpus[0]) if gpus[0].isdecimal() else 0)  # parts of a GPU have names instead of numbers

    @ray.method(concurrency_group="wait")
    def wait_for_ever(self) -> None:
        """Never returns: whoever waits for it learns of our end."""
        threading.Event().wait()

    def start(self, run: int, name: str, on_gpu: bool, env: Mapping[str, str], quiet: bool) -> None:
        """Start worker number `run`, unless it was killed already."""
        environ = worker_environ(range(max(1, self._gpus)) if on_gpu else None)
        environ.pop("OMP_NUM_THREADS", None)  # Ray sets it to 1 for an actor; a worker has the machine as it has it locally
        path = os.pathsep.join([*self._paths, *filter(None, [environ.get("PYTHONPATH")])])
        environ |= {
            "PYTHONPATH": path,
            files.CACHE_VARIABLE: str(self._folder / "cache"),
            files.WORK_VARIABLE: str(self._work),
            **env,
        }
        with self._lock:
            if run > self._killed:
                where = [*self._paths, *search_path()]
                self._child, self._run = WorkerProcess(name, environ, quiet, guarded=True, path=where), run

    @ray.method(concurrency_group="send")
    def send(self, run: int, frames: Sequence[WireFrame]) -> None:
        """Pass frames on; a worker that is gone swallows them."""
        with self._sending:
            child = self._child
            if child is None or run != self._run:
                return
            for kind, seq, body, buffers in frames:
                child.channel.put(Kind(kind), seq, Payload(bytes(body), [memoryview(buffer) for buffer in buffers]))
            child.channel.flush(wait=True)

    def keep(self, digest: str, content: Any) -> None:
        """Have an input file here for the workers of this machine; see `files.keep`."""
        files.keep(self._folder / "cache", digest, memoryview(content))

    @ray.method(concurrency_group="receive")
    def receive(self, run: int) -> Received:
        """Wait until the worker says something, or ends."""
        child = self._child
        if child is None or run != self._run:
            return Received([], True, False, True, None)
        ready = platform.readable([child.sentinel, *([] if child.channel.eof else [child.channel])])
        if child.sentinel not in ready:
            return Received(_wire_frames(child.channel.receive()), child.channel.eof, child.channel.junk, False, None)
        child.kill()  # its descendants, which may hold the socket open
        frames = _wire_frames(child.channel.drain())
        child.channel.shut()  # nobody reads what is just being told
        with self._sending, self._lock:
            exitcode = child.reap()
            self._child = None
        shutil.rmtree(self._work, ignore_errors=True)
        return Received(frames, True, child.channel.junk, True, exitcode, child.reason, child.stderr)

    @ray.method(concurrency_group="kill")
    def kill(self, run: int) -> None:
        """End worker number `run` at once, or before it starts."""
        with self._lock:
            self._killed = max(self._killed, run)
            if self._child is not None and run == self._run:
                self._child.kill()

    def clean(self) -> None:
        """Remove what was cached on this machine; nothing runs here any more."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _wire_frames(frames: Sequence[Frame]) -> list[WireFrame]:
    return [(int(f.kind), f.seq, out_of_band(f.pickle), [PickleBuffer(part) for part in f.buffers]) for f in frames]


def out_of_band(body: bytes | bytearray) -> Any:
    """A large pickle as what Ray doesn't copy into its own."""
    return PickleBuffer(body) if len(body) >= _LARGE else bytes(body)


def claim_folder(name: str) -> Path:
    """A folder of this user's for a driver's files on this machine. It is locked as long as one of its actors lives;
    folders that nobody holds were left by drivers that were killed, and are removed."""
    root = Path(tempfile.gettempdir()) / f"gpu-dispatch-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.stat().st_uid != os.getuid():
        raise PermissionError(f"{root} belongs to somebody else")
    for other in root.iterdir():
        if other.name != name and platform.lock_folder(other, alone=True):
            shutil.rmtree(other, ignore_errors=True)
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    if not platform.lock_folder(folder, alone=False):
        raise FileNotFoundError(f"{folder} is just being removed")
    return folder
