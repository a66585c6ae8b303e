"""Names and paths of other systems: what is a device or a drive on Windows, and what is only a letter here."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import folder_name, is_name_everywhere, name_everywhere, path_as_here
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.document.tasks import is_slug, slug
from cosmos_workflow.jobs.store import JobStore
from cosmos_workflow.media import write_sound
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.access.uploads import safe_name

TALK = "engine: chatterbox\ntext: Good morning.\ninputs: {voice: %s}\n"


@pytest.mark.parametrize("name", ["CON", "con", "Nul", "aux.wav", "COM1", "lpt9.txt", "com²", "con .txt", "a.", "a. .", "prn "])
def test_a_name_that_windows_has_no_file_for_becomes_one_that_it_has(name: str) -> None:
    assert not is_name_everywhere(name)
    for made in (name_everywhere(name), slug(name), folder_name(name.lower()), safe_name(f"C:\\fakepath\\{name}")):
        assert is_name_everywhere(made)
        assert made
        assert not PureWindowsPath(made).is_reserved()
    assert is_slug(slug(name))


@given(st.text(min_size=1, max_size=80))
def test_a_slug_is_a_name_everywhere(text: str) -> None:
    made = slug(text)
    assert is_name_everywhere(made)
    assert not PureWindowsPath(made).is_reserved()
    assert is_slug(made)


def test_a_task_of_such_a_name_has_a_folder_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "aux.yaml"
    path.write_text("engine: espeak\ntasks:\n  - {name: CON, text: a}\n  - {name: a., text: b}\n  - {name: con-x1, text: c}\n")
    store = JobStore(Workspace.open(tmp_path / "ws"))
    job = parse_job(path.read_text(encoding="utf-8"), path)
    folders = [store.task_folder(task.id) for task in job.tasks]
    assert [task.name for task in job.tasks] == ["CON", "a.", "con-x1"]
    assert [folder.relative_to(store.folder).as_posix() for folder in folders] == ["aux-x/con-x", "aux-x/a", "aux-x/con-x1"]


@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        (r"C:\Users\me\voice.wav", "copy it beside what names it, and write 'voice.wav'."),
        (r"'C:\Users\me\voice.wav'", "copy it beside what names it, and write 'voice.wav'."),
        ("C:/Users/me/voice.wav", "copy it beside what names it, and write 'voice.wav'."),
        (r"\\server\share\voice.wav", "copy it beside what names it, and write 'voice.wav'."),
        (r'"C:\Users\me\voice.wav"', "a backslash in double quotes begins a special character; write a path with /,"),
        (r"clips\missing.wav", "there is no file"),
    ],
)
@pytest.mark.parametrize("inside_workspace", [True, False])
def test_a_job_from_windows_is_told_what_to_write(tmp_path: Path, voice: str, sentence: str, inside_workspace: bool) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(TALK % voice)
    with pytest.raises(InputError) as refused:
        parse_job(path.read_text(encoding="utf-8"), path, root=tmp_path if inside_workspace else None)
    assert sentence in str(refused.value)
    assert "job.yaml:3:" in str(refused.value)


@pytest.mark.parametrize("inside_workspace", [True, False])
def test_backslashes_below_the_job_are_separators(tmp_path: Path, inside_workspace: bool) -> None:
    import numpy as np

    (tmp_path / "clips").mkdir()
    write_sound(tmp_path / "clips" / "voice.wav", [np.full(48_000, 999, np.int16)], 24_000, "wav")
    (tmp_path / "clips" / "text.txt").write_text("Good night.\n")
    path = tmp_path / "job.yaml"
    path.write_text("engine: espeak\ntext_file: clips\\text.txt\n")
    job = parse_job(path.read_text(encoding="utf-8"), path, root=tmp_path if inside_workspace else None)
    assert (tmp_path / "clips" / "text.txt").samefile(next(iter(job.files)))
    path.write_text("engine: espeak\ntext_file: ..\\..\\text.txt\n")
    with pytest.raises(InputError):
        parse_job(path.read_text(encoding="utf-8"), path, root=tmp_path)


def test_paths_of_this_system_stay_as_they_are() -> None:
    assert path_as_here(r"C:\voice.wav", windows=True) == r"C:\voice.wav"
    assert path_as_here("clips/voice.wav", windows=False) == "clips/voice.wav"
    assert path_as_here("12:30 note.wav", windows=False) == "12:30 note.wav"


def test_a_prompt_from_a_spreadsheet_of_windows(tmp_path: Path) -> None:
    with Store(Workspace.open(tmp_path)) as store, pytest.raises(InputError, match="is a file of a Windows machine"):
        store.inputs.own(r"C:\Users\me\voice.wav")


def test_a_file_beside_the_jobs_has_a_name_everywhere(tmp_path: Path) -> None:
    store = JobStore(Workspace.open(tmp_path))
    (tmp_path / "sent").write_text("Good morning.\n")
    for name in ("CON.txt", "a.txt."):
        with pytest.raises(InputError, match="can't be a file's name here; rename it"):
            store.take_in(tmp_path / "sent", name)
