"""The library, and its CSV and TXT files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import media_bytes

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError, UnavailableError
from cosmos_workflow.queueing import Prompt
from cosmos_workflow.store.prompts import read_prompts
from cosmos_workflow.store.store import Store

CLIP = media_bytes("mp4")


def texts(store: Store, **chosen) -> list[str]:
    return [prompt.text for prompt in store.prompts.list(**chosen)]


def test_prompts_are_kept_newest_first_and_found(store: Store) -> None:
    store.prompts.save([Prompt("a red fox", id="ps_fox", name="Füchse")])
    # Ids of our own: a search looks into ids too, and a random one may hold any two letters.
    store.prompts.save([Prompt(text, id=f"ps_{number}") for number, text in enumerate(("first", "second %", "Third"))])
    assert texts(store) == ["first", "second %", "Third", "a red fox"], "those saved together keep their order"
    assert texts(store, search="FOX red") == ["a red fox"]
    assert texts(store, search="FÜCHS") == ["a red fox"]
    assert texts(store, search="%") == ["second %"]
    assert texts(store, limit=2, offset=1) == ["second %", "Third"]
    assert store.prompts.count() == 4
    assert store.prompts.count(search="ir") == 2


def test_a_prompt_is_changed_in_its_place(store: Store) -> None:
    old, _ = store.prompts.save([Prompt("old"), Prompt("other")])
    store.prompts.save([replace(old, text="new", name="named")])
    assert store.prompts.get(old.id) == Prompt("new", {}, old.id, "named")
    assert texts(store) == ["new", "other"]


def test_another_users_prompts_are_not_there(store: Store) -> None:
    mine = store.prompts.save([Prompt("mine")], "ada")[0]
    assert store.prompts.list("eve") == []
    assert store.prompts.delete([mine.id], "eve") == 0
    with pytest.raises(InputError, match="There is no prompt"):
        store.prompts.get(mine.id, "eve")
    with pytest.raises(InputError, match="belongs to somebody else"):
        store.prompts.save([replace(mine, text="stolen")], "eve")
    assert store.prompts.get(mine.id, "ada") == mine


def test_thousands_are_deleted_at_once(store: Store) -> None:
    saved = store.prompts.save([Prompt(f"{number}") for number in range(1200)])
    assert store.prompts.delete([*[prompt.id for prompt in saved[1:]], "ps_unknown"]) == 1199
    assert texts(store) == ["0"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Prompt 2: the text is empty"),
        (" \n ", "Prompt 2: the text is empty"),
        ("x" * 10_001, "Prompt 2: the text has 10,001 characters; use at most 10,000"),
        ("a\0b", "Prompt 2: the text contains a NUL character"),
        ("a\ud800", "half of a character"),
    ],
)
def test_one_wrong_prompt_saves_none(store: Store, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        store.prompts.save([Prompt("fine"), Prompt(text)])
    assert texts(store) == []


def test_a_prompt_names_only_files_of_its_owner(store: Store, tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(CLIP)
    clip = store.inputs.add(tmp_path / "clip.mp4", owner="ada")
    saved = store.prompts.save([Prompt("text", {"video": str(clip), "depth": ""})], "ada")[0]
    assert saved.inputs == {"video": str(clip)}
    sample = next(path for path in assets_dir().rglob("*") if path.is_file())
    assert store.prompts.save([Prompt("text", {"video": str(sample)})], "eve")[0].inputs == {"video": str(sample)}
    for path in (str(clip), str(tmp_path / "clip.mp4"), "/etc/passwd", "../ada/" + clip.name, str(store.workspace.database)):
        with pytest.raises(InputError, match=r"Prompt 1: "):
            store.prompts.save([Prompt("text", {"video": path})], "eve")


def write(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_txt_file_holds_a_prompt_a_line(store: Store, tmp_path: Path) -> None:
    imported = store.prompts.import_file(write(tmp_path, "a.txt", "one\r\n\n  two, 2  \nüber\u2028x\n"))
    assert [prompt.text for prompt in imported] == ["one", "two, 2", "über\u2028x"]
    assert texts(store) == ["one", "two, 2", "über\u2028x"]


@pytest.mark.parametrize(
    "content",
    [
        'name,text\nfox,A red fox\n,"two\nlines, ""quoted"""\n',
        '\ufeffText;Name\r\nA red fox;fox\r\n"two\nlines, ""quoted""";\r\n\r\n',
        'prompt\tname\nA red fox\tfox\n"two\nlines, ""quoted"""\t\n',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_csv_files_of_every_spreadsheet_are_read(store: Store, tmp_path: Path, content: str, encoding: str) -> None:
    imported = store.prompts.import_file(write(tmp_path, "a.csv", content.encode(encoding)))
    assert [(prompt.name, prompt.text) for prompt in imported] == [("fox", "A red fox"), ("", 'two\nlines, "quoted"')]


