"""What a cluster adds to a pool: machines that die or come, files that travel, a driver that is killed.

That a pool on a cluster keeps the promises of one on this machine is tested with those of the latter.
"""

import itertools
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from dispatch_support import live_actors, require_ray
from support import DEADLINE, wait_for

from cosmos_workflow.config import Settings, Workspace
from cosmos_workflow.execution.batch_run import ItemProgressed
from cosmos_workflow.execution.operations import Operations
from cosmos_workflow.execution.sessions import Session, Sessions
from cosmos_workflow.gpu_dispatch import Dispatcher, Executor, PlacesAwaited, TaskProgress, TaskSuccess, WorkerDied, WorkerReady
from cosmos_workflow.gpu_dispatch.ray import ClusterError, RayPool
from cosmos_workflow.gpu_dispatch.ray import cluster as knocking
from cosmos_workflow.gpu_dispatch.ui import RichDispatcher
from cosmos_workflow.queueing import Prompt
from tests.faults.carries import Errand
from tests.gpu_dispatch.conftest import Watched

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def machines(cluster: Any) -> Iterator[Callable[[str], Any]]:
    """Add a machine to the cluster: ``machines("name")``; it has room for one worker."""
    import ray

    added = []

    def add(name: str, gpus: int = 0) -> Any:
        added.append(cluster.add_node(num_cpus=1, num_gpus=gpus, node_name=name, object_store_memory=100 << 20))
        return added[-1]

    yield add
    for node in added:
        if node in cluster.list_all_nodes():
            cluster.remove_node(node)
    # The next test's pool must not take a machine that is going for one that is there.
    wait_for(lambda: sum(node["Alive"] for node in ray.nodes()) == 1, "the cluster notices that its machines went")


@pytest.fixture
def follow(cluster: Any) -> Iterator[Callable[..., Watched]]:
    """A pool with a worker on every machine of the cluster."""
    pools: list[RayPool] = []

    def make(worker: str = "carries", **options: Any) -> Watched:
        pools.append(RayPool(f"faults.{worker}:Worker", **options))
        pools[-1].connect()
        return Watched(pools[-1])

    yield make
    for pool in pools:
        pool.shutdown(graceful=False)


def places(pool: Watched) -> set[str]:
    return {slot.node for slot in pool.pool.slots() if slot.state != "away"}


def test_without_the_extra_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cosmos_workflow.gpu_dispatch.ray.cluster.find_spec", lambda _name: None)
    with pytest.raises(ClusterError, match=r"^Ray isn't installed; install it with: pip install 'cosmos-workflow\[ray\]'$"):
        Dispatcher("faults.echo:Worker", [None], executor="ray")


def test_ray_is_imported_by_who_joins_a_cluster_alone():
    code = "import sys, cosmos_workflow.gpu_dispatch.ray, cosmos_workflow.cli; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "No Ray cluster can be used at 127.0.0.1:1 (Connection refused): start Ray"),
        ("ray://127.0.0.1:1", "'ray://127.0.0.1:1' isn't a Ray cluster's address; write host:port, or auto."),
    ],
)
def test_an_address_where_no_cluster_is_ends_a_run_before_it_starts(tmp_path: Path, address: str, said: str):
    require_ray()
    done = cosmos_workflow("run", str(ROOT / "assets/jobs/welcome.yaml"), tmp_path, "--address", address)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
    assert not done.stdout


@pytest.mark.parametrize(("answer", "said"), [(b"", "does not answer"), (b"HTTP/1.1 400 Bad Request", "is no Ray cluster")])
def test_an_address_where_something_else_answers_fails_soon(monkeypatch: pytest.MonkeyPatch, answer: bytes, said: str):
    monkeypatch.setattr(knocking, "ANSWER_SECONDS", 0.2)

    def respond() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(100)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as server:
        if answer:
            threading.Thread(target=respond).start()
        with pytest.raises(OSError, match=said):
            knocking.knock(f"127.0.0.1:{server.getsockname()[1]}")


def test_a_job_runs_on_a_cluster_with_its_files_in_the_workspace(cluster: Any, tmp_path: Path):
    done = cosmos_workflow("run", str(ROOT / "assets/jobs/welcome.yaml"), tmp_path, "--address", cluster.address, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [row["status"] for row in told] == ["completed", "completed"]
    wavs = list(tmp_path.glob("runs/*/audio.wav"))
    assert len(wavs) == 2
    assert all(path.read_bytes()[:4] == b"RIFF" for path in wavs)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()].count("task_ended") == 2, "progress, and nothing else"


