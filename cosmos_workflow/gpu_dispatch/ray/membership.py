"""The membership of a cluster: an actor for each slot, which is asked for, arrives, ends, and is asked for again."""

from __future__ import annotations

import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..slots import Slot
from . import cluster
from .agent import GROUPS, Agent, Place
from .cluster import ClusterError

_POLL_SECONDS = 0.5  # seconds between two looks at the cluster
_PATIENCE = 5.0  # seconds without a place until that is told
_MAX_FAILURES = 3


class SlotOwner(Protocol):
    """Who has the slots; see `RayPool`."""

    def arrived(self, member: Member) -> None: ...
    def departed(self, slot: Slot) -> bool: ...
    def awaited(self, reason: str, slots: Sequence[Slot]) -> None: ...
    def wants_workers(self) -> bool: ...
    def refused(self, slot: Slot, error: str) -> None: ...
    def offered(self, on_gpu: bool) -> Slot: ...
    def outdone(self, slot: Slot) -> None: ...
    def withdrawn(self, slot: Slot) -> bool: ...


class Machine:
    """A machine of the cluster, and which inputs it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._sent: set[str] = set()
        self._lock = threading.Lock()

    def supply(self, actor: Any, needed: Mapping[str, Path]) -> None:
        """Send what the machine hasn't got; raises OSError for a file that can't be read, or what the actor raised."""
        with self._lock:
            for digest, path in needed.items():
                if digest not in self._sent:
                    ray.get(actor.keep.remote(digest, ray.put(path.read_bytes())))
                    self._sent.add(digest)


@dataclass(eq=False)
class Member:
    """One slot's actor, from the moment it is wanted: on a GPU or not, and on which machine ("": any)."""

    slot: Slot
    on_gpu: bool
    node_id: str = ""
    actor: Any = None
    place: Place | None = None
    machine: Machine = field(default_factory=lambda: Machine(""))
    failures: int = 0
    pending: Any = None
    since: float = 0.0

    def end(self) -> None:
        """End the actor, whatever it is doing."""
        if self.actor is not None:
            with suppress(RayError):
                ray.kill(self.actor)


class Request:
    """A place that the cluster hasn't got; an autoscaler goes by what is asked for. It's given back as soon as it is there, for
    whoever is to have it then."""

    def __init__(self, resources: Mapping[str, float]) -> None:
        self._resources = resources
        self._since: float | None = None
        self._group: Any = None

    @property
    def made(self) -> bool:
        return self._group is not None

    def keep(self, wanted: bool) -> None:
        """Ask for it once it has been wanted for a while, until it's there or isn't wanted any more."""
        now = time.monotonic()
        self._since = (self._since or now) if wanted else None
        if self._group is not None and (not wanted or self._group.wait(0)):
            with suppress(RayError):
                remove_placement_group(self._group)
            self._group, self._since = None, None
        elif self._group is None and self._since is not None and now - self._since > _PATIENCE:
            self._group = placement_group([dict(self._resources)])


