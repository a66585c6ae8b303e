"""Files appear whole, by rename, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosmos_workflow.errors import UnavailableError


@pytest.mark.parametrize("fails_at", ["write", "rename"])
def test_a_write_that_fails_leaves_the_old_content(disk, tmp_path: Path, fails_at: str) -> None:
    path = tmp_path / "a.json"
    disk.write(path, b"old")
    disk.full = True
    disk.when = lambda touched: (touched == path) == (fails_at == "rename")
    with pytest.raises(UnavailableError, match=r"the disk is full; free some space and try again\.$"):
        disk.write(path, b"new and longer")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path], "nothing half written stays"


def test_a_copy_that_fails_leaves_nothing(disk, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"content")
    disk.full = True
    disk.when = lambda touched: touched.name == "target"
    with pytest.raises(UnavailableError):
        disk.copy(tmp_path / "source", tmp_path / "target")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_folder_is_removed_once_and_again(disk, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    disk.remove_folder(tmp_path / "a")
    disk.remove_folder(tmp_path / "a")
    assert not (tmp_path / "a").exists()
