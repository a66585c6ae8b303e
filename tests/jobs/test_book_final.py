"""A book put together from its chapters: each made once, encoded once, and bound again whenever one of them changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from book_support import Epub, page, picture

from cosmos_workflow.books.reading import read_book
from cosmos_workflow.jobs.books.voices import reader
from cosmos_workflow.jobs.books.writing import add_book
from cosmos_workflow.jobs.document.edit import set_values
from cosmos_workflow.jobs.document.tasks import JobFile
from cosmos_workflow.jobs.events import BookBound, JobEvent
from cosmos_workflow.jobs.manager import JobManager
from cosmos_workflow.yaml_places import JobFileError, Location

Log = Callable[[], list[str]]


@pytest.fixture
def book(manager: JobManager, tmp_path: Path) -> JobFile:
    """A book of three chapters of a few words, read by an engine that hums."""
    documents = {f"{name}.xhtml": page(f"<p>Words of {name}.</p>") for name in ("one", "two", "three")}
    contents = [(name.capitalize(), f"{name}.xhtml", 1) for name in ("one", "two", "three")]
    found = read_book(Epub(documents, contents, cover=picture()).write(tmp_path / "a.epub"))
    stored = add_book(manager.jobs, found, reader("espeak"))
    text = manager.jobs.source(stored.id).replace("engine: espeak", "engine: tone")
    return _edited(manager, stored.id, set_values(text, {("params",): None, ("book", "narrator"): "Hum"}))


def _edited(manager: JobManager, job_id: str, text: str) -> JobFile:
    job = manager.update(job_id, text).job
    assert job is not None
    return job


def _encoded(manager: JobManager, job: JobFile) -> dict[str, int]:
    folder = manager.jobs.job_folder(job.id) / "_book/encoded"
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if not path.name.startswith("_")}


def test_a_book_is_bound_from_its_chapters(manager: JobManager, book: JobFile) -> None:
    events: list[JobEvent] = []

    manager.orchestrator.run(book, on_event=events.append)

    final = manager.orchestrator.binder.find(book.id)
    assert final is not None
    assert [event.book for event in events if isinstance(event, BookBound)] == [final]
    assert (final.title, final.narrator, final.note) == ("The Keeper of the Light", "Hum", "")
    (file,) = final.files
    assert file.path.name == "the-keeper-of-the-light.m4b"
    assert [chapter.title for chapter in file.chapters] == ["One", "Two", "Three"]
    with av.open(str(file.path)) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["One", "Two", "Three"]
        assert container.metadata["title"] == "The Keeper of the Light"
        assert float(container.duration or 0) / 1e6 == pytest.approx(final.seconds, abs=0.2)


def test_an_edited_chapter_makes_only_its_own_again(manager: JobManager, book: JobFile, tone: Log) -> None:
    manager.orchestrator.run(book)
    before, made = _encoded(manager, book), len(tone())
    (manager.jobs.job_folder(book.id) / "_book/02-two.txt").write_text("Other words.\n")

    edited = manager.jobs.job(book.id)
    manager.orchestrator.run(edited)

    assert [line.split(" ", 1)[1] for line in tone()[made:]] == ["Other words."]
    after = _encoded(manager, book)
    same = {name: when for name, when in before.items() if name in after}
    assert sorted(name.rpartition("-")[0] for name in same) == ["one", "three"]
    assert all(after[name] == when for name, when in same.items())
    assert len(after) == 3


def test_another_form_needs_nothing_made_again(manager: JobManager, book: JobFile, tone: Log) -> None:
    manager.orchestrator.run(book)
    made = len(tone())
    changes: dict[Location, str] = {("book", "format"): "mp3", ("book", "files"): "chapters", ("book", "title"): "Another"}
    changed = _edited(manager, book.id, set_values(manager.jobs.source(book.id), changes))

    manager.orchestrator.run(changed)

    final = manager.orchestrator.binder.find(book.id)
    assert final is not None
    assert [file.path.name for file in final.files] == ["01-one.mp3", "02-two.mp3", "03-three.mp3"]
    with av.open(str(final.files[1].path)) as container:
        assert (container.metadata["title"], container.metadata["album"]) == ("Two", "Another")
        assert container.metadata["track"] == "2/3"
    assert len(tone()) == made
    folder = final.files[0].path.parent
    assert sorted(path.name for path in folder.iterdir()) == ["01-one.mp3", "02-two.mp3", "03-three.mp3", "cover.jpg"]


def test_a_book_that_isnt_whole_says_what_it_lacks(manager: JobManager, book: JobFile) -> None:
    (manager.jobs.job_folder(book.id) / "_book/03-three.txt").write_text("fail: It can't be said.\n")

    manager.orchestrator.run(manager.jobs.job(book.id), tasks=["one", "two"])

    final = manager.orchestrator.binder.find(book.id)
    assert final is not None
    assert [chapter.title for chapter in final.files[0].chapters] == ["One", "Two"]
    assert final.note == "Not in it yet: Three."


def test_a_chapter_that_is_switched_off_isnt_in_it(manager: JobManager, book: JobFile) -> None:
    manager.orchestrator.run(book)

    manager.enable(book.id, False, "two")
    final = manager.bind(book.id)

    assert final is not None
    assert [chapter.title for chapter in final.files[0].chapters] == ["One", "Three"]
    assert final.note == ""


def test_what_was_bound_isnt_bound_twice(manager: JobManager, book: JobFile) -> None:
    manager.orchestrator.run(book)
    first = manager.orchestrator.binder.find(book.id)

    manager.orchestrator.run(manager.jobs.job(book.id))
    assert manager.orchestrator.binder.find(book.id) == first
    assert manager.bind(book.id) == first
    manager.assemble(book.id, "one")

    again = manager.orchestrator.binder.find(book.id)
    assert first is not None
    assert again is not None
    assert again.created_at > first.created_at


def test_a_job_that_is_no_book_has_none(manager: JobManager) -> None:
    stored = manager.create("plain", "engine: tone\ntext: Words.\n")

    assert manager.bind(stored.id) is None
    assert manager.orchestrator.binder.find(stored.id) is None


def test_a_book_to_read_along_takes_what_is_encoded_already(manager: JobManager, book: JobFile) -> None:
    manager.orchestrator.run(book)
    before = _encoded(manager, book)

    edited = _edited(manager, book.id, set_values(manager.jobs.source(book.id), {("book", "format"): "epub"}))
    final = manager.orchestrator.bind(edited)

    assert final is not None
    assert _encoded(manager, edited) == before
    (file,) = final.files
    assert file.path.name == "the-keeper-of-the-light.epub"
    assert [chapter.title for chapter in file.chapters] == ["One", "Two", "Three"]
    again = read_book(file.path)
    assert (again.title, again.language, [one.title for one in again.chapters]) == (final.title, "en", ["One", "Two", "Three"])
    assert "Words of two." in again.chapters[1].text
    with pytest.raises(JobFileError, match="holds all chapters"):
        manager.update(book.id, set_values(edited.source, {("book", "files"): "chapters"}))


def test_silence_stands_where_the_job_says(manager: JobManager, book: JobFile) -> None:
    silence = {"head": 2.0, "tail": 3.0, "between": 1.0}
    changes: dict[Location, object] = {("book", "format"): "wav", ("book", "silence"): silence}
    changed = _edited(manager, book.id, set_values(manager.jobs.source(book.id), changes))

    manager.orchestrator.run(changed)

    final = manager.orchestrator.binder.find(book.id)
    assert final is not None
    spoken = [task.final.seconds for task in manager.orchestrator.report(manager.jobs.job(book.id)).tasks if task.final]
    (file,) = final.files
    assert [chapter.start for chapter in file.chapters] == pytest.approx(
        [0.0, 3 + spoken[0], 4 + spoken[0] + spoken[1]], abs=0.001
    )
    with av.open(str(file.path)) as container:
        assert float(container.duration or 0) / 1e6 == pytest.approx(7 + sum(spoken), abs=0.01)
