"""Books made at test time, in the structures that are out there. Every word of them is ours."""

from __future__ import annotations

import io
import random
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

OPF = "http://www.idpf.org/2007/opf"
WORDS = re.findall(
    r"\w+",
    "harbour light morning keeper lantern stair window gull rope tide letter silver winter garden stone river boat captain bread "
    "paper candle bridge market orchard valley clock shadow field kettle ladder village engine sister brother road hill",
)


def prose(seed: int, characters: int) -> str:
    """Sentences of about so many characters in paragraphs, the same for the same seed."""
    chance = random.Random(seed)
    paragraphs: list[str] = []
    made = 0
    while made < characters:
        sentences = []
        for _ in range(chance.randint(2, 6)):
            words = [chance.choice(WORDS) for _ in range(chance.randint(5, 16))]
            sentences.append(f"The {' '.join(words[:3])} was {' '.join(words[3:])}.")
        paragraphs.append(" ".join(sentences))
        made += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs)


def picture(width: int = 300, height: int = 400) -> bytes:
    """A cover."""
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (width, height), (40, 70, 120)).save(out, "PNG")
    return out.getvalue()


def page(body: str, title: str = "", more: str = "") -> str:
    """A document of an EPUB."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n<html xmlns="http://www.w3.org/1999/xhtml" '
        f'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title>{more}</head><body>{body}</body></html>'
    )


@dataclass
class Epub:
    """What an EPUB is made of. `documents` by member; `contents` are (title, reference, level); `extra` further members."""

    documents: Mapping[str, str]
    contents: Sequence[tuple[str, str, int]] = ()
    title: str = "The Keeper of the Light"
    authors: Sequence[str] = ("Ada Example", "Ben Sample")
    language: str = "en"
    version: int = 3
    cover: bytes = b""
    extra: Mapping[str, bytes | str] = field(default_factory=dict)
    folder: str = "OEBPS/"
    aside: Sequence[str] = ()

    def write(self, path: Path) -> Path:
        """The file."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
            archive.writestr(
                "META-INF/container.xml",
                '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0">'
                f'<rootfiles><rootfile full-path="{self.folder}book.opf" media-type="application/oebps-package+xml"/>'
                "</rootfiles></container>",
            )
            archive.writestr(f"{self.folder}book.opf", self._package())
            for name, content in self.documents.items():
                archive.writestr(f"{self.folder}{name}", content)
            if self.cover:
                archive.writestr(f"{self.folder}images/front.png", self.cover)
            if self.contents and self.version == 3:
                archive.writestr(f"{self.folder}nav.xhtml", self._nav())
            if self.contents and self.version == 2:
                archive.writestr(f"{self.folder}toc.ncx", self._ncx())
            for name, content in self.extra.items():
                archive.writestr(name, content)
        return path

    def _package(self) -> str:
        items = [
            f'<item id="d{number}" href="{name}" media-type="application/xhtml+xml"/>'
            for number, name in enumerate(self.documents)
        ]
        if self.contents and self.version == 3:
            items.append('<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>')
        if self.contents and self.version == 2:
            items.append('<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>')
        if self.cover:
            properties = ' properties="cover-image"' if self.version == 3 else ""
            items.append(f'<item id="front" href="images/front.png" media-type="image/png"{properties}/>')
        order = "".join(
            f'<itemref idref="d{number}"{" linear=" + chr(34) + "no" + chr(34) if name in self.aside else ""}/>'
            for number, name in enumerate(self.documents)
        )
        authors = "".join(f"<dc:creator>{name}</dc:creator>" for name in self.authors)
        named = '<meta name="cover" content="front"/>' if self.cover and self.version == 2 else ""
        return (
            f'<?xml version="1.0" encoding="utf-8"?><package xmlns="{OPF}" version="{self.version}.0" unique-identifier="id">'
            f'<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">x</dc:identifier>'
            f"<dc:title>{self.title}</dc:title>{authors}<dc:language>{self.language}</dc:language><dc:date>1911-05-01</dc:date>"
            f"{named}</metadata><manifest>{''.join(items)}</manifest>"
            f"<spine{' toc=' + chr(34) + 'ncx' + chr(34) if self.version == 2 else ''}>{order}</spine></package>"
        )

    def _nav(self) -> str:
        out, level = "", 0
        for title, reference, depth in self.contents:
            out += "<ol>" * (depth - level) if depth > level else "</li>" + "</ol></li>" * (level - depth)
            level = depth
            out += f'<li><a href="{reference}">{title}</a>' if reference else f"<li><span>{title}</span>"
        out += "</li></ol>" * level
        return page(f'<nav epub:type="toc"><h1>Contents</h1>{out}</nav>')

    def _ncx(self) -> str:
        out, level = "", 0
        for number, (title, reference, depth) in enumerate(self.contents):
            out += "</navPoint>" * (level - depth + 1) if level >= depth else ""
            level = depth
            out += (
                f'<navPoint id="n{number}" playOrder="{number}"><navLabel><text>{title}</text></navLabel>'
                f'<content src="{reference}"/>'
            )
        out += "</navPoint>" * level
        return (
            '<?xml version="1.0" encoding="utf-8"?><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1">'
            f"<head/><docTitle><text>x</text></docTitle><navMap>{out}</navMap></ncx>"
        )


