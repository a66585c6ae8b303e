"""Books that are no EPUBs."""

# ruff: noqa: RUF001 - the letters of many scripts look alike

from __future__ import annotations

import base64
import zipfile
from pathlib import Path

import pytest
from book_support import picture, prose, two_columns, word_document

from cosmos_workflow.books.book import Reading
from cosmos_workflow.books.reading import read_book
from cosmos_workflow.errors import InputError


@pytest.mark.slow
def test_a_word_document_with_footnotes(tmp_path: Path) -> None:
    path = word_document(tmp_path / "a.docx")

    book = read_book(path, Reading(tables="read", footnotes="end"))

    assert (book.title, book.authors) == ("The Keeper", ("Ada Example",))
    assert [chapter.title for chapter in book.chapters] == ["The Rope", "The Tide"]
    assert book.chapters[0].text == "The Rope\n\nThe keeper climbed the stair.\n\nDay, Oil.\nMonday, 3.\n\nA tall man."
    assert book.chapters[1].text == "The Tide\n\nHe slept until noon."


def test_html_markdown_and_text_give_the_same_chapters(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<html lang=en><title>Rope</title><meta name=author content='Ada Example'>"
        "<h2>Chapter 1</h2><p>Alpha.<h2>Chapter 2</h2><p>Beta."
    )
    (tmp_path / "a.md").write_text(
        "---\ntitle: Rope\nauthor: Ada Example\n---\n## Chapter 1\n\nAlpha.\n\n## Chapter 2\n\nBeta.\n"
    )
    (tmp_path / "a.txt").write_bytes(b"Chapter 1\r\n\r\nAlpha.\r\n\r\n\r\nChapter 2\r\n\r\nBeta.\r\n")

    books = [read_book(tmp_path / name) for name in ("a.html", "a.md", "a.txt")]

    assert [book.title for book in books] == ["Rope", "Rope", "a"]
    assert [book.authors for book in books] == [("Ada Example",), ("Ada Example",), ()]
    for book in books:
        assert [(chapter.title, chapter.text) for chapter in book.chapters] == [
            ("Chapter 1", "Chapter 1\n\nAlpha."),
            ("Chapter 2", "Chapter 2\n\nBeta."),
        ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_in_old_encodings(tmp_path: Path, encoding: str) -> None:
    words = "Der Wächter stieg die Treppe hinauf, und die Möwen schrien über dem Hafen. Später schlief er.\n\n" * 20
    (tmp_path / "a.txt").write_bytes(words.encode(encoding))

    (chapter,) = read_book(tmp_path / "a.txt").chapters

    assert chapter.text.startswith("Der Wächter stieg die Treppe hinauf, und die Möwen")


def test_chapters_of_a_text_by_a_pattern_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Before.\n\n== North ==\nAlpha.\n\n== South ==\nBeta.\n")

    book = read_book(tmp_path / "a.txt", Reading(pattern="^== .* ==$"))

    assert [(chapter.title, chapter.text) for chapter in book.chapters] == [
        ("Beginning", "Before."),
        ("== North ==", "== North ==\n\nAlpha."),
        ("== South ==", "== South ==\n\nBeta."),
    ]
    with pytest.raises(InputError, match="isn't a regular expression"):
        read_book(tmp_path / "a.txt", Reading(pattern="("))


def test_one_chapter_of_200_000_characters(tmp_path: Path) -> None:
    text = prose(1, 200_000)
    (tmp_path / "long.txt").write_text(text)

    (chapter,) = read_book(tmp_path / "long.txt").chapters

    assert (chapter.title, chapter.text) == ("Text", text)


def test_a_pdf_in_two_columns_without_what_is_printed_on_every_page(tmp_path: Path) -> None:
    path, paragraphs = two_columns(tmp_path / "a.pdf")

    book = read_book(path)

    assert (book.title, book.authors) == ("The Keeper", ("Ada Example",))
    assert [chapter.title for chapter in book.chapters] == ["Chapter 1", "Chapter 2"]
    text = " ".join(" ".join(chapter.text.split("\n\n", 1)[1] for chapter in book.chapters).split())
    assert text == " ".join(" ".join(paragraphs).split())
    assert "Page 2." in " ".join(chapter.text for chapter in read_book(path, Reading(page_numbers="read")).chapters)


def test_a_pdf_that_cant_be_read_says_why(tmp_path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    (tmp_path / "p.png").write_bytes(picture())
    scanned = Canvas(str(tmp_path / "scan.pdf"))
    scanned.drawImage(ImageReader(str(tmp_path / "p.png")), 0, 0)
    scanned.save()
    locked = Canvas(str(tmp_path / "locked.pdf"), encrypt=StandardEncryption("secret", canPrint=0))
    locked.drawString(100, 100, "Words.")
    locked.save()
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\n1 0 obj <<" + b"\x00" * 200)

    with pytest.raises(InputError, match=r"scan\.pdf holds pictures of its pages"):
        read_book(tmp_path / "scan.pdf")
    with pytest.raises(InputError, match=r"locked\.pdf is locked with a password"):
        read_book(tmp_path / "locked.pdf")
    with pytest.raises(InputError, match=r"broken\.pdf (is damaged|holds pictures)"):
        read_book(tmp_path / "broken.pdf")


@pytest.mark.parametrize("zipped", [False, True])
def test_an_fb2_book_with_notes_and_a_poem(tmp_path: Path, zipped: bool) -> None:
    cover = base64.b64encode(picture()).decode()
    content = (
        '<?xml version="1.0" encoding="utf-8"?><FictionBook xmlns="http://www.gribuser.ru/xml/fictionbook/2.0" '
        'xmlns:l="http://www.w3.org/1999/xlink"><description><title-info><author><first-name>Ada</first-name>'
        "<last-name>Example</last-name></author><book-title>Маяк</book-title><lang>ru</lang><date>1911</date>"
        '<coverpage><image l:href="#c.png"/></coverpage></title-info></description><body><section><title>'
        "<p>Глава</p><p>первая</p>"
        '</title><p>Огонь<a l:href="#n1" type="note">1</a> горит.</p><poem>'
        "<stanza><v>Волна.</v><v>Камень.</v></stanza></poem></section>"
        "<section><title><p>Глава вторая</p></title><p>Ночь.</p><empty-line/><p>День.</p></section></body>"
        '<body name="notes"><section id="n1"><title><p>1</p></title><p>Свет.</p></section></body>'
        f'<binary id="c.png" content-type="image/png">{cover}</binary></FictionBook>'
    )
    path = tmp_path / ("a.fb2.zip" if zipped else "a.fb2")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.fb2", content)
    else:
        path.write_text(content)

    book = read_book(path, Reading(footnotes="read"))

    assert (book.title, book.authors, book.language, book.year) == ("Маяк", ("Ada Example",), "ru", 1911)
    assert [chapter.title for chapter in book.chapters] == ["Глава первая", "Глава вторая"]
    assert book.chapters[0].text == "Глава первая\n\nОгонь горит.\n\nСвет.\n\nВолна. Камень."
    assert book.chapters[1].text == "Глава вторая\n\nНочь. [pause:1.5]\n\nДень."
    assert book.cover.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "a.srt",
            "1\n00:00:01,000 --> 00:00:02,000\n<i>The light</i>\nis out.\n\n2\n00:00:02,500 --> 00:00:03,000\nClimb!\n\n"
            "3\n00:00:09,000 --> 00:00:10,000\nLater.\n",
        ),
        (
            "a.vtt",
            "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anna>The light\nis out.\n\n00:02.500 --> 00:03.000\nClimb!\n\n"
            "00:09.000 --> 00:10.000\nLater.\n",
        ),
    ],
)
def test_the_words_of_subtitles(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)

    (chapter,) = read_book(tmp_path / name).chapters

    assert chapter.text == "The light is out. Climb!\n\nLater."


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.azw3", b"x", "Kindle's own format"),
        ("a.acsm", b"x", "holds no text"),
        ("a.doc", b"x", r"Save it as \.docx"),
        ("a.epub", b"plain text", "what is in it isn't EPUB"),
        ("a.docx", b"PK\x03\x04", "damaged"),
        ("a.txt", b"", "holds no text"),
        ("a.txt", b"\x00\x01\x02" * 100, "isn't text|holds no text"),
        ("a.fb2", b"<FictionBook", "holds no text|damaged"),
        ("a.srt", b"nothing", "holds no words|isn't a subtitle"),
    ],
)
def test_what_is_no_book_gets_one_sentence(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=words):
        read_book(tmp_path / name)
