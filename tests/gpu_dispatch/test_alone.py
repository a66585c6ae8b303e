"""The library by itself: from any folder, under any name, with the standard library alone, as its own page says."""

import inspect
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

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