def simple_epub(path: Path, chapters: int = 3, characters: int = 400, cover: bool = True) -> Path:
    """A book of so many chapters of prose, each a document with a heading."""
    documents = {
        f"c{number}.xhtml": page(
            f"<h1>Chapter {number}</h1>" + "".join(f"<p>{paragraph}</p>" for paragraph in prose(number, characters).split("\n\n"))
        )
        for number in range(1, chapters + 1)
    }
    contents = [(f"Chapter {number}", f"c{number}.xhtml", 1) for number in range(1, chapters + 1)]
    return Epub(documents, contents, cover=picture() if cover else b"").write(path)


def word_document(path: Path) -> Path:
    """A DOCX with two chapters, a table, a footnote, and what Word says of itself."""
    import docx

    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "The Keeper", "Ada Example"
    document.add_heading("The Rope", 1)
    document.add_paragraph("The keeper climbed the stair.")
    table = document.add_table(2, 2)
    for row, cells in zip(table.rows, (("Day", "Oil"), ("Monday", "3")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_heading("The Tide", 1)
    document.add_paragraph("He slept until noon.")
    document.save(str(path))
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    # The library writes no footnotes.
    office = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
    changes = {
        "word/document.xml": ("keeper climbed", 'keeper</w:t><w:footnoteReference w:id="2"/><w:t xml:space="preserve"> climbed'),
        "[Content_Types].xml": ("</Types>", f'<Override PartName="/word/footnotes.xml" ContentType="{office}"/></Types>'),
        "word/_rels/document.xml.rels": (
            "</Relationships>",
            f'<Relationship Id="notes" Type="{kind}" Target="footnotes.xml"/></Relationships>',
        ),
    }
    note = '<w:footnote w:id="2"><w:p><w:r><w:t>A tall man.</w:t></w:r></w:p></w:footnote>'
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            old, new = changes.get(name, ("", ""))
            archive.writestr(name, content.decode().replace(old, new, 1) if old else content)
        archive.writestr("word/footnotes.xml", f'<w:footnotes xmlns:w="{word}">{note}</w:footnotes>')
    return path


def two_columns(path: Path) -> tuple[Path, list[str]]:
    """A PDF of two chapters in two columns with headers and page numbers, and its paragraphs; long words are hyphenated."""
    from reportlab.pdfbase.pdfmetrics import stringWidth
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), pagesize=(595, 842))
    canvas.setTitle("The Keeper")
    canvas.setAuthor("Ada Example")
    paragraphs: list[str] = []
    number = 0
    for chapter in (1, 2):
        body = prose(chapter, 7000).split("\n\n")
        paragraphs += body
        lines = [line for text in body for line in (*_broken(text, 220, stringWidth), "")]
        first = True
        while lines:
            number += 1
            canvas.setFont("Times-Italic", 9)
            canvas.drawString(60, 800, f"Ada Example · The Keeper of Page {number}")
            canvas.drawCentredString(297, 40, str(number))
            top = 770
            if first:
                canvas.setFont("Times-Bold", 18)
                canvas.drawCentredString(297, 740, f"Chapter {chapter}")
                top, first = 700, False
            canvas.setFont("Times-Roman", 11)
            for left in (60, 315):
                y = top
                while lines and y > 80:
                    canvas.drawString(left, y, lines.pop(0))
                    y -= 13
            canvas.showPage()
    canvas.save()
    return path, paragraphs


def _broken(text: str, width: float, measure: object) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        fits = measure(f"{line} {word}".strip(), "Times-Roman", 11) <= width  # type: ignore[operator]
        if not fits and len(word) > 6 and word.isalpha():
            lines.append(f"{line} {word[:3]}-".strip())
            line = word[3:]
        elif fits:
            line = f"{line} {word}".strip()
        else:
            lines.append(line)
            line = word
    return [*lines, line]
