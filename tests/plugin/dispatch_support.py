"""Who is left when a pool is gone."""

import sys
from contextlib import suppress

import psutil


def worker_processes() -> set[int]:
    """Workers of any pool below this process, also those of Ray's actors."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if any("gpu_dispatch.child" in part for part in child.cmdline()):
                found.add(child.pid)
    return found


def ray_runs() -> bool:
    """Whether this process is a driver of a Ray cluster."""
    return "ray" in sys.modules and sys.modules["ray"].is_initialized()


def live_actors() -> list[str]:
    """The names of the actors that run or are wanted in the cluster that this process is a driver of."""
    from ray._private.state import actors

    return [actor["ActorClassName"] for actor in actors().values() if actor["State"] != "DEAD"]
