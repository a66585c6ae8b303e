"""The pool as its callers use it: who gets which task, what is told, and when."""

import threading
from pathlib import Path

import pytest

from cosmos_workflow.gpu_dispatch import (
    PoolClosedError,
    TaskError,
    TaskProgress,
    TaskSuccess,
    WorkerExited,
    WorkerPool,
    WorkerStarted,
)


def test_tasks_come_back_with_their_results_in_order(watch):
    pool = watch("echo")
    ids = [pool.pool.submit(number) for number in range(50)]
    assert [event.data for event in pool.finish(ids).values()] == list(range(50))
    assert list(pool.outcomes) == ids


def test_progress_arrives_in_order_and_before_the_result(watch):
    pool = watch("echo")
    task = pool.pool.submit(("report", 500))
    pool.finish([task])
    assert [event.progress for event in pool.of(TaskProgress)] == list(range(500))
    assert isinstance(pool.seen[-1], TaskSuccess)


def test_a_worker_stays_alive_between_tasks_and_is_replaced_for_another_setup(watch):
    pool = watch("echo")
    ids = [pool.pool.submit("about", setup={"engine": name}) for name in ("a", "a", "b", "a")]
    abouts = [event.data for event in pool.finish(ids).values()]
    assert [about["setup"]["engine"] for about in abouts] == ["a", "a", "b", "a"]
    pids = [about["pid"] for about in abouts]
    assert pids[0] == pids[1]
    assert len(set(pids)) == 3
    assert len(pool.of(WorkerExited)) == 2


def test_a_task_prefers_the_worker_that_has_its_setup(watch):
    pool = watch("echo", 2)
    first = [pool.pool.submit("about", setup={"engine": name}) for name in ("a", "b")]
    pids = {about.data["setup"]["engine"]: about.data["pid"] for about in pool.finish(first).values()}
    again = [pool.pool.submit("about", setup={"engine": name}) for name in ("b", "a", "b")]
    for event in pool.finish(again).values():
        assert event.data["pid"] == pids[event.data["setup"]["engine"]]
    assert len(pool.of(WorkerStarted)) == 2


def test_a_worker_that_still_loads_is_waited_for_if_it_fits_and_replaced_if_not(watch):
    pool = watch("hangs_in_setup", base_seed=10)
    pool.pool.cancel(pool.pool.submit("never", setup={"failing": (10,)}))
    pool.pool.warm({"failing": (10,)})
    pool.until(lambda: bool(pool.pids()))
    stuck = pool.pids()
    fitting = pool.pool.submit(1, setup={"failing": (10,)})
    pool.until(lambda: pool.pool.slots()[0].task_id == fitting)
    assert pool.pids() == stuck
    pool.pool.cancel(fitting)
    other = pool.pool.submit(2)
    assert pool.finish([other])[other].data == 2
    assert pool.of(WorkerExited)[0].pid == stuck[0]


def test_a_cpu_worker_sees_no_gpu_and_gets_its_own_seed(watch):
    pool = watch("echo", 2, base_seed=7)
    pool.pool.warm()
    pool.until(lambda: all(slot.state == "idle" for slot in pool.pool.slots()))
    ids = [pool.pool.submit("about") for _ in range(2)]
    abouts = [event.data for event in pool.finish(ids).values()]
    assert {about["seed"] for about in abouts} <= {7, 8}
    assert all(about["env"]["CUDA_VISIBLE_DEVICES"] == "" for about in abouts)


def test_submit_from_another_thread_wakes_the_loop(watch):
    pool = watch("echo")
    ids: list[object] = []
    thread = threading.Thread(target=lambda: ids.append(pool.pool.submit("late")))
    thread.start()
    pool.until(lambda: bool(pool.outcomes))
    thread.join()
    assert [event.data for event in pool.finish(ids).values()] == ["late"]


def test_a_waiting_task_is_cancelled_at_once_and_never_starts(watch, tmp_path: Path):
    pool = watch("echo")
    running = pool.pool.submit(("wait for", str(tmp_path / "go")))
    waiting = pool.pool.submit("never")
    pool.until(lambda: bool(pool.of(TaskProgress)))
    pool.pool.cancel(waiting)
    assert pool.finish([waiting])[waiting].kind == "cancelled"
    (tmp_path / "go").touch()
    assert isinstance(pool.finish([running])[running], TaskSuccess)


def test_a_running_task_that_listens_is_cancelled_and_its_worker_stays(watch):
    pool = watch("echo")
    task = pool.pool.submit("until cancelled")
    pool.until(lambda: bool(pool.of(TaskProgress)))
    pids = pool.pids()
    pool.pool.cancel(task)
    outcome = pool.finish([task])[task]
    assert isinstance(outcome, TaskError)
    assert outcome.kind == "cancelled"
    assert pool.pids() == pids


def test_a_running_task_hears_what_it_is_sent(watch):
    pool = watch("echo")
    task = pool.pool.submit("until told")
    pool.until(lambda: bool(pool.of(TaskProgress)))
    pool.pool.send(task, {"word": 1})
    assert pool.finish([task])[task].data == [{"word": 1}]


def test_unload_sends_idle_workers_away_and_busy_ones_after_their_task(watch, tmp_path: Path):
    pool = watch("echo")
    task = pool.pool.submit(("wait for", str(tmp_path / "go")), setup={"log": str(tmp_path / "log")})
    pool.until(lambda: bool(pool.of(TaskProgress)))
    pid = pool.pids()[0]
    pool.pool.unload()
    (tmp_path / "go").touch()
    pool.finish([task])
    pool.until(lambda: bool(pool.of(WorkerExited)))
    assert (tmp_path / "log").read_text() == f"{pid}\n"
    assert pool.pool.slots()[0].state == "empty"


def test_unload_ends_a_worker_that_loads_for_nobody(watch):
    pool = watch("hangs_in_setup", base_seed=10)
    pool.pool.warm({"failing": (10,)})
    pool.pool.unload()
    pool.until(lambda: bool(pool.of(WorkerExited)))
    assert pool.pool.slots()[0].state == "empty"


def test_a_graceful_shutdown_delivers_what_is_running_and_cancels_what_waits(watch, tmp_path: Path):
    pool = watch("echo")
    log = str(tmp_path / "log")
    running = pool.pool.submit(("wait for", str(tmp_path / "go")), setup={"log": log})
    waiting = pool.pool.submit("never", setup={"log": log})
    pool.until(lambda: bool(pool.of(TaskProgress)))
    (tmp_path / "go").touch()
    pool.seen += pool.pool.shutdown()
    assert isinstance(pool.outcomes[running], TaskSuccess)
    assert pool.outcomes[waiting].kind == "cancelled"
    assert (tmp_path / "log").exists()
    with pytest.raises(PoolClosedError):
        pool.pool.submit("too late")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("gpu_ids", "said"),
    [
        ([], "at least one worker"),
        ([0, 1, 0], "GPU 0 is listed more than once"),
        ([-1], "number from 0"),
        (["0"], "number from 0"),
    ],
)
def test_wrong_devices_are_refused_before_anything_starts(gpu_ids, said):
    with pytest.raises(ValueError, match=said):
        WorkerPool("faults.echo:Worker", gpu_ids)


@pytest.mark.parametrize("name", ["seed", "gpu_id"])
def test_a_setup_argument_of_ours_is_refused(watch, name: str):
    with pytest.raises(ValueError, match=name):
        watch("echo").pool.submit(1, setup={name: 1})
