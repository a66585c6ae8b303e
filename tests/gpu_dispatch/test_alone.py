"""The library by itself: from any folder, under any name, with the standard library alone, as its own page says."""

import inspect
import re
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from support import DEADLINE

from cosmos_workflow import gpu_dispatch

FOLDER = Path(gpu_dispatch.__file__).parent


def page() -> list[str]:
    """The code in the package's docstring; the first piece is ``workers.py``."""
    found = re.findall(r"::\n\n((?:    .*\n|\n)+)", f"{inspect.getdoc(gpu_dispatch)}\n")
    return [textwrap.dedent(code) for code in found]


def test_a_copy_under_another_name_does_what_the_page_says_with_the_standard_library_alone(tmp_path: Path):
    library = tmp_path / "third" / "party" / "courier"
    shutil.copytree(FOLDER, library, ignore=shutil.ignore_patterns("__pycache__"))
    workers, *program = [code.replace("cosmos_workflow.gpu_dispatch", "party.courier") for code in page()]
    assert len(program) == 3
    (tmp_path / "workers.py").write_text(workers)
    path = f"import sys; sys.path += [{str(tmp_path / 'third')!r}, {str(tmp_path)!r}]\n"
    (tmp_path / "main.py").write_text(path + "\n".join(program))
    command = [sys.executable, "-I", "-S", str(tmp_path / "main.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert sorted(lines[:4]) == [f"task {number} is {number**3}" for number in range(4)]
    assert sorted(lines[4:7]) == ["0 0", "1 1", "2 4"]
    assert lines[7:] == ["[0, 1, 4]", "49", "25", "0", "1", "4"]
    assert done.stderr == ""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("uv") is None, reason="builds a wheel with uv")
def test_the_wheel_of_the_folder_has_all_of_it_and_works_under_its_own_name(tmp_path: Path):
    subprocess.run(["uv", "build", "-q", "--wheel", FOLDER, "-o", tmp_path], check=True, timeout=DEADLINE)
    wheel = next(tmp_path.glob("gpu_dispatch_workers-*.whl"))
    names = set(zipfile.ZipFile(wheel).namelist())
    files = [path.relative_to(FOLDER) for path in (*FOLDER.rglob("*.py"), FOLDER / "py.typed")]
    assert {f"gpu_dispatch_workers/{file.as_posix()}" for file in files} <= names
    code = f"import sys; sys.path.append({str(wheel)!r}); from gpu_dispatch_workers import Executor; print(Executor.__module__)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.stdout.strip() == "gpu_dispatch_workers.executor", done.stderr
