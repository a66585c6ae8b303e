"""What was sent ahead to a worker, and taken back, is still on its way there when the same tasks are sent again."""

import socket

import pytest

from cosmos_workflow.gpu_dispatch import Event, TaskSuccess, WorkerDied, WorkerPool, ahead
from cosmos_workflow.gpu_dispatch.channel import Channel, Kind
from cosmos_workflow.gpu_dispatch.permits import new_permits, taker
from cosmos_workflow.gpu_dispatch.process import WorkerProcess
from cosmos_workflow.gpu_dispatch.seat import Seat, WorkerHandle
from cosmos_workflow.gpu_dispatch.worker import Link


class Played(WorkerProcess):
    """A worker that the test plays; it reads and answers when it's told to."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.pid = 0
        self.channel, self._theirs = Channel(ours), Channel(theirs)
        self._permits = new_permits()
        self._over, self._ended = socket.socketpair()
        self.sentinel = self._over.fileno()
        self.link = Link(self._theirs, taker(self._permits.theirs))

    @property
    def stderr(self) -> str:
        return ""

    def load(self) -> None:
        assert [self.link.take().kind for _ in range(2)] == [Kind.BOOT, Kind.SETUP]
        self.link.send(Kind.READY)

    def read(self, frames: int) -> list[int]:
        """Do what comes, and return the tasks that were done."""
        done: list[int] = []
        for _ in range(frames):
            frame = self.link.take()
            if frame.kind is Kind.RUN or self.link.permitted(frame.seq):
                done.append(frame.load())
                self.link.send(Kind.SUCCESS, done[-1], frame.seq)
        return done

    def kill(self) -> None:
        self._ended.send(b"\0")

    def reap(self) -> int | None:
        self.channel.close()
        self._theirs.close()
        self._permits.close()
        self._over.close()
        self._ended.close()
        return 0


class PlayedPool(WorkerPool):
    def _launch(self, slot: Seat) -> Played:
        return Played()


def _both_loaded(pool: WorkerPool, seen: list[Event]) -> list[tuple[WorkerHandle, Played]]:
    """The workers of a pool of played ones, idle, each with its process; what the pool told until then goes to `seen`."""
    pool.warm()
    found: list[tuple[WorkerHandle, Played]] = []
    for slot in pool._scheduler.slots:
        worker = slot.worker
        assert worker is not None
        assert isinstance(worker.process, Played)
        found.append((worker, worker.process))
    seen += pool.events(0)
    for _, process in found:
        process.load()
    while {slot.state for slot in pool.slots()} != {"idle"}:
        seen += pool.events()
    return found


def test_a_task_that_is_sent_again_is_not_mistaken_for_what_was_taken_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "_WORK", 1e6)  # however slow this machine is
    pool = PlayedPool("faults.echo:Worker", [None, None], prefetch=4, max_retries=0)
    seen: list[Event] = []
    try:
        (quick, first), (slow, second) = _both_loaded(pool, seen)
        quick.pace, slow.pace = 1e-6, 1e12  # so that the first may hold four, and the second one
        tasks = [pool.submit(number) for number in range(5)]  # 0 and 1 are handed out, to the first and the second
        seen += pool.events()
        assert (quick.tasks[0].id, len(quick.tasks)) == (tasks[0], 4), "it was sent the others ahead"
        quick.pace = 1e12
        assert second.read(1) == [1]
        while not slow.tasks or slow.tasks[0].id == tasks[1]:  # what the first hasn't begun goes to the second, as far as it may
            seen += pool.events()
        assert [task.id for task in slow.tasks] == [tasks[2]]
        assert first.read(1) == [0]
        while not quick.tasks or quick.tasks[0].id == tasks[0]:
            seen += pool.events()
        quick.pace = 1e-6
        pool.wake()
        while len(quick.tasks) != 2:
            seen += pool.events()
        assert [task.id for task in quick.tasks] == tasks[3:]
        assert first.read(5) == [3, 4], "three that were taken back, and two that were sent again"
        assert second.read(1) == [2]
        while sum(isinstance(event, TaskSuccess) for event in seen) < 5:
            seen += pool.events()
        assert not [event for event in seen if isinstance(event, WorkerDied)]
    finally:
        pool.shutdown(graceful=False)


def test_what_a_worker_holds_that_is_being_killed_is_not_taken_back_before_it_is_gone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ahead, "_WORK", 1e6)
    monkeypatch.setattr(ahead, "_SLOW", 0.0)
    pool = PlayedPool("faults.echo:Worker", [None, None], prefetch=4, max_retries=0)
    seen: list[Event] = []
    try:
        (bad, first), (_, second) = _both_loaded(pool, seen)
        bad.pace = 1e-6
        first_task, *_ = [pool.submit(number) for number in range(4)]  # the first and the third are the bad one's, and the last
        seen += pool.events()
        assert bad.tasks[0].id == first_task
        assert len(bad.tasks) == 3
        first.link.send(Kind.SUCCESS, "what nobody asked for", 99)
        assert second.read(1) == [1]
        while not any(isinstance(event, WorkerDied) for event in seen):
            seen += pool.events()
        assert pool.error is None
        assert {slot.state for slot in pool.slots()} == {"starting", "busy"}, "the others go on elsewhere"
    finally:
        pool.shutdown(graceful=False)
