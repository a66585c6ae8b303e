"""An EPUB that is read aloud, held beside the rules of EPUB 3 for media overlays and read back as any other book."""

from __future__ import annotations

import json
import posixpath
import zipfile
from pathlib import Path

import pytest
from book_support import picture
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - it has no types

from cosmos_workflow.books.output.binding import encode
from cosmos_workflow.books.output.read_along import Sentence, SpokenChapter, write_read_along
from cosmos_workflow.books.output.tags import Tags
from cosmos_workflow.books.reading import read_book
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.jobs.document.schema import Subtitles
from cosmos_workflow.jobs.speech.along import sentences_of
from cosmos_workflow.jobs.speech.assembly import Final

NAMES = {
    "opf": "http://www.idpf.org/2007/opf",
    "dc": "http://purl.org/dc/elements/1.1/",
    "smil": "http://www.w3.org/ns/SMIL",
    "html": "http://www.w3.org/1999/xhtml",
    "epub": "http://www.idpf.org/2007/ops",
}


def seconds(clock: str) -> float:
    """A clock value of SMIL, 0:01:02.345."""
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Two chapters, one of which begins with its title, in a language that is read to the left."""
    sound = tmp_path / "a.m4a"
    lasts = encode(None, 4.0, sound, "m4b", 24_000)
    said = [Sentence("One & only.", 0.1, True), Sentence("<Hello>.", 1.5, True), Sentence("Bye.", 3.0)]
    chapters = [
        SpokenChapter("One & only", sound, lasts, said),
        SpokenChapter("Two", sound, lasts, [Sentence("Other words.", 0.0, True)]),
    ]
    path = tmp_path / "book.epub"
    write_read_along(chapters, path, Tags("A \x01 book", ("Ada",), "Hum", "ar", 1911, cover=cover_of(picture())), "x")
    return path


def test_its_package_keeps_the_rules_of_media_overlays(made: Path) -> None:
    with zipfile.ZipFile(made) as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type, archive.read(first)) == (
            "mimetype",
            zipfile.ZIP_STORED,
            b"application/epub+zip",
        )
        package = etree.fromstring(archive.read("EPUB/book.opf"))
        items = {item.get("id"): item for item in package.findall(".//opf:item", NAMES)}
        members = {f"EPUB/{item.get('href')}" for item in items.values()}
        assert members | {"mimetype", "META-INF/container.xml", "EPUB/book.opf"} == set(archive.namelist())
        metas = [(meta.get("property"), meta.get("refines"), meta.text) for meta in package.findall(".//opf:meta", NAMES)]
        told = {refines: seconds(text) for name, refines, text in metas if name == "media:duration"}
        assert [name for name, *_ in metas].count("media:active-class") == 1
        assert ("media:narrator", None, "Hum") in metas
        assert "dcterms:modified" in [name for name, *_ in metas]
        assert package.find(".//opf:spine", NAMES).get("page-progression-direction") == "rtl"
        documents = [items[one.get("idref")] for one in package.findall(".//opf:itemref", NAMES)]
        assert len(documents) == 2
        for document in documents:
            overlay = items[document.get("media-overlay")]
            assert overlay.get("media-type") == "application/smil+xml"
            text = etree.fromstring(archive.read(f"EPUB/{document.get('href')}"))
            smil = etree.fromstring(archive.read(f"EPUB/{overlay.get('href')}"))
            assert smil.get("version") == "3.0"
            pairs = smil.findall(".//smil:par", NAMES)
            ids = [pair.find("smil:text", NAMES).get("src").partition("#")[2] for pair in pairs]
            # Every sentence once, in the order of the document, so that a reader can begin at any of them.
            assert ids == [one.get("id") for one in text.iterfind(".//html:span", NAMES)]
            clips = [pair.find("smil:audio", NAMES) for pair in pairs]
            assert {posixpath.basename(clip.get("src")) for clip in clips} <= {item.get("href") for item in items.values()}
            spans = [(float(clip.get("clipBegin")[:-1]), float(clip.get("clipEnd")[:-1])) for clip in clips]
            assert all(begin < end for begin, end in spans)
            assert [end for _, end in spans[:-1]] == [begin for begin, _ in spans[1:]]
            heard = sum(end - begin for begin, end in spans)
            assert told[f"#{overlay.get('id')}"] == pytest.approx(heard, abs=0.01)
        assert told[None] == pytest.approx(sum(length for refines, length in told.items() if refines), abs=0.01)
        first_page = etree.fromstring(archive.read("EPUB/c1.xhtml"))
        assert ["".join(one.itertext()) for one in first_page.iterfind(".//html:h1", NAMES)] == ["One & only."]


def test_it_is_read_as_any_other_book(made: Path) -> None:
    book = read_book(made)
    assert (book.title, book.authors, book.language, book.year) == ("A book", ("Ada",), "ar", 1911)
    assert book.cover
    assert [chapter.title for chapter in book.chapters] == ["One & only", "Two"]
    assert "<Hello>. Bye." in book.chapters[0].text


def test_sentences_begin_where_they_were_heard(tmp_path: Path) -> None:
    pieces = [
        {
            "start": 0.0,
            "text": "One here. Two there. Three.",
            "break": "paragraph",
            "words": [["One", 0.2, 0.4], ["Two", 1.2, 1.5]],
        },
        {"start": 5.0, "text": "Nobody heard this. Nor that.", "break": "sentence"},
        {"start": 9.0, "text": "The end.", "break": ""},
    ]
    (tmp_path / "a-001.json").write_text(json.dumps({"pieces": pieces}))
    final = Final(1, tmp_path / "a-001.flac", Subtitles(), 10.0, "", (0.0, 5.0, 9.0), ("a", "b", "c"), "", 0.0)
    assert sentences_of(final, "en") == [
        Sentence("One here.", 0.2, True),
        Sentence("Two there. Three.", 1.2),
        Sentence("Nobody heard this. Nor that.", 5.0, True),
        Sentence("The end.", 9.0),
    ]
