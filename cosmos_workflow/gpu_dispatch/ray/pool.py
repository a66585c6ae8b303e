"""`WorkerPool` on a Ray cluster: the same loop, the same placement, the same rules; only the processes are elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cosmos_workflow.gpu_dispatch.channel import Payload, dumps
from cosmos_workflow.gpu_dispatch.crew import Rules
from cosmos_workflow.gpu_dispatch.files import Departure, Digests, Travels
from cosmos_workflow.gpu_dispatch.pool import PoolClosedError, WorkerPool
from cosmos_workflow.gpu_dispatch.process import Process
from cosmos_workflow.gpu_dispatch.protocol import Event, SetupFailed, TaskId
from cosmos_workflow.gpu_dispatch.ray import cluster
from cosmos_workflow.gpu_dispatch.slots import ANY, Pin, Slot
from cosmos_workflow.gpu_dispatch.worker import BaseWorker

if TYPE_CHECKING:
    from cosmos_workflow.gpu_dispatch.ray.muster import Muster, Post


class RayPool(WorkerPool):
    """A pool whose slots are on the machines of a Ray cluster, with the interface and the promises of `WorkerPool`.

    gpu_ids: None for a slot on every GPU of the cluster (or one on each machine, where the cluster has no GPU), machines
        being free to come and go; or one entry a slot, None for a CPU worker and a number for any GPU.
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
        address: str | None = None,
        base_seed: int = 42,
        **options: Any,
    ) -> None:
        cluster.require_ray()
        self._address = address
        self._follows = gpu_ids is None
        self._base_seed = base_seed
        self._warm: dict[str, Any] | None = None
        self._posts: dict[int, Post] = {}
        self._digests = Digests()
        self._muster: Muster | None = None
        self._beginning = threading.Lock()
        self._begun = False
        super().__init__(worker_cls, gpu_ids or (), base_seed=base_seed, **options)

    def connect(self) -> None:
        """Join the cluster now and not with the first task. Raises ClusterError with what to do."""
        with self._beginning:
            if self._begun or self._closing:
                return
            cluster.join(self._address, sum(slot.gpu_id is None for slot in self._slots))
            try:
                from cosmos_workflow.gpu_dispatch.ray.muster import Muster

                self._muster = Muster(self, None if self._follows else list(self._slots))
            except BaseException:
                cluster.leave()
                raise
            self._begun = True
            self._muster.start()

    def submit(
        self,
        data: Any,
        *,
        task_id: TaskId = None,
        setup: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        gpu_id: Pin = ANY,
    ) -> TaskId:
        """As `WorkerPool.submit`; the first call joins the cluster, as `connect` does."""
        self.connect()
        return super().submit(data, task_id=task_id, setup=setup, timeout=timeout, gpu_id=gpu_id)

    def warm(self, setup: Mapping[str, Any] | None = None) -> None:
        """As `WorkerPool.warm`, also for the slots that are away, once they aren't."""
        self.connect()
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
            self._dismiss()
            raise

    def arrived(self, post: Post) -> None:
        """A slot's actor is there."""
        slot, hello = post.slot, post.hello
        with self._lock:
            self._posts[slot.worker_id] = post
            slot.away, slot.node, slot.gpu_id = False, post.machine.name, hello.gpu_id if hello else None
            if self._warm is not None and not self._closing and slot.free:
                self._crew.start(slot, self._warm)
            self._stir()

    def departed(self, slot: Slot) -> bool:
        """A slot's actor is gone: whether another one may come, its last worker being buried."""
        with self._lock:
            if slot.process is not None:
                return False
            slot.away = True
            return not self._closing

    def refused(self, slot: Slot, error: str) -> None:
        """No actor can be had for a slot."""
        with self._lock:
            slot.broken, self._some_broken = error, True
            self._out_append(SetupFailed(slot.gpu_id, error, slot.worker_id))
            self._fail_unservable()
            self._stir()

    def offered(self, on_gpu: bool) -> Slot:
        """The cluster has a device more."""
        with self._lock:
            worker_id = max((slot.worker_id for slot in self._slots), default=-1) + 1
            slot = Slot(worker_id, 0 if on_gpu else None, self._base_seed + worker_id, away=True)
            self._slots.append(slot)
            return slot

    def withdrawn(self, slot: Slot) -> bool:
        """The cluster has a device less: whether its slot could be taken away."""
        with self._lock:
            if slot.process is not None:
                return False
            self._slots.remove(slot)
            self._stir()
            return True

    def _first_slots(self, gpu_ids: Sequence[int | None], base_seed: int) -> list[Slot]:
        if self._follows:
            return []
        slots = super()._first_slots(gpu_ids, base_seed)
        for slot in slots:
            slot.away = True
        return slots

    def _launch(self, slot: Slot, rules: Rules) -> Process:
        from cosmos_workflow.gpu_dispatch.ray.process import Order, RemoteProcess

        order = Order(f"gpu-dispatch-worker-{slot.worker_id}", slot.gpu_id is not None, rules.env, rules.quiet)
        return RemoteProcess(self._posts[slot.worker_id], order)

    def _pack(self, data: Any) -> Payload:
        if not isinstance(data, Travels):
            return dumps(data)
        departure = Departure(data, self._digests)
        return dumps(departure)._replace(files=departure.needs)

    def _dismiss(self) -> None:
        with self._beginning:
            begun, self._begun = self._begun, False
        if begun and self._muster is not None:
            self._muster.dismiss()
            cluster.leave()
