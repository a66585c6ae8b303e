"""A book as a job: what is written, that it can be edited, and that the same book isn't made twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from book_support import Epub, page, simple_epub

from cosmos_workflow.books.reading import read_book
from cosmos_workflow.config import Workspace
from cosmos_workflow.engines.model_files.sets import FOLDER_VARIABLE
from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.books.voices import reader
from cosmos_workflow.jobs.books.writing import add_book
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.store import JobStore


@pytest.fixture
def jobs(tmp_path: Path) -> JobStore:
    return JobStore(Workspace.open(tmp_path / "workspace"))


def test_a_task_a_chapter_with_its_text_beside_it(jobs: JobStore, tmp_path: Path) -> None:
    book = read_book(simple_epub(tmp_path / "tale.epub"))

    stored = add_book(jobs, book, reader("espeak", language="en"), [1, 3], "tale.epub")

    assert stored.job is not None
    assert stored.job.book is not None
    assert (stored.id, stored.name) == ("the-keeper-of-the-light", "The Keeper of the Light")
    assert [task.name for task in stored.job.tasks] == ["Chapter 1", "Chapter 3"]
    section = stored.job.book.section
    assert (section.title, section.authors, section.year) == (book.title, list(book.authors), 1911)
    assert section.narrator == "en-us+f2 (eSpeak NG)"
    assert stored.job.book.cover
    assert stored.job.book.cover.read_bytes() == book.cover
    text = jobs.folder / "the-keeper-of-the-light/_book/03-chapter-3.txt"
    assert text.read_text() == book.chapters[2].text + "\n"


def test_the_same_book_goes_on_and_another_is_another(jobs: JobStore, tmp_path: Path) -> None:
    book, reads = read_book(simple_epub(tmp_path / "tale.epub")), reader("espeak")
    first = add_book(jobs, book, reads, (), "tale.epub")
    (jobs.folder / first.id / "_book/01-chapter-1.txt").write_text("Edited.\n")
    jobs.save(first.id, set_values(jobs.source(first.id), {("params", "rate"): 200}))

    again = add_book(jobs, book, reads, (), "tale.epub")
    other = add_book(jobs, book, reads, [1], "tale.epub")

    assert again.id == first.id
    assert again.job is not None
    assert again.job.tasks[0].chunks[0].text == "Edited."
    assert other.id == "the-keeper-of-the-light-2"
    assert jobs.ids() == [first.id, other.id]
    jobs.delete(first.id)
    assert not (jobs.folder / first.id).exists()


def test_titles_of_300_letters_and_the_same_title_twice(jobs: JobStore, tmp_path: Path) -> None:
    documents = {f"{name}.xhtml": page(f"<p>Words of {name}.</p>") for name in ("a", "b", "c")}
    contents = [("One " * 75, "a.xhtml", 1), ("One " * 75, "b.xhtml", 1), ("***", "c.xhtml", 1)]
    book = read_book(Epub(documents, contents).write(tmp_path / "a.epub"))

    stored = add_book(jobs, book, reader("espeak"))

    assert stored.job is not None
    names = [task.name for task in stored.job.tasks]
    assert [len(name) <= 120 for name in names] == [True] * 3
    assert names[1].startswith("2. One One")


def test_a_voice_that_speaks_the_books_language() -> None:
    assert reader("espeak", language="en").params["voice"] == "en-us+f2"
    assert reader("espeak", language="fr").params["voice"].startswith("fr")
    assert reader("kokoro", language="it").params["voice"] == "if_sara"
    assert reader("kokoro", language="en-gb").params["voice"] == "af_heart"
    # A voice of another language reads the book in the book's own.
    assert reader("kokoro", "jf_alpha", "en-gb").params == {"voice": "jf_alpha", "language": "en-gb"}
    assert reader("kokoro", "jf_alpha", "it").params["language"] == "it"
    assert reader("chatterbox", language="de").params == {"language_id": "de"}
    with pytest.raises(InputError, match="kokoro has no voice that speaks 'de'"):
        reader("kokoro", language="de")
    with pytest.raises(InputError, match="doesn't read aloud"):
        reader("control-preview")


def test_where_no_voice_of_the_books_language_is_there_another_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    for file in ("onnx/model_quantized.onnx", "voices/jf_alpha.bin"):
        (tmp_path / "kokoro" / file).parent.mkdir(parents=True)
        (tmp_path / "kokoro" / file).write_bytes(b"a file")
    assert reader("kokoro", language="en").params == {"voice": "jf_alpha", "language": "en-us"}
    assert reader("kokoro", language="it").params == {"voice": "jf_alpha", "language": "it"}
    with pytest.raises(InputError, match="kokoro has no voice that speaks 'de'"):
        reader("kokoro", language="de")


def test_a_cover_that_isnt_there_is_a_problem_of_the_job(jobs: JobStore) -> None:
    with pytest.raises(InputError, match=r"book.cover: there is no file 'front.jpg'"):
        jobs.check("engine: espeak\nbook: {title: X, cover: front.jpg}\ntasks:\n  - text: Words.\n")
    with pytest.raises(InputError, match=r"unknown key.*title"):
        jobs.check("engine: espeak\nbook: {titel: X}\ntasks:\n  - text: Words.\n")