def test_a_csv_names_files_of_the_library(store: Store, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CLIP)
    clip = store.inputs.add(tmp_path / "x", "my clip.mp4")
    content = f"text,video\none,my clip.mp4\ntwo,{clip.name}\nthree,\n"
    imported = store.prompts.import_file(write(tmp_path, "a.csv", content))
    assert [dict(prompt.inputs) for prompt in imported] == [{"video": str(clip)}, {"video": str(clip)}, {}]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.csv", "texte,name\nx,y\n", r"unknown column 'texte' \(did you mean 'text'\?\); the header takes text, name, voice"),
        ("a.csv", "name\nx\n", r"a\.csv, line 1: the column text is missing; write a header such as 'name,text'"),
        ("a.csv", "text,text\nx,y\n", r"line 1: the column text is there twice"),
        ("a.csv", "text\nfine\nHello, you\n", r"a\.csv, line 3: 2 cells, but the header has 1; put text with a comma"),
        ("a.csv", 'text,name\n"two\nlines",a\n"  ",b\n', r"a\.csv, line 4: the text is empty"),
        ("a.csv", 'text,name\nfine,a\n"open,b\n', r"a\.csv, line 3: this isn't CSV .*; check the double quotes"),
        ("a.csv", f"text\nfine\n{'x' * 10_001}\n", r"a\.csv, line 3: the text has 10,001 characters"),
        ("a.csv", "text\n", r"a\.csv holds no prompt; write one a line below the header"),
        ("a.csv", "", r"a\.csv, line 1: the column text is missing"),
        ("a.csv", "text\nfine\nfür\n".encode("latin-1"), r"a\.csv, line 3: the text isn't UTF-8"),
        ("a.csv", "text,video\nfine,\nx,../../etc/passwd\n", r"a\.csv, line 3: The path .* isn't inside your input files"),
        ("a.csv", "text,video\nx,clip.mp4\n", r"a\.csv, line 2: There is no input file 'clip\.mp4' in your library"),
        ("a.csv", "text\na\nb\0\n", r"a\.csv, line 3: this isn't text"),
        ("a.csv", CLIP + b"\xff\xfe", r"a\.csv, line 1: "),
        ("a.txt", "", r"a\.txt holds no prompt; write one a line\."),
        ("a.txt", " \n\n", r"a\.txt holds no prompt"),
        ("a.txt", b"fine\n\xff\n", r"a\.txt, line 2: the text isn't UTF-8"),
        ("a.txt", f"fine\n{'x' * 10_001}", r"a\.txt, line 2: the text has 10,001"),
        ("a.xlsx", "x", r"a\.xlsx isn't a CSV or TXT file"),
    ],
)
def test_a_wrong_file_imports_nothing_and_says_where(
    store: Store, tmp_path: Path, name: str, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        store.prompts.import_file(write(tmp_path, name, content))
    assert texts(store) == []


def test_a_full_disk_imports_nothing(store: Store, tmp_path: Path, limit_database: Callable[[], None]) -> None:
    path = write(tmp_path, "a.txt", "\n".join("x" * 9_000 for _ in range(50)))
    limit_database()
    with pytest.raises(UnavailableError, match="the disk is full"):
        store.prompts.import_file(path)
    assert texts(store) == []


def guarded(text: str) -> str:
    """A cell as exports write it, so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")) else text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    found=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1, max_size=5)
)
def test_any_text_survives_a_csv(tmp_path: Path, found: list[str]) -> None:
    wanted = [text for text in found if text.strip()]
    if wanted:
        with (tmp_path / "x.csv").open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([["text"], *([guarded(text)] for text in wanted)])
        assert [prompt.text for _, prompt in read_prompts(tmp_path / "x.csv")] == wanted
