"""What a pool is told, looked at before any process is started. Each complaint is one sentence."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from .worker import BaseWorker


class PoolOptions(TypedDict, total=False):
    """How workers are treated; seconds are None for no limit.

    max_retries: how often a task is run again whose worker died under it (1). One that overran its limit isn't.
    setup_retries: how often a setup is tried again that had gone well in its slot before (a worker that died may leave the
        device's memory taken for a while), after a pause that grows (0; 2 in a dispatcher or an executor). A first setup isn't.
    setup_timeout, cleanup_timeout, cancel_grace: seconds until a worker is killed (None, 10, 5).
    env: added to the workers' environment.
    """

    max_retries: int
    setup_retries: int
    setup_timeout: float | None
    cleanup_timeout: float | None
    cancel_grace: float | None
    env: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Rules:
    """How a pool treats its workers; times in seconds, None for no limit. `here`: they run on this machine."""

    worker: str | bytes
    with_main: bool
    base_seed: int
    retire_failed_slots: bool
    quiet: bool
    here: bool
    setup_timeout: float | None = None
    cleanup_timeout: float | None = 10.0
    cancel_grace: float | None = 5.0
    max_retries: int = 1
    setup_retries: int = 0
    env: Mapping[str, str] | None = None


def checked_rules(worker_cls: type[BaseWorker] | str, **told: Any) -> Rules:
    """The rules of a pool; raises ValueError or TypeError for what can't work."""
    worker = worker_reference(worker_cls)
    rules = Rules(worker=worker, with_main=not isinstance(worker_cls, str) and isinstance(worker, str), **told)
    for name, retries in (("max_retries", rules.max_retries), ("setup_retries", rules.setup_retries)):
        if retries < 0:
            raise ValueError(f"{name} can't be negative: {retries}")
    for name, limit in (("setup_timeout", rules.setup_timeout), ("cleanup_timeout", rules.cleanup_timeout)):
        check_limit(name, limit)
    check_limit("cancel_grace", rules.cancel_grace)
    return rules


def worker_reference(worker_cls: type[BaseWorker] | str) -> str | bytes:
    """``module:Class``, by which a worker process finds its class; or a class that it couldn't find itself, pickled."""
    if isinstance(worker_cls, str):
        module, colon, path = worker_cls.partition(":")
        if not (module and colon and path):
            raise ValueError(f"a worker is named 'module:Class', not {worker_cls!r}")
        return worker_cls
    if not (isinstance(worker_cls, type) and issubclass(worker_cls, BaseWorker)):
        raise TypeError(f"worker_cls must be a subclass of BaseWorker, not {worker_cls!r}")
    if "<locals>" in worker_cls.__qualname__:
        return _pickled(worker_cls, "inside a function", "define it at the top of a module")
    main = sys.modules["__main__"]
    is_file = getattr(main, "__spec__", None) is not None or Path(getattr(main, "__file__", None) or "").is_file()
    if worker_cls.__module__ == "__main__" and not is_file:
        return _pickled(
            worker_cls,
            "in a notebook, a console or standard input",
            "put it into a file, say workers.py, and import that",
        )
    return f"{worker_cls.__module__}:{worker_cls.__qualname__}"


def _pickled(worker_cls: type[BaseWorker], where: str, instead: str) -> bytes:
    """The class itself, which is possible with cloudpickle alone."""
    name = worker_cls.__qualname__
    try:
        import cloudpickle
    except ImportError:
        raise TypeError(
            f"{name} is defined {where}, where a worker process can't find it; {instead}, or install cloudpickle"
        ) from None
    try:
        return cloudpickle.dumps(worker_cls)
    except Exception as error:
        raise TypeError(
            f"{name} is defined {where}, and cloudpickle can't send it to a worker process ({error}); {instead}"
        ) from error


def check_caller() -> None:
    """Raise where a worker process that is just being started, and imports the program for that, would start workers itself."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            "a worker process reads the program that started it, and would start workers of its own; put what starts them "
            'below `if __name__ == "__main__":`'
        )


def number_workers(gpu_ids: Sequence[int | None]) -> dict[int, int | None]:
    """The worker ids, in the order of the slots."""
    if not gpu_ids:
        raise ValueError("a pool needs at least one worker; give gpu_ids, None for a CPU worker")
    gpus = [gpu_id for gpu_id in gpu_ids if gpu_id is not None]
    for gpu_id in gpus:
        if isinstance(gpu_id, bool) or not isinstance(gpu_id, int) or gpu_id < 0:
            raise ValueError(f"a GPU's id is a number from 0 on, not {gpu_id!r}")
        if gpus.count(gpu_id) > 1:
            raise ValueError(f"GPU {gpu_id} is listed more than once; a GPU has one worker")
    spare = (number for number in itertools.count() if number not in gpus)
    return {next(spare) if gpu_id is None else gpu_id: gpu_id for gpu_id in gpu_ids}


def check_limit(name: str, seconds: float | None, least: float = 0.0) -> None:
    """A time limit is a number of seconds, None or infinity for none."""
    if seconds is None:
        return
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= least:
        raise ValueError(f"{name} is a number of seconds, None for no limit, not {seconds!r}")


def check_setup(setup: Mapping[str, Any] | None) -> None:
    for name in ("gpu_id", "seed"):
        if setup and name in setup:
            raise ValueError(f"setup can't have an argument {name!r} of yours: the pool gives it")
