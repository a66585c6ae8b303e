"""The workspace: where it is, who may use it, and which paths stay inside."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.config import Settings, Workspace, assets_dir, read_settings
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.files import file_errors, inside

HOLD_THE_PAGE = """
import sys
from cosmos_workflow.config import Workspace
with Workspace.open(sys.argv[1]).app_lock("http://127.0.0.1:7860"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_workspace_is_made_with_its_folders(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "new" / "place")
    assert workspace.settings == Settings()
    assert all(folder.is_dir() for folder in (workspace.runs, workspace.inputs, workspace.jobs, workspace.locks))
    assert not list(workspace.locks.iterdir()), "the probe is gone"


def test_without_a_name_it_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSMOS_WORKFLOW_HOME", str(tmp_path / "mine"))
    assert Workspace.open().root == tmp_path / "mine"
    assert Workspace.open(tmp_path / "other").root == tmp_path / "other"


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_file_is_no_workspace(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match=r"file.* can't be used: it is a file, or lies below one; choose a folder\."):
        Workspace.open(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_no_workspace(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UnavailableError, match="permission denied"):
        Workspace.open(tmp_path / "below")


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk is full; free some space"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "permission denied"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_system_refuses_is_one_sentence(number: int, sentence: str) -> None:
    with pytest.raises(UnavailableError, match=sentence), file_errors("The workspace X"):
        raise OSError(number, os.strerror(number))


def test_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_text("startup: resume\nlive_interval: 2\nbatch_size: 4\n")
    settings = Workspace.open(tmp_path).settings
    assert (settings.startup, settings.live_interval, settings.batch_size, settings.max_upload_mb) == ("resume", 2.0, 4, 2048)


@pytest.mark.parametrize("text", ["", "# nothing\n", "\n\n"])
def test_an_empty_settings_file_means_the_defaults(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    assert read_settings(tmp_path / "settings.yaml") == Settings()


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("startup: resume\nspeed: 3\n", r"settings\.yaml, line 2, speed: unknown setting; use startup, live_interval"),
        ("\n# c\nstartup: later\n", r"settings\.yaml, line 3, startup: 'later' isn't right: .*'stay_paused', 'resume' or 'ask'"),
        ("live_interval: soon\n", r"line 1, live_interval: 'soon' isn't right: .*number"),
        ("live_interval: .nan\n", r"line 1, live_interval: nan isn't right"),
        ("batch_size: 0\n", r"line 1, batch_size: 0 isn't right: .*greater than or equal to 1"),
        ("max_upload_mb: 1.5\n", r"line 1, max_upload_mb: 1\.5 isn't right: .*integer"),
        ("startup: ask\n3: 4\n", r"line 2, 3: unknown setting"),
        ("- startup\n", r"line 1: settings are lines of 'key: value'"),
        ("startup: [\n", r"line 2: this isn't YAML"),
        ("startup: ask\nstartup: resume\n", r"line 2: the key 'startup' is here twice, first in line 1"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(tmp_path: Path, text: str, where: str) -> None:
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(InputError, match=where):
        Workspace.open(tmp_path)


def test_settings_in_another_encoding_are_refused(tmp_path: Path) -> None:
    (tmp_path / "settings.yaml").write_bytes("startup: für\n".encode("latin-1"))
    with pytest.raises(InputError, match="isn't UTF-8"):
        Workspace.open(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "runs/../../secret",
        "runs/..",
        "..",
        "/etc/passwd",
        "//etc/passwd",
        "C:\\Windows\\win.ini",
        "C:/Windows/win.ini",
        "c:secret",
        "\\\\server\\share",
        "..\\secret",
        "runs\\..\\..\\secret",
        "file.txt:stream",
        "link/secret",
        "loop",
        "runs/\0",
        "line\nbreak",
        "",
        "  ",
    ],
)
def test_a_path_never_leaves_the_workspace(tmp_path: Path, path: str) -> None:
    workspace = Workspace.open(tmp_path / "w")
    (tmp_path / "secret").write_text("s")
    (workspace.root / "link").symlink_to(tmp_path)
    (workspace.root / "loop").symlink_to(workspace.root / "loop")
    with pytest.raises(InputError, match="isn't inside the workspace; use a path below it"):
        inside(workspace.root, path, "the workspace")


def test_encoded_dots_are_letters_of_a_name(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    assert inside(workspace.root, "%2e%2e/%2Fetc", "the workspace") == workspace.root / "%2e%2e" / "%2Fetc"
    assert inside(workspace.root, "runs/./a..b", "the workspace") == workspace.runs / "a..b"


def test_a_link_within_the_workspace_is_followed(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    (workspace.root / "latest").symlink_to(workspace.runs)
    assert inside(workspace.root, "latest/rs_1", "the workspace") == workspace.runs / "rs_1"


@given(
    parts=st.lists(st.one_of(st.sampled_from(["..", ".", "/", "\\", "~", "%2e%2e", "C:", "a"]), st.text(max_size=5)), max_size=6)
)
def test_any_path_is_inside_or_refused(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp()
    for text in ("/".join(parts), "".join(parts)):
        try:
            found = inside(root, text, "the folder")
        except InputError:
            continue
        assert found.is_relative_to(root.resolve())


def test_a_second_page_is_told_who_has_the_workspace(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    command = [sys.executable, "-c", HOLD_THE_PAGE, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        sentence = rf"is already open, pid {first.pid}, at http://127\.0\.0\.1:7860; use that page"
        with pytest.raises(UnavailableError, match=sentence), workspace.app_lock("http://127.0.0.1:1"):
            pass
        first.send_signal(signal.SIGKILL)
    with workspace.app_lock("http://127.0.0.1:1"):
        assert (workspace.locks / "app.json").exists(), "a page that was killed holds nothing"
    assert not (workspace.locks / "app.json").exists()


def test_the_samples_are_found() -> None:
    assert assets_dir().is_dir()


def test_importing_the_store_loads_nothing_heavy() -> None:
    code = "import sys, cosmos_workflow.store; print(*({'torch', 'gradio', 'pandas', 'cv2', 'av', 'numpy'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
