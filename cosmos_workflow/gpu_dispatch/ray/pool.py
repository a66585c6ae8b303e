"""`WorkerPool` on a Ray cluster: the same loop, the same scheduler, the same rules; only the processes are elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ..channel import Payload, dumps
from ..events import Event, PlacesAwaited, SetupFailed
from ..files import Outbound, UsesFiles
from ..loop import PoolClosedError
from ..pool import WorkerPool
from ..process import Process
from ..seat import Seat
from ..slots import Slot
from ..tasks import ANY, Pin
from ..worker import BaseWorker
from . import cluster

if TYPE_CHECKING:
    from .membership import Member, Membership


class RayPool(WorkerPool):
    """A pool whose slots are on the machines of a Ray cluster, with the interface and the promises of `WorkerPool`.

    gpu_ids: None for a slot on every GPU of the cluster (or one on each machine, as long as the cluster has no GPU), machines
        being free to come and go; or one entry a slot, None for a CPU worker and a number for any GPU.
        While tasks wait for a GPU, one more is asked for, which an autoscaler may bring.
    gpus_per_worker: how many GPUs a worker has, all of which it sees; or a fraction of one, where several share it.
    address: the cluster's, host:port or "auto"; by default $RAY_ADDRESS, else Ray is started on this machine.

    A slot is *away* until Ray has found its place; tasks wait meanwhile. The end of a machine is the end of its workers: their
    tasks are run again elsewhere, `max_retries` times. Files that tasks name travel with them, see `files`. Every machine
    needs the worker's class, and what it imports, installed.
    """

    _here = False

    def __init__(
        self,
        worker_cls: type[BaseWorker] | str,
        gpu_ids: Sequence[int | None] | None = None,
        *,
        gpus_per_worker: float = 1,
        address: str | None = None,
        **options: Any,
    ) -> None:
        cluster.require_ray()
        if not (0 < gpus_per_worker <= 1 or (gpus_per_worker > 1 and gpus_per_worker == int(gpus_per_worker))):
            raise ValueError(f"gpus_per_worker must be a whole number or a fraction between 0 and 1, not {gpus_per_worker}")
        self._gpus_per_worker = gpus_per_worker
        self._awaited = ""
        self._address = address
        self._follows = gpu_ids is None
        self._warm: dict[str, Any] | None = None
        self._members: dict[int, Member] = {}
        self._membership: Membership | None = None
        self._connecting = threading.Lock()
        super().__init__(worker_cls, gpu_ids or (), **options)

    def connect(self) -> None:
        """Join the cluster now and not with the first task or `warm`. Raises ClusterError with what to do."""
        with self._connecting:
            if self._membership is not None or self._scheduler.closing:
                return
            slots = self._scheduler.slots
            with ExitStack() as joined:
                joined.enter_context(cluster.joined(self._address, sum(slot.gpu_id is None for slot in slots)))
                from .membership import Membership

                self._membership = Membership(self, None if self._follows else list(slots), self._gpus_per_worker)
                self._joined = joined.pop_all()
            self._membership.start()

    def warm(self, setup: Mapping[str, Any] | None = None) -> None:
        """As `WorkerPool.warm`, also for the slots that are away, once they aren't."""
        super().warm(setup)
        self._warm = dict(setup or {})

    def unload(self, gpu_id: Pin = ANY) -> None:
        """As `WorkerPool.unload`."""
        self._warm = None
        super().unload(gpu_id)

    def events(self, timeout: float | None = None) -> list[Event]:
        """As `WorkerPool.events`. When it is over no actor is left."""
        try:
            return super().events(timeout)
        except PoolClosedError:
            with self._connecting:
                membership, self._membership = self._membership, None
            if membership is not None:
                membership.end()
                self._joined.close()
            raise

    def arrived(self, member: Member) -> None:
        """A slot's actor is there."""
        slot, place = member.slot, member.place
        with self._changing():
            self._members[slot.worker_id] = member
            slot.attach(member.machine.name, place.gpu_id if place else None)
            if self._warm is not None and not self._scheduler.closing and slot.free:
                slot.start(self._warm)

    def departed(self, slot: Slot) -> bool:
        """A slot's actor is gone: whether another one may come, its last worker being buried."""
        with self._changing():
            if slot.worker is None:
                slot.detach()
            return slot.worker is None and not self._scheduler.closing

    def awaited(self, reason: str, slots: Sequence[Slot]) -> None:
        """The cluster has no room for some slots now, or has it again, `reason` being empty."""
        with self._changing():
            for slot in self._scheduler.slots:
                slot.awaits = reason if slot in slots else ""
            if reason != self._awaited:
                self._awaited = reason
                self._scheduler.emit(PlacesAwaited(reason))

    def wants_workers(self) -> bool:
        """A task waits for whom no slot has room."""
        with self._lock:
            return self._scheduler.wants_workers

    def refused(self, slot: Slot, error: str) -> None:
        """No actor can be had for a slot."""
        with self._changing():
            slot.break_off(error)
            self._scheduler.emit(SetupFailed(slot.gpu_id, error, slot.worker_id))
            self._scheduler.fail_unservable()

    def offered(self, on_gpu: bool) -> Slot:
        """The cluster has a device more."""
        with self._changing():
            slots = self._scheduler.slots
            worker_id = max((slot.worker_id for slot in slots), default=-1) + 1
            slots.append(Slot(self._scheduler, worker_id, 0 if on_gpu else None, "away"))
            return slots[-1]

    def outdone(self, slot: Slot) -> None:
        """A slot isn't wanted any more, since there are better ones: its worker leaves after its task."""
        with self._changing():
            slot.break_off("the cluster has GPUs now")
            slot.give_back_reserved()
            slot.leave()

    def withdrawn(self, slot: Slot) -> bool:
        """The cluster has a device less: whether its slot could be taken away."""
        with self._changing():
            if slot.worker is None:
                self._scheduler.slots.remove(slot)
            return slot.worker is None

    def _first_slots(self, gpu_ids: Sequence[int | None]) -> list[Slot]:
        slots = [] if self._follows else super()._first_slots(gpu_ids)
        for slot in slots:
            slot.detach()
        return slots

    def _launch(self, slot: Seat) -> Process:
        from .process import Launch, RemoteProcess

        rules = self._scheduler.rules
        launch = Launch(f"gpu-dispatch-worker-{slot.worker_id}", slot.gpu_id is not None, dict(rules.env or {}), rules.quiet)
        return RemoteProcess(self._members[slot.worker_id], launch)

    def _pack(self, data: Any) -> Payload:
        if not isinstance(data, UsesFiles):
            return dumps(data)
        outbound = Outbound(data)
        return dumps(outbound)._replace(files=outbound.needs)
