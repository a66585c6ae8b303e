"""A book as an EPUB 3 that is read aloud: its text with media overlays (EPUB 3.3, 9), a sound a chapter, sentence by sentence.

What is written is what is heard, so that both always agree: chapters, paragraphs and sentences, without the pictures and the
layout of the file that the book was read from.
"""

from __future__ import annotations

import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from cosmos_workflow.books.output.tags import Tags
from cosmos_workflow.media import timecode, writing

ACTIVE = "-epub-media-overlay-active"
"""The class that a reading system gives to the sentence that is heard."""
_TO_THE_LEFT = frozenset({"ar", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})
_STYLE = f"""\
body {{ line-height: 1.5; margin: 5%; }}
p {{ margin: 0 0 0.8em; }}
.{ACTIVE} {{ background-color: #ffe08a; color: #000; }}
"""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said from the second `start` on; with `begins` a paragraph begins with it."""

    text: str
    start: float
    begins: bool = False


@dataclass(frozen=True, slots=True)
class SpokenChapter:
    """A chapter: its sound as AAC in an MP4, how long it lasts in seconds, and what is said in it, in order."""

    title: str
    sound: Path
    seconds: float
    sentences: Sequence[Sentence]


def write_read_along(chapters: Sequence[SpokenChapter], path: Path, tags: Tags, identity: str) -> None:
    """Write the chapters as one EPUB; `identity` is what makes it another edition when it changes.

    Raises UnavailableError where it can't be written.
    """
    with writing(path), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        archive.writestr("META-INF/container.xml", _CONTAINER)
        archive.writestr("EPUB/book.opf", _package(chapters, tags, identity))
        archive.writestr("EPUB/nav.xhtml", _contents(chapters, tags))
        archive.writestr("EPUB/style.css", _STYLE)
        if tags.cover:
            archive.writestr("EPUB/cover.jpg", tags.cover, zipfile.ZIP_STORED)
        for number, chapter in enumerate(chapters, 1):
            archive.writestr(f"EPUB/c{number}.xhtml", _text(chapter, tags))
            archive.writestr(f"EPUB/c{number}.smil", _overlay(number, chapter))
            archive.write(chapter.sound, f"EPUB/c{number}.m4a", zipfile.ZIP_STORED)


_CONTAINER = (
    '<?xml version="1.0" encoding="utf-8"?>\n<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
    '<rootfiles><rootfile full-path="EPUB/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>\n'
)


def _package(chapters: Sequence[SpokenChapter], tags: Tags, identity: str) -> str:
    language = tags.language or "und"
    direction = ' page-progression-direction="rtl"' if _to_the_left(tags) else ""
    told = [
        f'<dc:identifier id="id">urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}</dc:identifier>',
        f"<dc:title>{_plain(tags.title)}</dc:title>",
        f"<dc:language>{_plain(language)}</dc:language>",
        *(f"<dc:creator>{_plain(author)}</dc:creator>" for author in tags.authors),
        *([f"<dc:date>{tags.year:04d}</dc:date>"] if tags.year else []),
        f'<meta property="dcterms:modified">{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</meta>',
        *(
            f'<meta property="media:duration" refines="#m{number}">{timecode(_heard(chapter))}</meta>'
            for number, chapter in enumerate(chapters, 1)
        ),
        f'<meta property="media:duration">{timecode(sum(_heard(chapter) for chapter in chapters))}</meta>',
        *([f'<meta property="media:narrator">{_plain(tags.narrator)}</meta>'] if tags.narrator else []),
        f'<meta property="media:active-class">{ACTIVE}</meta>',
    ]
    items = [
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        '<item id="style" href="style.css" media-type="text/css"/>',
        *(['<item id="cover" href="cover.jpg" media-type="image/jpeg" properties="cover-image"/>'] if tags.cover else []),
    ]
    for number in range(1, len(chapters) + 1):
        items += [
            f'<item id="c{number}" href="c{number}.xhtml" media-type="application/xhtml+xml" media-overlay="m{number}"/>',
            f'<item id="m{number}" href="c{number}.smil" media-type="application/smil+xml"/>',
            f'<item id="a{number}" href="c{number}.m4a" media-type="audio/mp4"/>',
        ]
    order = "".join(f'<itemref idref="c{number}"/>' for number in range(1, len(chapters) + 1))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<package xmlns="http://www.idpf.org/2007/opf" version="3.0" '
        f'unique-identifier="id" xml:lang="{_plain(language)}">\n<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">\n'
        f"{chr(10).join(told)}\n</metadata>\n<manifest>\n{chr(10).join(items)}\n</manifest>\n"
        f"<spine{direction}>{order}</spine>\n</package>\n"
    )


def _contents(chapters: Sequence[SpokenChapter], tags: Tags) -> str:
    entries = "".join(f'<li><a href="c{number}.xhtml">{_plain(one.title)}</a></li>' for number, one in enumerate(chapters, 1))
    return _page(f'<nav epub:type="toc" id="toc"><h1>{_plain(tags.title)}</h1><ol>{entries}</ol></nav>', tags.title, tags)


def _text(chapter: SpokenChapter, tags: Tags) -> str:
    body: list[str] = []
    for paragraph in _paragraphs(chapter):
        spans = " ".join(f'<span id="s{number}">{_plain(text)}</span>' for number, text in paragraph)
        heading = not body and " ".join(text for _, text in paragraph).rstrip(".") == chapter.title.rstrip(".")
        body.append(f"<h1>{spans}</h1>" if heading else f"<p>{spans}</p>")
    if not body or not body[0].startswith("<h1>"):
        body.insert(0, f"<h1>{_plain(chapter.title)}</h1>")
    return _page("\n".join(body), chapter.title, tags)


def _paragraphs(chapter: SpokenChapter) -> Iterator[list[tuple[int, str]]]:
    """The numbers and texts of the sentences of each paragraph."""
    paragraph: list[tuple[int, str]] = []
    for number, sentence in enumerate(chapter.sentences, 1):
        if sentence.begins and paragraph:
            yield paragraph
            paragraph = []
        paragraph.append((number, sentence.text))
    if paragraph:
        yield paragraph


def _overlay(number: int, chapter: SpokenChapter) -> str:
    """Each sentence with its stretch of the sound, up to the next one: between two nothing is left out, so pauses are kept."""
    starts = [sentence.start for sentence in chapter.sentences]
    pairs = "".join(
        f'<par id="p{place}"><text src="c{number}.xhtml#s{place}"/>'
        f'<audio src="c{number}.m4a" clipBegin="{start:.3f}s" clipEnd="{end:.3f}s"/></par>\n'
        for place, (start, end) in enumerate(zip(starts, [*starts[1:], chapter.seconds], strict=True), 1)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<smil xmlns="http://www.w3.org/ns/SMIL" '
        'xmlns:epub="http://www.idpf.org/2007/ops" version="3.0">\n<body>\n'
        f'<seq id="all" epub:textref="c{number}.xhtml">\n{pairs}</seq>\n</body>\n</smil>\n'
    )


def _page(body: str, title: str, tags: Tags) -> str:
    language = _plain(tags.language or "und")
    direction = ' dir="rtl"' if _to_the_left(tags) else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops" lang="{language}" xml:lang="{language}"{direction}>\n'
        f'<head><title>{_plain(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _heard(chapter: SpokenChapter) -> float:
    return chapter.seconds - (chapter.sentences[0].start if chapter.sentences else 0.0)


def _to_the_left(tags: Tags) -> bool:
    return tags.language.partition("-")[0] in _TO_THE_LEFT


def _plain(text: str) -> str:
    """A text for XML, without the signs that it can't hold."""
    return escape("".join(letter for letter in text if letter >= " " or letter in "\t\n"))
