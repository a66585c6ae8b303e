"""Which slots the cluster offers: asks for an actor for each, learns of their arrival and of their end, asks again."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from cosmos_workflow.gpu_dispatch.ray.cluster import ClusterError
from cosmos_workflow.gpu_dispatch.ray.outpost import GROUPS, Hello, Outpost
from cosmos_workflow.gpu_dispatch.slots import Slot

_LOOK = 0.5  # seconds between two looks at the cluster
_MAX_FAILURES = 3


class Place(NamedTuple):
    """Where a slot is wanted: on a GPU or not, and on which machine ("": any)."""

    on_gpu: bool
    node_id: str = ""


class Employer(Protocol):
    """Who has the slots; see `RayPool`."""

    def arrived(self, post: Post) -> None: ...
    def departed(self, slot: Slot) -> bool: ...
    def refused(self, slot: Slot, error: str) -> None: ...
    def offered(self, on_gpu: bool) -> Slot: ...
    def withdrawn(self, slot: Slot) -> bool: ...


class Machine:
    """A machine of the cluster, and which inputs it was sent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: set[str] = set()
        self._lock = threading.Lock()

    def supply(self, actor: Any, needed: Mapping[str, Path]) -> None:
        """Send what the machine hasn't got; raises OSError for a file that can't be read, or what the actor raised."""
        with self._lock:
            for digest, path in needed.items():
                if digest not in self._kept:
                    ray.get(actor.keep.remote(digest, ray.put(path.read_bytes())))
                    self._kept.add(digest)


class Post:
    """One slot's actor, from the moment it is wanted."""

    def __init__(self, slot: Slot, place: Place) -> None:
        self.slot = slot
        self.place = place
        self.actor: Any = None
        self.hello: Hello | None = None
        self.machine = Machine("")
        self.failures = 0
        self.waits_for: Any = None

    def supply(self, needed: Mapping[str, Path]) -> None:
        """Have these inputs on the post's machine."""
        if needed:
            self.machine.supply(self.actor, needed)

    def give_up(self) -> None:
        """End the actor, whatever it is doing."""
        if self.actor is not None:
            with suppress(RayError):
                ray.kill(self.actor)


class Muster(threading.Thread):
    """Keeps the posts filled, in a thread of its own. Without `slots` there is one for every GPU of the cluster, or for
    every machine where the cluster has no GPU when we begin; machines may come and go."""

    def __init__(self, employer: Employer, slots: list[Slot] | None) -> None:
        super().__init__(name="gpu-dispatch-muster", daemon=True)
        self._employer = employer
        self._over = threading.Event()
        self._machines: dict[str, Machine] = {}
        self._on_gpus = bool(ray.cluster_resources().get("GPU"))
        self._posts: list[Post] = []
        self._follows = slots is None
        if slots is None:
            self._survey()
        elif not self._on_gpus and any(slot.gpu_id is not None for slot in slots):
            raise ClusterError("The Ray cluster has no GPU; give None instead of a GPU's number for a CPU worker.")
        else:
            self._posts = [Post(slot, Place(slot.gpu_id is not None)) for slot in slots]
            for post in self._posts:
                self._request(post)

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._look()
        except Exception:
            # Nobody else would say it, and every task would wait for ever.
            for post in self._posts:
                self._employer.refused(post.slot, f"the cluster can't be reached any more\n{traceback.format_exc()}")

    def _look(self) -> None:
        if self._follows:
            self._survey()
        waiting = {post.waits_for: post for post in self._posts if post.waits_for is not None}
        if waiting:
            ready, _ = ray.wait(list(waiting), timeout=_LOOK)
            for ref in ready:
                self._news(waiting[ref])
        else:
            self._over.wait(_LOOK)
        for post in self._posts:
            vacant = post.waits_for is None and post.slot.broken is None and not self._over.is_set()
            if vacant and self._employer.departed(post.slot):
                self._request(post)

    def dismiss(self) -> None:
        """End every actor; nothing runs there any more. Returns when they are gone, or after some seconds."""
        self._over.set()
        posts = list(self._posts)
        last = {post.hello.node_id: post for post in posts if post.hello is not None}
        with suppress(RayError):
            ray.get([post.actor.forget.remote() for post in last.values()], timeout=5)
        for post in posts:
            post.give_up()  # which wakes the thread up
        self.join()
        for post in self._posts:
            post.give_up()
        waiting = [post.waits_for for post in self._posts if post.waits_for is not None]
        if waiting:
            ray.wait(waiting, num_returns=len(waiting), timeout=5)

    def _request(self, post: Post) -> None:
        strategy: Any = "SPREAD"
        if post.place.node_id:
            strategy = NodeAffinitySchedulingStrategy(post.place.node_id, soft=False)
        wanted: dict[str, Any] = {"num_gpus": 1, "num_cpus": 0} if post.place.on_gpu else {"num_cpus": 1}
        post.hello = None
        options: dict[str, Any] = {"concurrency_groups": GROUPS, "scheduling_strategy": strategy, **wanted}
        post.actor = ray.remote(**options)(Outpost).remote(sys.path)
        post.waits_for = post.actor.hello.remote()

    def _news(self, post: Post) -> None:
        """An actor has come, or has ended."""
        arriving = post.hello is None
        ref, post.waits_for = post.waits_for, None
        try:
            answer: Any = ray.get(ref)
        except RayError as error:
            if arriving and not self._over.is_set():
                self._failed(post, error)
            return
        post.hello, post.failures = answer, 0
        post.machine = self._machine(answer.node_id)
        post.waits_for = post.actor.linger.remote()
        self._employer.arrived(post)

    def _failed(self, post: Post, error: RayError) -> None:
        post.give_up()
        post.failures += 1
        gone = post.place.node_id and post.place.node_id not in self._alive()
        if post.failures >= _MAX_FAILURES and not gone:
            self._employer.refused(post.slot, f"no worker can be started in the cluster\n{error}")

    def _machine(self, node_id: str) -> Machine:
        if node_id not in self._machines:
            node = next((node for node in ray.nodes() if node["NodeID"] == node_id), {})
            name, address = node.get("NodeName", ""), node.get("NodeManagerAddress", "")
            self._machines[node_id] = Machine(name if name and name != address else node.get("NodeManagerHostname", address))
        return self._machines[node_id]

    def _alive(self) -> dict[str, Mapping[str, float]]:
        return {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}

    def _survey(self) -> None:
        """Have a post for each device of the machines that are there, and none for those of others."""
        alive = self._alive()
        for post in list(self._posts):
            if post.place.node_id not in alive and post.waits_for is None and self._employer.withdrawn(post.slot):
                self._posts.remove(post)
        kind = "GPU" if self._on_gpus else "CPU"
        for node_id, resources in alive.items():
            devices = int(resources.get(kind, 0)) if self._on_gpus else int(resources.get(kind, 0) >= 1)
            there = sum(post.place.node_id == node_id for post in self._posts)
            for _ in range(devices - there):
                post = Post(self._employer.offered(self._on_gpus), Place(self._on_gpus, node_id))
                self._posts.append(post)
                self._request(post)