class Membership(threading.Thread):
    """Keeps the slots filled with actors, in a thread of its own. Without `slots` there is one for every GPU of the cluster, or
    for every machine as long as the cluster has no GPU; machines may come and go."""

    def __init__(self, owner: SlotOwner, slots: list[Slot] | None, gpus_per_worker: float) -> None:
        super().__init__(name="gpu-dispatch-membership", daemon=True)
        self._owner = owner
        self._gpus_per_worker = gpus_per_worker
        self._awaiting = False
        self._over = threading.Event()
        self._machines: dict[str, Machine] = {}
        self._more = Request({"GPU": gpus_per_worker})
        self._on_gpus = bool(ray.cluster_resources().get("GPU")) or cluster.promised("GPU") > 0
        self._members: list[Member] = []
        self._follows = slots is None
        if slots is None:
            self._follow()
        elif not self._on_gpus and any(slot.gpu_id is not None for slot in slots):
            raise ClusterError("The Ray cluster has no GPU; give None instead of a GPU's number for a CPU worker.")
        else:
            self._members = [Member(slot, slot.gpu_id is not None) for slot in slots]
            for member in self._members:
                self._request(member)

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._poll()
        except Exception:
            # Nobody else would say it, and every task would wait for ever.
            for member in self._members:
                self._owner.refused(member.slot, f"the cluster can't be reached any more\n{traceback.format_exc()}")

    def _poll(self) -> None:
        if self._follows:
            self._follow()
        waiting = {member.pending: member for member in self._members if member.pending is not None}
        if waiting:
            ready, _ = ray.wait(list(waiting), timeout=_POLL_SECONDS)
            for ref in ready:
                self._on_answer(waiting[ref])
        else:
            self._over.wait(_POLL_SECONDS)
        for member in self._members:
            vacant = member.pending is None and member.slot.broken is None and not self._over.is_set()
            if vacant and self._owner.departed(member.slot):
                self._request(member)
        self._more.keep(self._follows and self._on_gpus and self._owner.wants_workers())
        self._tell_who_waits()

    def end(self) -> None:
        """End every actor; nothing runs there any more. Returns when they are gone, or after some seconds."""
        self._over.set()
        members = list(self._members)
        last = {member.place.node_id: member for member in members if member.place is not None}
        with suppress(RayError):
            ray.get([member.actor.clean.remote() for member in last.values()], timeout=5)
        for member in members:
            member.end()  # which wakes the thread up
        self.join()
        self._more.keep(False)
        for member in self._members:
            member.end()
        waiting = [member.pending for member in self._members if member.pending is not None]
        if waiting:
            ray.wait(waiting, num_returns=len(waiting), timeout=5)

    def _tell_who_waits(self) -> None:
        now = time.monotonic()
        homeless = [member for member in self._members if member.place is None and member.slot.broken is None]
        waiting = [member for member in homeless if now - member.since > _PATIENCE]
        # Where nobody has said that there can be more GPUs, all of them being busy is nothing to tell.
        more = self._more.made and (not self._members or cluster.promised("GPU") > ray.cluster_resources().get("GPU", 0))
        if waiting or more or self._awaiting:
            self._awaiting = bool(waiting) or more
            self._owner.awaited(
                self._shortage(waiting, self._gpus_per_worker if more else 0), [member.slot for member in waiting]
            )

    def _shortage(self, waiting: Sequence[Member], more: float) -> str:
        """``waiting for a place: 4 GPUs asked, 0 free``"""
        free = ray.available_resources() if waiting or more else {}
        asked = {"GPU": float(more), "CPU": 0.0}
        for member in waiting:
            asked["GPU" if member.on_gpu else "CPU"] += self._gpus_per_worker if member.on_gpu else 1
        counts = {kind: f"{count:g} {kind}{'' if count == 1 else 's'}" for kind, count in asked.items() if count}
        wanting = [f"{count} asked, {free.get(kind, 0):g} free" for kind, count in counts.items()]
        return f"waiting for a place: {'; '.join(wanting)}" if wanting else ""

    def _request(self, member: Member) -> None:
        strategy: Any = "SPREAD"
        if member.node_id:
            strategy = NodeAffinitySchedulingStrategy(member.node_id, soft=False)
        wanted: dict[str, Any] = {"num_gpus": self._gpus_per_worker, "num_cpus": 0} if member.on_gpu else {"num_cpus": 1}
        member.place, member.since = None, time.monotonic()
        options: dict[str, Any] = {"concurrency_groups": GROUPS, "scheduling_strategy": strategy, **wanted}
        member.actor = ray.remote(**options)(Agent).remote(sys.path)
        member.pending = member.actor.locate.remote()

    def _on_answer(self, member: Member) -> None:
        """An actor has come, or has ended."""
        arriving = member.place is None
        ref, member.pending = member.pending, None
        try:
            answer: Any = ray.get(ref)
        except RayError as error:
            if arriving and not self._over.is_set():
                self._failed(member, error)
            return
        member.place, member.failures = answer, 0
        member.machine = self._machine(answer.node_id)
        member.pending = member.actor.wait_for_ever.remote()
        self._owner.arrived(member)

    def _failed(self, member: Member, error: RayError) -> None:
        member.end()
        member.failures += 1
        gone = member.node_id and member.node_id not in self._alive()
        if member.failures >= _MAX_FAILURES and not gone:
            self._owner.refused(member.slot, f"no worker can be started in the cluster\n{error}")

    def _machine(self, node_id: str) -> Machine:
        if node_id not in self._machines:
            node = next((node for node in ray.nodes() if node["NodeID"] == node_id), {})
            name, address = node.get("NodeName", ""), node.get("NodeManagerAddress", "")
            self._machines[node_id] = Machine(name if name and name != address else node.get("NodeManagerHostname", address))
        return self._machines[node_id]

    def _alive(self) -> dict[str, Mapping[str, float]]:
        return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}

    def _follow(self) -> None:
        """Have a member for each device of the machines that are there, and none for those of others."""
        alive = self._alive()
        if not self._on_gpus and any(self._devices(resources, on_gpus=True) for resources in alive.values()):
            self._on_gpus = True
            self._offer(alive)  # before the others go: there must always be somebody for a task
            for member in self._members:
                if not member.on_gpu:
                    self._owner.outdone(member.slot)
        for member in list(self._members):
            outdone = self._on_gpus and not member.on_gpu
            if outdone and member.slot.worker is None:
                member.end()
            gone = outdone or member.node_id not in alive
            if gone and member.pending is None and self._owner.withdrawn(member.slot):
                self._members.remove(member)
        self._offer(alive)

    def _offer(self, alive: Mapping[str, Mapping[str, float]]) -> None:
        for node_id, resources in alive.items():
            there = sum((member.on_gpu, member.node_id) == (self._on_gpus, node_id) for member in self._members)
            for _ in range(self._devices(resources, self._on_gpus) - there):
                member = Member(self._owner.offered(self._on_gpus), self._on_gpus, node_id)
                self._members.append(member)
                self._request(member)

    def _devices(self, resources: Mapping[str, float], on_gpus: bool) -> int:
        """How many workers a machine has room for."""
        return int(resources.get("GPU", 0) / self._gpus_per_worker + 1e-9) if on_gpus else int(resources.get("CPU", 0) >= 1)