def test_a_worker_runs_in_its_machines_own_environment_also_under_uv_run(follow: Any):
    pool = follow("echo")
    about = pool.pool.submit("about")
    # Under `uv run`, which is how this suite is run, Ray would have uv build another one.
    assert pool.finish([about])[about].data["python"] == sys.executable


def test_a_dispatcher_with_a_picture_works_on_a_cluster(cluster: Any):
    told = RichDispatcher("faults.echo:Worker", [None], show_ui=False, executor="ray").run(range(20))
    assert (told["total"], told["completed"]) == (20, 20)


def test_futures_and_workers_that_stay_are_there_on_a_cluster_too(cluster: Any):
    with Executor("faults.echo:Worker", [None], executor="ray") as executor:
        futures = [executor.submit(number) for number in range(30)]
        assert executor.submit("until cancelled").cancel()
        assert [future.result(DEADLINE) for future in futures] == list(range(30))
    with Dispatcher("faults.echo:Worker", [None], executor="ray") as dispatcher:
        pids = [outcome.unwrap()["pid"] for _ in range(2) for outcome in dispatcher.map(["about"])]
    assert len(set(pids)) == 1


def test_a_long_source_is_not_read_ahead(cluster: Any):
    read = itertools.count()
    dispatcher = Dispatcher("faults.echo:Worker", [None], executor="ray")
    outcomes = dispatcher.map(next(read) for _ in range(1_000_000))
    for outcome in itertools.islice(outcomes, 200):
        assert isinstance(outcome, TaskSuccess)
        assert outcome.node == "head"
    assert next(read) < 200 + 2 * 65 + 2
    outcomes.close()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_gpu_that_no_machine_has_is_refused_instead_of_awaited(cluster: Any):
    with pytest.raises(ClusterError, match="The Ray cluster has no GPU"):
        Dispatcher("faults.echo:Worker", [0], executor="ray").run(range(3))


def test_files_travel_to_every_machine_once_and_back_into_their_folders(machines: Any, follow: Any, tmp_path: Path):
    machines("other")
    pool = follow()
    pool.until(lambda: places(pool) == {"head", "other"})
    voice = tmp_path / "voice.wav"
    voice.write_bytes(b"a voice" * 1000)
    folders = [tmp_path / f"run-{number}" for number in range(12)]
    for folder in folders:
        folder.mkdir()
        pool.pool.submit(Errand(voice, folder))
        pool.pool.submit(0.05)
    pool.finish(range(1, 25))
    read: dict[str, set[Any]] = {}
    for event in pool.of(TaskSuccess):
        if isinstance(event.data, tuple):
            source, inode, copy = event.data
            assert source.name == "voice.wav"
            assert tmp_path not in source.parents
            assert tmp_path not in copy.parents
            read.setdefault(event.node, set()).add((source, inode))
    assert set(read) == {"head", "other"}
    assert all(len(copies) == 1 for copies in read.values()), "it was brought twice"
    assert len(set.union(*read.values())) == 2, "the machines share a folder"
    for folder in folders:
        assert [path.name for path in folder.iterdir()] == ["copy.txt"]
        assert (folder / "copy.txt").read_bytes() == voice.read_bytes()


def test_what_cannot_be_brought_fails_its_task_alone(follow: Any, tmp_path: Path):
    pool = follow()
    gone, late = tmp_path / "gone.wav", tmp_path / "late.wav"
    late.write_bytes(b"before")
    pool.pool.submit(Errand(gone, tmp_path), task_id="gone")
    holder = pool.pool.submit(0.5)
    pool.pool.submit(Errand(late, tmp_path), task_id="late")
    late.unlink()
    after = pool.pool.submit(0.0)
    outcomes = pool.finish(["gone", holder, "late", after])
    assert "No such file" in outcomes["gone"].error
    assert "No such file" in outcomes["late"].error
    assert isinstance(outcomes[after], TaskSuccess)


def test_a_queue_works_on_every_machine_and_says_where(cluster: Any, machines: Any, workspace: Workspace, tmp_path: Path):
    machines("other")
    gate = tmp_path / "gate"
    alone = replace(workspace, settings=Settings(batch_size=1))
    with Operations(alone, gpu_ids=None, pool=partial(RayPool, address=cluster.address)) as operations:
        session = Sessions(operations).open()
        session.queue.add_to_queue([Prompt(f"wait {gate}")] * 2 + [Prompt("ok")] * 10, "probe", {})
        session.runner.start()
        # Two items are under way at once only if both machines work, each of which comes when it comes.
        wait_for(lambda: sum(part.message.startswith("waited") for part in progress(session)) == 2, "both machines at work")
        assert session.runner.snapshot().machines == "head: 1 worker, other: 1 worker"
        gate.touch()
        assert session.runner.join(DEADLINE)
        assert {str(item.status) for item in session.queue.snapshot().finished} == {"succeeded"}
        runs = operations.store.runs.list(limit=100)
    assert {run.device for run in runs} == {"CPU on head", "CPU on other"}
    assert len(list(workspace.root.glob("runs/*/sound.wav"))) == len(runs) == 12


