"""The folders of what was sent ahead, where it goes by files: whose they are, and what becomes of them."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cosmos_workflow.gpu_dispatch.permits import new_permits, taker
from tests.gpu_dispatch.test_hangs import python

pytestmark = pytest.mark.usefixtures("portable")

NEW = "from cosmos_workflow.gpu_dispatch.permits import new_permits; permits = new_permits(); print(permits.theirs, flush=True)"


def test_the_folder_of_who_was_killed_is_swept_at_the_next_start_and_that_of_who_lives_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mine = new_permits()
    with subprocess.Popen(
        [sys.executable, "-c", f"{NEW}; input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        theirs = Path(other.stdout.readline().strip())
        other.kill()
    assert theirs.is_dir()
    another = new_permits()
    assert not theirs.exists()
    assert {str(folder) for folder in tmp_path.iterdir()} == {mine.theirs, another.theirs}
    mine.put(1)
    assert taker(mine.theirs)(1), "it can still be drawn by"
    for permits in (mine, another):
        permits.close()
    assert not list(tmp_path.iterdir())


def test_who_is_forked_off_leaves_the_folder_to_its_parent():
    done = python(
        f"import os; {NEW}\n"
        "if not (child := os.fork()):\n"
        "    permits.let_go()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "print(os.path.isdir(permits.theirs))\n"
        "permits.close()\n"
        "print(os.path.isdir(permits.theirs))\n"
    )
    assert done.stdout.splitlines()[1:] == ["True", "False"], done.stderr
