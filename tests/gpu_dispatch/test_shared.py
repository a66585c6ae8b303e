"""What is shared is there in every worker without being sent, can't be changed, and leaves nothing behind."""

import gc
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from dispatch_support import worker_processes
from support import DEADLINE, wait_for

from cosmos_workflow.gpu_dispatch import Dispatcher, Executor, share

pytestmark = pytest.mark.slow

LARGE = np.arange(1 << 18, dtype=np.float64)  # 2 MB
SUM = float(LARGE.sum())


@pytest.fixture
def looks(executor: str) -> Any:
    """An executor, of one worker."""
    with Executor("faults.looks:Worker", [None], executor=executor, setup={"table": share(LARGE)}) as made:  # pyright: ignore[reportArgumentType]
        yield made


def test_a_worker_has_what_is_shared_though_not_a_copy_of_it(looks: Executor, executor: str):
    shared = share({"array": LARGE, "other": "small"})
    for data in (shared, None, shared):  # None: what came with setup
        said = looks.submit(("sum", data)).result(DEADLINE)
        assert said == {"sum": SUM, "type": "ndarray", "mapped": executor == "local"}
    assert float(shared.value["array"].sum()) == SUM
    small = share(LARGE[:3])  # nothing is gained there
    assert looks.submit(("sum", small)).result(DEADLINE)["sum"] == 3.0


def test_many_runs_and_workers_have_the_same(executor: str):
    with share(LARGE) as shared:
        for _ in range(2):
            options: Any = {"executor": executor}
            dispatcher = Dispatcher("faults.looks:Worker", [None, None], **options)
            outcomes = [outcome.unwrap()["sum"] for outcome in dispatcher.map([("sum", shared)] * 10)]
            assert outcomes == [SUM] * 10


@pytest.mark.parametrize("executor", ["local"])
def test_nobody_can_change_it_for_the_others(looks: Executor):
    torch = pytest.importorskip("torch")
    for shared in (share(LARGE), share(torch.from_numpy(LARGE))):
        refused = looks.submit(("write", shared)).exception(DEADLINE)
        assert refused is not None
        assert "read-only" in str(refused) or "SIGSEGV" in str(refused), refused
        assert looks.submit(("sum", shared)).result(DEADLINE)["sum"] == SUM


def test_the_task_of_a_killed_worker_has_it_in_the_next_one(looks: Executor, tmp_path: Path):
    shared = share({"array": LARGE, "flag": str(tmp_path / "died")})
    assert looks.submit(("die once", shared)).result(DEADLINE)["sum"] == SUM
    assert (tmp_path / "died").exists()


@pytest.mark.parametrize("executor", ["local"])
def test_it_is_kept_for_the_tasks_that_have_it_and_no_longer(looks: Executor):
    gc.collect()  # what tests before this one left lying
    before = _files()
    futures = [looks.submit(("sum", share(LARGE))) for _ in range(5)]  # nobody else has the handles
    assert [future.result(DEADLINE)["sum"] for future in futures] == [SUM] * 5
    with share(LARGE) as shared:
        last = looks.submit(("sum", shared))
    assert last.result(DEADLINE)["sum"] == SUM
    late = looks.submit(("sum", shared)).exception(DEADLINE)
    assert "has been closed" in str(late)
    gc.collect()
    assert _files() == before


@pytest.mark.parametrize("executor", ["local"])
def test_a_worker_gives_back_what_is_shared_no_more(looks: Executor):
    workers = [psutil.Process(pid) for pid in worker_processes()]
    for _ in range(10):
        looks.submit(("sum", share(LARGE))).result(DEADLINE)
        gc.collect()
    assert all(_mapped(worker.pid) <= 2 for worker in workers), "but for that of its setup and the last one"


PARENT = """
import sys, time
sys.path.insert(0, sys.argv[1])
import numpy as np
from cosmos_workflow.gpu_dispatch import Executor, share

if __name__ == "__main__":
    executor = Executor("faults.looks:Worker", [None, None])
    shared = share(np.ones(1 << 18))
    for future in [executor.submit(("sum", shared)) for _ in range(20)]:
        future.result()
    print("ready", flush=True)
    time.sleep(600)
"""


def test_a_killed_parent_leaves_nothing_of_it():
    program = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(Path(__file__).parents[1])], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        family = [program.pid, *(child.pid for child in psutil.Process(program.pid).children(recursive=True))]
        assert any(_mapped(pid) for pid in family[1:])
    finally:
        program.send_signal(signal.SIGKILL)
        program.communicate(timeout=DEADLINE)
    wait_for(lambda: not any(_mapped(pid) for pid in family), "the memory is nobody's")


def _files() -> int:
    links = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink() and entry.exists()]
    return sum("memfd:gpu-dispatch" in link for link in links)


def _mapped(pid: int) -> int:
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return len({line.split("gpu-dispatch-")[1] for line in maps.splitlines() if "memfd:gpu-dispatch" in line})