def test_there_is_a_worker_for_every_gpu_and_it_sees_no_other(machines: Any, follow: Any):
    machines("graphics", gpus=2)  # Ray takes our word for it
    pool = follow("echo")
    pool.until(lambda: [slot.state for slot in pool.pool.slots()] == ["empty", "empty"])
    pool.pool.warm()
    pool.until(lambda: all(slot.state == "idle" for slot in pool.pool.slots()))
    abouts = [event.data for event in pool.finish([pool.pool.submit("about") for _ in range(20)]).values()]
    assert {(about["gpu_id"], about["env"]["CUDA_VISIBLE_DEVICES"]) for about in abouts} == {(0, "0"), (1, "1")}
    assert {(slot.gpu_id, slot.node) for slot in pool.pool.slots()} == {(0, "graphics"), (1, "graphics")}


def test_a_worker_has_as_many_gpus_as_are_asked_for_or_a_part_of_one(machines: Any, follow: Any):
    machines("graphics", gpus=2)
    pool = follow("echo", gpus_per_worker=2)
    pool.until(lambda: [slot.state for slot in pool.pool.slots()] == ["empty"])
    about = pool.pool.submit("about")
    assert pool.finish([about])[about].data["env"]["CUDA_VISIBLE_DEVICES"] == "0,1"
    pool.pool.shutdown()
    pool = follow("echo", gpus_per_worker=0.5)
    pool.until(lambda: [slot.state for slot in pool.pool.slots()] == ["empty"] * 4)
    assert sorted(slot.gpu_id for slot in pool.pool.slots()) == [0, 0, 1, 1]


def test_gpus_that_come_later_take_the_work_over(machines: Any, follow: Any):
    pool = follow("echo")
    tasks = [pool.pool.submit("about") for _ in range(3)]
    assert {event.data["gpu_id"] for event in pool.finish(tasks).values()} == {None}
    machines("graphics", gpus=1)
    pool.until(lambda: [(slot.node, slot.state) for slot in pool.pool.slots()] == [("graphics", "empty")])
    tasks = [pool.pool.submit("about") for _ in range(3)]
    assert {event.data["gpu_id"] for event in pool.finish(tasks).values()} == {0}


@pytest.mark.parametrize("number", [0, -1, 1.5])
def test_a_number_of_gpus_that_no_worker_can_have_is_refused(number: float):
    require_ray()
    with pytest.raises(ValueError, match="whole number or a fraction between 0 and 1"):
        Dispatcher("faults.echo:Worker", None, executor="ray", gpus_per_worker=number)
    with pytest.raises(ValueError, match="gpus_per_worker is for a Ray cluster"):
        Dispatcher("faults.echo:Worker", [0], gpus_per_worker=2)


def test_a_cluster_that_is_full_says_what_is_waited_for(machines: Any, follow: Any):
    machines("graphics", gpus=1)
    pool = follow("echo", gpu_ids=[0, 1])
    said = "waiting for a place: 1 GPU asked, 0 free"
    pool.until(lambda: PlacesAwaited(said) in pool.seen)
    assert sorted(slot.awaits for slot in pool.pool.slots()) == ["", said]
    about = pool.pool.submit("about")
    assert pool.finish([about])[about].data["env"]["CUDA_VISIBLE_DEVICES"] == "0", "the other one works meanwhile"
    machines("more", gpus=1)
    pool.until(lambda: pool.of(PlacesAwaited)[-1].reason == "")
    assert {slot.awaits for slot in pool.pool.slots()} == {""}
    assert [event.node for event in pool.of(WorkerReady)] == ["graphics"]


def asked_for() -> list[Any]:
    """What an autoscaler of the cluster would see."""
    from ray.util import placement_group_table

    groups: Any = placement_group_table()
    return [bundle for group in groups.values() if group["state"] == "PENDING" for bundle in group["bundles"].values()]


def test_while_tasks_wait_one_gpu_more_is_asked_for_and_used_when_it_comes(machines: Any, follow: Any, tmp_path: Path):
    machines("graphics", gpus=1)
    pool = follow("echo")
    gate = tmp_path / "gate"
    tasks = [pool.pool.submit(("wait for", str(gate))) for _ in range(2)]
    pool.until(lambda: asked_for() == [{"GPU": 1}])
    assert not pool.of(PlacesAwaited), "the cluster has never said that it can have more"
    machines("more", gpus=1)
    pool.until(lambda: {event.node for event in pool.of(WorkerReady)} == {"graphics", "more"})
    gate.touch()
    pool.finish(tasks)
    pool.until(lambda: not asked_for())


