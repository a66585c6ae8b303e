"""Which device a worker sees."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest
from rich.console import Console

from cosmos_workflow.gpu_dispatch import Dispatcher, WorkerStarted, default_gpu_ids, discover_gpus
from cosmos_workflow.gpu_dispatch.devices import worker_environ
from cosmos_workflow.gpu_dispatch.ui import DispatchView


@pytest.mark.parametrize(
    ("gpu_id", "environ", "cuda", "hip"),
    [
        (0, {}, "0", "0"),
        (3, {}, "3", "3"),
        (1, {"CUDA_VISIBLE_DEVICES": "4,6"}, "6", "6"),
        (0, {"CUDA_VISIBLE_DEVICES": "GPU-8f0c,GPU-11aa"}, "GPU-8f0c", "GPU-8f0c"),
        (None, {"CUDA_VISIBLE_DEVICES": "4,6"}, "", "-1"),
        (None, {}, "", "-1"),
    ],
)
def test_a_worker_sees_its_device_and_no_other(gpu_id: int | None, environ: dict[str, str], cuda: str, hip: str):
    found = worker_environ(gpu_id, environ)
    assert found["CUDA_VISIBLE_DEVICES"] == cuda
    assert found["HIP_VISIBLE_DEVICES"] == hip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("visible", "gpu_ids", "said"),
    [
        ("3", [1], r"no GPU 1: this program may see one GPU, number 0 \(CUDA_VISIBLE_DEVICES=3\)"),
        ("1,2", [1, 2], r"no GPU 2: this program may see 2 GPUs, numbered from 0 \(CUDA_VISIBLE_DEVICES=1,2\)"),
        ("0,-1,2", [1], "no GPU 1: this program may see one GPU"),
        ("", [0], "no GPU 0: this program may see none"),
    ],
)
def test_a_gpu_that_the_program_may_not_see_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, visible: str, gpu_ids: list[int], said: str
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(ValueError, match=said):
        Dispatcher("faults.echo:Worker", gpu_ids)


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        ("1,2", {0: "1", 1: "2"}),
        ("GPU-8f0c,MIG-11aa", {0: "GPU-8f0c", 1: "MIG-11aa"}),
        ("MIG-GPU-8f0c/1/0,7", {0: "MIG-GPU-8f0c/1/0", 1: "7"}),
    ],
)
def test_every_worker_sees_the_one_at_its_position(monkeypatch: pytest.MonkeyPatch, visible: str, seen: dict[int, str]):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    found: dict[int, str] = {}

    def tasks() -> Iterator[str]:
        while len(found) < 2:
            yield "about"

    def on_success(_: int, about: dict[str, Any], worker: int) -> None:
        assert about["gpu_id"] == worker
        found[worker] = about["env"]["CUDA_VISIBLE_DEVICES"]

    Dispatcher("faults.echo:Worker", [0, 1]).run(tasks(), on_success)
    assert found == seen


def test_a_worker_has_its_device_before_it_imports_anything(watch):
    pool = watch("echo")
    task = pool.pool.submit("about")
    assert pool.finish([task])[task].data["env"]["CUDA_VISIBLE_DEVICES"] == ""


def test_without_a_gpu_there_are_as_many_cpu_workers_as_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert default_gpu_ids() == [None]
    assert default_gpu_ids(3) == [None, None, None]
    with pytest.raises(ValueError, match="at least 1"):
        default_gpu_ids(0)


class Nvml:
    """The answers of a driver with two GPUs, the second of which does not tell its load."""

    NVMLError = pynvml.NVMLError

    def __init__(self) -> None:
        self.open = 0

    def nvmlInit(self) -> None:  # noqa: N802 - the library's names
        self.open += 1

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        if index > 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return index

    def nvmlDeviceGetHandleByUUID(self, name: str) -> int:  # noqa: N802
        return {"GPU-a": 0, "GPU-b": 1}[name]

    def nvmlDeviceGetName(self, handle: int) -> str:  # noqa: N802
        return f"GPU {'ab'[handle]}"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        return SimpleNamespace(used=(handle + 1) << 30, total=80 << 30)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:  # noqa: N802
        if handle == 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return SimpleNamespace(gpu=37)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    driver = Nvml()
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("HIP_VISIBLE_DEVICES", raising=False)
    return driver


def test_a_gpu_beyond_those_of_the_machine_is_refused(nvml: Nvml):
    Dispatcher("faults.echo:Worker", [0, 1])
    with pytest.raises(ValueError, match=r"no GPU 2: this program may see 2 GPUs, numbered from 0$"):
        Dispatcher("faults.echo:Worker", [0, 2])


def test_gpus_are_found_with_their_load(nvml: Nvml):
    first, second = discover_gpus()
    assert (first.id, first.name, first.memory_used, first.memory_total, first.utilisation) == (0, "GPU a", 1 << 30, 80 << 30, 37)
    assert second.utilisation is None
    assert nvml.open == 0
    assert default_gpu_ids() == [0, 1]
    assert default_gpu_ids(1) == [0]


@pytest.mark.parametrize(
    ("visible", "names"), [("1", ["GPU b"]), ("GPU-b,GPU-a", ["GPU b", "GPU a"]), ("", []), ("0,7,1", ["GPU a"])]
)
def test_only_the_visible_gpus_count_and_are_numbered_from_0(
    nvml: Nvml, monkeypatch: pytest.MonkeyPatch, visible: str, names: list[str]
):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [(gpu.id, gpu.name) for gpu in discover_gpus()] == list(enumerate(names))


def test_the_picture_shows_memory_and_load_where_the_driver_tells_them(nvml: Nvml):
    view = DispatchView(show_ui=False)
    for worker in (0, 1):
        view.handle(WorkerStarted(worker, worker, 100 + worker))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(view.render())
    first, second = (line for line in capture.get().splitlines() if "initializing" in line)
    assert "1.0/80 GiB" in first
    assert "37 %" in first
    assert "2.0/80 GiB" in second
    assert "%" not in second


def test_a_gpu_of_another_machine_is_shown_with_that_and_not_with_our_load(nvml: Nvml):
    view = DispatchView(show_ui=False)
    view.handle(WorkerStarted(0, 1, 100, "node-b"))
    console = Console(width=120)
    with console.capture() as capture:
        console.print(view.render())
    assert "node-b" in capture.get()
    assert "GiB" not in capture.get()
