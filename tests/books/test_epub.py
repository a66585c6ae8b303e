"""EPUBs in the structures that are out there, and those that somebody built to do harm."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from book_support import Epub, page, picture, simple_epub
from PIL import Image

from cosmos_workflow.books.book import Reading
from cosmos_workflow.books.reading import read_book
from cosmos_workflow.errors import InputError


def test_an_epub_3_by_its_navigation(tmp_path: Path) -> None:
    book = read_book(simple_epub(tmp_path / "a.epub"))

    assert (book.title, book.authors) == ("The Keeper of the Light", ("Ada Example", "Ben Sample"))
    assert (book.language, book.year) == ("en", 1911)
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2", "Chapter 3"]
    assert book.chapters[0].text.startswith("Chapter 1\n\nThe ")
    with Image.open(io.BytesIO(book.cover)) as cover:
        assert (cover.format, cover.size) == ("JPEG", (300, 400))


def test_an_epub_2_with_nested_chapters_in_one_document(tmp_path: Path) -> None:
    body = (
        "<h1 id='p1'>Part One</h1><h2 id='a'>The Rope</h2><p>First words.</p><h2 id='b'>The Tide</h2><p>Second words.</p>"
        "<h1 id='p2'>Part Two</h1><p>Words of the part.</p><h2 id='c'>The Gull</h2><p>Third words.</p>"
    )
    contents = [
        ("Part One", "all.xhtml#p1", 1),
        ("The Rope", "all.xhtml#a", 2),
        ("The Tide", "all.xhtml#b", 2),
        ("Part Two", "all.xhtml#p2", 1),
        ("The Gull", "all.xhtml#c", 2),
    ]
    book = read_book(Epub({"all.xhtml": page(body)}, contents, version=2, cover=picture()).write(tmp_path / "a.epub"))

    # A part without words of its own is read as the beginning of its first chapter.
    assert [chapter.title for chapter in book.chapters] == ["The Rope", "The Tide", "Part Two", "The Gull"]
    assert book.chapters[0].text == "Part One\n\nThe Rope\n\nFirst words."
    assert book.cover


def test_without_a_table_of_contents_chapters_are_headings(tmp_path: Path) -> None:
    documents = {"a.xhtml": page("<h2>One</h2><p>Alpha.</p><h2>Two</h2><p>Beta.</p>"), "b.xhtml": page("<p>Still beta.</p>")}

    book = read_book(Epub(documents).write(tmp_path / "a.epub"))

    assert [chapter.title for chapter in book.chapters] == ["One", "Two"]
    assert book.chapters[1].text.endswith("Still beta.")


def test_without_headings_either_each_document_is_a_chapter(tmp_path: Path) -> None:
    documents = {"b.xhtml": page("<p>Second in name, first in order.</p>"), "a.xhtml": page("<p>Then this.</p>")}

    book = read_book(Epub(documents, folder="").write(tmp_path / "a.epub"))

    assert [chapter.text for chapter in book.chapters] == ["Second in name, first in order.", "Then this."]


def test_broken_documents_are_read_as_browsers_do(tmp_path: Path) -> None:
    broken = (
        "<html><head><script>alert('never')</script><style>p{}</style><body><h1>Chapter 1</h1><p>Salt &amp; rope&nbsp;here"
        "<p>An <b>open <i>mark</b></i> &unknown; and <br>a line.<hr><p hidden>Not this.<p>* * *</p><p>After."
    )
    documents = {"a.xhtml": broken, "empty.xhtml": "", "blank.xhtml": page("<p> </p>")}

    book = read_book(Epub(documents, [("Start", "a.xhtml", 1), ("Empty", "empty.xhtml", 1)]).write(tmp_path / "a.epub"))

    (chapter,) = book.chapters
    assert chapter.text == "Chapter 1\n\nSalt & rope here\n\nAn open mark &unknown; and\na line. [pause:1.5]\n\nAfter."


NOTED = (
    "<p>The keeper<a epub:type='noteref' href='#n1'>1</a> climbed<sup><a href='notes.xhtml#n2'>[2]</a></sup> on.</p>"
    "<p><span epub:type='pagebreak' id='pg7' title='7'/>Then he slept.</p>"
    "<figure><img src='x.png'/><figcaption>A lantern.</figcaption></figure>"
    "<table><tr><th>Day</th><th>Oil</th></tr><tr><td>Monday</td><td>3</td></tr></table><pre>x = 1</pre><p>The end.</p>"
    "<aside epub:type='footnote' id='n1'><p><a href='#r1'>1</a> A tall man.</p></aside>"
)
NOTES = page("<h1>Notes</h1><ol><li id='n2'><p>By the stair. <a role='doc-backlink' href='a.xhtml#r2'>↩</a></p></li></ol>")


@pytest.mark.parametrize(
    ("reading", "text"),
    [
        (Reading(), "The keeper climbed on.\n\nThen he slept.\n\nA lantern.\n\nThe end."),
        (
            Reading(footnotes="read", captions="skip"),
            "The keeper climbed on.\n\nA tall man.\n\nBy the stair.\n\nThen he slept.\n\nThe end.",
        ),
        (
            Reading(footnotes="end", page_numbers="read", captions="end", tables="read", code="read"),
            "The keeper climbed on.\n\nThen he slept.\n\nPage 7.\n\nDay, Oil.\nMonday, 3.\n\nx = 1\n\nThe end.\n\n"
            "A tall man.\n\nBy the stair.\n\nA lantern.",
        ),
    ],
)
def test_what_stands_beside_the_text_is_read_skipped_or_moved(tmp_path: Path, reading: Reading, text: str) -> None:
    documents = {"a.xhtml": page(NOTED), "notes.xhtml": NOTES}
    path = Epub(documents, [("One", "a.xhtml", 1), ("Notes", "notes.xhtml", 1)]).write(tmp_path / "a.epub")

    (chapter,) = read_book(path, reading).chapters

    assert chapter.text == text


def test_odd_titles_scripts_and_marks_of_ours(tmp_path: Path) -> None:
    documents = {
        "a.xhtml": page("<p>שלום עולם.</p>"),
        "b.xhtml": page("<p>港の<ruby>灯<rt>ひ</rt></ruby>がともる。</p>"),
        "c.xhtml": page("<p>Write &lt;speaker:anna&gt; or [pause:2] there.</p>"),
    }
    contents = [("ת" * 300, "a.xhtml", 1), ("第一章", "b.xhtml", 1), ("Marks", "c.xhtml", 1)]

    book = read_book(Epub(documents, contents, language="he-IL").write(tmp_path / "a.epub"))

    assert book.language == "he-il"
    assert [len(chapter.title) for chapter in book.chapters] == [300, 3, 5]
    assert book.chapters[1].text == "港の灯がともる。"
    assert "<speaker" not in book.chapters[2].text
    assert "[pause" not in book.chapters[2].text


def test_a_protected_book_is_told_as_such(tmp_path: Path) -> None:
    encryption = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData '
        'xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="{}"/></EncryptedData></encryption>'
    )
    documents = {"a.xhtml": page("<p>Words.</p>")}
    locked = {
        "META-INF/encryption.xml": encryption.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
        "META-INF/rights.xml": "x",
    }
    fonts = {"META-INF/encryption.xml": encryption.format("http://www.idpf.org/2008/embedding")}

    with pytest.raises(InputError, match=r"a\.epub is protected \(Adobe's DRM\)"):
        read_book(Epub(documents, extra=locked).write(tmp_path / "a.epub"))
    assert read_book(Epub(documents, extra=fonts).write(tmp_path / "b.epub")).chapters


def test_harmful_archives_are_refused(tmp_path: Path) -> None:
    documents = {"a.xhtml": page("<p>Words.</p>")}

    with pytest.raises(InputError, match="lead out of its folder"):
        read_book(Epub(documents, extra={"../../evil.xhtml": "x"}).write(tmp_path / "a.epub"))
    with pytest.raises(InputError, match="it unpacks to 70 MB"):
        read_book(Epub(documents, extra={"bomb": b"\0" * 70_000_000}).write(tmp_path / "b.epub"))
    with zipfile.ZipFile(tmp_path / "c.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    with pytest.raises(InputError, match=r"container\.xml is missing"):
        read_book(tmp_path / "c.epub")
    (tmp_path / "d.epub").write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(InputError, match="damaged"):
        read_book(tmp_path / "d.epub")


def test_entities_are_never_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    lol = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    document = (
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY l0 "lol">{lol}<!ENTITY f SYSTEM "file://{secret}">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>Before &f; &l8; after.</p></body></html>'
    )

    (chapter,) = read_book(Epub({"a.xhtml": document}).write(tmp_path / "a.epub")).chapters

    assert "secret" not in chapter.text
    assert "lol" not in chapter.text
    assert len(chapter.text) < 100


def test_references_that_lead_out_find_nothing(tmp_path: Path) -> None:
    contents = [("One", "a.xhtml", 1), ("Two", "../../etc/passwd", 1), ("Three", "https://example.org/x.xhtml", 1)]

    book = read_book(Epub({"a.xhtml": page("<p>Words.</p>")}, contents).write(tmp_path / "a.epub"))

    assert [chapter.title for chapter in book.chapters] == ["One"]


def test_empty_chapters_two_languages_and_no_cover(tmp_path: Path) -> None:
    documents = {
        "a.xhtml": page("<h1>One</h1><p>He said <i lang='fr'>bonjour</i> to her.</p>"),
        "b.xhtml": page("<h1></h1><p> </p><img src='x.png' alt=''/>"),
        "c.xhtml": page("<div xml:lang='fr'><p>La marée monte.</p></div>"),
    }
    contents = [("One", "a.xhtml", 1), ("Nothing", "b.xhtml", 1), ("Deux", "c.xhtml", 1)]

    book = read_book(Epub(documents, contents, language="en</dc:language><dc:language>fr").write(tmp_path / "a.epub"))

    # The first language is that of the book: a job's voice may be another one for a chapter.
    assert (book.language, book.cover) == ("en", b"")
    assert [(chapter.title, chapter.text) for chapter in book.chapters] == [
        ("One", "One\n\nHe said bonjour to her."),
        ("Deux", "La marée monte."),
    ]
    with pytest.raises(InputError, match="no text that can be read"):
        read_book(Epub({"b.xhtml": documents["b.xhtml"]}).write(tmp_path / "b.epub"))