def test_a_cluster_that_says_it_can_have_gpus_is_asked_for_one(machines: Any, follow: Any, monkeypatch: pytest.MonkeyPatch):
    from ray._private.state import state

    monkeypatch.setattr(state, "get_max_resources_from_cluster_config", lambda: {"CPU": 8, "GPU": 2})
    pool = follow("echo")
    about = pool.pool.submit("about")
    pool.until(lambda: PlacesAwaited("waiting for a place: 1 GPU asked, 0 free") in pool.seen)
    assert asked_for() == [{"GPU": 1}]
    machines("graphics", gpus=1)
    assert pool.finish([about])[about].data["gpu_id"] == 0
    pool.until(lambda: pool.of(PlacesAwaited)[-1].reason == "" and not asked_for())


def test_a_machine_killed_in_mid_run_loses_nothing_and_doubles_nothing(cluster: Any, machines: Any, follow: Any):
    first, _ = machines("first"), machines("second")
    pool = follow(max_retries=1)
    pool.until(lambda: places(pool) == {"head", "first", "second"})
    tasks = [pool.pool.submit(0.2) for _ in range(80)]
    pool.until(lambda: {event.node for event in pool.of(TaskSuccess)} >= {"head", "first", "second"})
    cluster.remove_node(first, allow_graceful=False)
    outcomes = pool.finish(tasks)
    assert all(isinstance(event, TaskSuccess) for event in outcomes.values())
    pool.until(lambda: places(pool) == {"head", "second"})
    assert len(pool.of(WorkerDied)) == 1


def test_a_machine_that_comes_in_mid_run_is_used(machines: Any, follow: Any):
    pool = follow()
    pool.until(lambda: places(pool) == {"head"})
    running = {pool.pool.submit(0.1) for _ in range(3)}
    machines("late")

    def helped() -> bool:
        while len(pool.pool.slots()) * 2 > len(running - set(pool.outcomes)):
            running.add(pool.pool.submit(0.1))
        return any(event.node == "late" for event in pool.of(TaskSuccess))

    pool.until(helped)
    assert not [event for event in pool.finish(running).values() if not isinstance(event, TaskSuccess)]


def test_a_killed_driver_leaves_no_actor_and_no_worker(cluster: Any, tmp_path: Path):
    script = Path(__file__).with_name("parent.py")
    with subprocess.Popen([sys.executable, str(script), str(tmp_path), cluster.address]) as driver:
        wait_for(lambda: len(list(tmp_path.glob("*.family"))) == 2, "the workers start")
        pids = [int(pid) for file in tmp_path.glob("*.family") for pid in file.read_text().split()]
        family = [psutil.Process(pid) for pid in pids]
        assert len(live_actors()) == 2
        driver.kill()
    _, alive = psutil.wait_procs(family, timeout=DEADLINE)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    wait_for(lambda: not live_actors(), "the actors go")


def test_many_small_tasks_and_large_ones_all_come_back(cluster: Any):
    dispatcher = Dispatcher("faults.echo:Worker", [None, None], executor="ray")
    small = {outcome.task_id: outcome.data for outcome in dispatcher.map(range(10_000)) if isinstance(outcome, TaskSuccess)}
    assert small == {number: number for number in range(10_000)}
    arrays = (np.full(1 << 17, float(number)) for number in range(200))
    large = [outcome for outcome in dispatcher.map(arrays) if isinstance(outcome, TaskSuccess)]
    assert {outcome.task_id for outcome in large} == set(range(200))
    for outcome in large:
        assert outcome.data.nbytes == 1 << 20
        assert outcome.data[0] == outcome.data[-1] == outcome.task_id


def test_a_worker_that_reports_without_end_waits_for_who_listens(cluster: Any):
    told = []
    Dispatcher("faults.echo:Worker", [None], executor="ray").run(
        [("report", 20_000)], on_event=lambda event: told.append(event.progress) if isinstance(event, TaskProgress) else None
    )
    assert told == list(range(20_000))


def progress(session: Session) -> list[ItemProgressed]:
    return list(session.runner.snapshot().progress.values())


def cosmos_workflow(verb: str, file: str, workspace: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [verb, file, "--executor", "ray", "--workspace", str(workspace), *options]
    return subprocess.run(
        [sys.executable, "-m", "cosmos_workflow", *words],
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )
