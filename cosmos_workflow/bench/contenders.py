"""Pools of two processes in one form, to be measured side by side: ours, other libraries', and a bare pipe as the limit."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from cosmos_workflow.gpu_dispatch import BaseWorker, Dispatcher, Outcome, TaskId, TaskSuccess, WorkerPool

WORKERS = 2
DEADLY = -7

OURS = "ours"
_DISPATCHER = "ours, Dispatcher.map"
PIPE = "bare pipe (the limit)"


class Contender(NamedTuple):
    """An open pool: `many` gives the results as they come, `one` waits for one."""

    many: Callable[[Iterable[Any]], Iterable[Any]]
    one: Callable[[Any], Any] | None


class EchoWorker(BaseWorker):
    """Our side's worker."""

    def process(self, data: Any) -> Any:
        """Do what `echo` does."""
        return echo(data)


def echo(data: Any) -> Any:
    """The task: give back what came, and die of one number."""
    if isinstance(data, int) and data == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return data


def contenders() -> dict[str, Callable[[], AbstractContextManager[Contender]]]:
    """All that are installed, by name; each is opened by calling it."""
    found: dict[str, Callable[[], AbstractContextManager[Contender]]] = {
        OURS: _ours,
        _DISPATCHER: _our_dispatcher,
        "ProcessPoolExecutor": _executor,
        "multiprocessing.Pool": _pool,
        "mpire": _mpire,
        "pebble": _pebble,
        PIPE: _pipe,
    }
    return {name: opened for name, opened in found.items() if name not in ("mpire", "pebble") or find_spec(name)}


@contextmanager
def _ours() -> Iterator[Contender]:
    with WorkerPool(f"{__name__}:EchoWorker", [None] * WORKERS, prefetch=64, max_retries=0) as pool:
        pool.warm()

        def many(items: Iterable[Any]) -> Iterator[Any]:
            source = iter(items)
            left: set[TaskId] = set()
            while True:
                left.update(pool.submit(item) for item in itertools.islice(source, max(0, pool.capacity() - len(left))))
                if not left:
                    return
                for event in pool.events():
                    if isinstance(event, Outcome):
                        left.discard(event.task_id)
                    if isinstance(event, TaskSuccess):
                        yield event.data

        def one(item: Any) -> Any:
            pool.submit(item)
            while True:
                for event in pool.events():
                    if isinstance(event, TaskSuccess):
                        return event.data

        yield Contender(many, one)


@contextmanager
def _our_dispatcher() -> Iterator[Contender]:
    with Dispatcher(f"{__name__}:EchoWorker", [None] * WORKERS, max_retries=0) as dispatcher:

        def many(items: Iterable[Any]) -> Iterator[Any]:
            for outcome in dispatcher.map(items):
                if isinstance(outcome, TaskSuccess):
                    yield outcome.data

        yield Contender(many, None)


@contextmanager
def _executor() -> Iterator[Contender]:
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        yield Contender(lambda items: pool.map(echo, items), lambda item: pool.submit(echo, item).result())


@contextmanager
def _pool() -> Iterator[Contender]:
    with get_context("spawn").Pool(WORKERS) as pool:
        yield Contender(lambda items: pool.imap_unordered(echo, items), lambda item: pool.apply(echo, (item,)))


@contextmanager
def _mpire() -> Iterator[Contender]:
    from mpire.pool import WorkerPool as MpirePool

    with MpirePool(WORKERS, start_method="spawn", keep_alive=True) as pool:
        yield Contender(
            lambda items: pool.imap_unordered(echo, list(items), chunk_size=1), lambda item: pool.apply(echo, (item,))
        )


@contextmanager
def _pebble() -> Iterator[Contender]:
    from pebble import ProcessPool

    def many(items: Iterable[Any]) -> Iterator[Any]:
        for future in [pool.schedule(echo, args=[item]) for item in items]:
            if future.exception() is None:
                yield future.result()

    with ProcessPool(WORKERS, context=get_context("spawn")) as pool:
        yield Contender(many, lambda item: pool.schedule(echo, args=[item]).result())


@contextmanager
def _pipe() -> Iterator[Contender]:
    context = get_context("spawn")
    pairs = [context.Pipe() for _ in range(WORKERS)]
    processes = [context.Process(target=_answer, args=(theirs,)) for _, theirs in pairs]
    for process in processes:
        process.start()
    pipes = [ours for ours, _ in pairs]

    def many(items: Iterable[Any]) -> Iterator[Any]:
        waiting: list[Connection[Any, Any]] = []
        for number, item in enumerate(items):
            if len(waiting) == WORKERS:
                yield waiting.pop(0).recv()
            pipe = pipes[number % WORKERS]
            pipe.send(item)
            waiting.append(pipe)
        for pipe in waiting:
            yield pipe.recv()

    def one(item: Any) -> Any:
        pipes[0].send(item)
        return pipes[0].recv()

    yield Contender(many, one)
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join()
        process.close()
    for ours, theirs in pairs:
        ours.close()
        theirs.close()


def _answer(pipe: Connection[Any, Any]) -> None:
    while (item := pipe.recv()) is not None:
        pipe.send(echo(item))
