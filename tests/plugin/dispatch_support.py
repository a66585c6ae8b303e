"""Whether there is a Ray to test with, and who is left when a pool is gone."""

import sys
from contextlib import suppress
from importlib.util import find_spec

import psutil
import pytest


def require_ray() -> None:
    """Skip the test where the extra isn't installed; Ray itself is imported by us, who first say how it is to behave."""
    if find_spec("ray") is None:
        pytest.skip("the extra `ray` isn't installed")


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
