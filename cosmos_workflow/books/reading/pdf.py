"""PDF with a text layer, by pdfminer: its lines with their places, its outline, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pdfminer.converter import PDFPageAggregator
from pdfminer.layout import LAParams, LTChar, LTTextBox, LTTextLine
from pdfminer.pdfdocument import (
    PDFDestinationNotFound,
    PDFDocument,
    PDFNoOutlines,
    PDFPasswordIncorrect,
    PDFTextExtractionNotAllowed,
)
from pdfminer.pdfexceptions import PDFException
from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
from pdfminer.pdfpage import PDFPage
from pdfminer.pdfparser import PDFParser
from pdfminer.pdftypes import PDFObjRef, resolve1
from pdfminer.psexceptions import PSException
from pdfminer.utils import decode_text

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.blocks import Block, Start, chapters_of, heading_starts, one_line
from cosmos_workflow.books.reading.printed import Line, Page, blocks_of, in_order
from cosmos_workflow.errors import InputError

MAX_PAGES = 5000
SCANNED = 20
"""Characters a page below which a document has no text layer to speak of."""


def read_pdf(path: Path, reading: Reading) -> Book:
    """A PDF; raises InputError for one that is locked, or holds only pictures of its pages."""
    try:
        with path.open("rb") as file:
            pages, outline, info = _read(file)
    except PDFPasswordIncorrect as error:
        raise InputError(f"{path.name} is locked with a password; save it without one.") from error
    except PDFTextExtractionNotAllowed as error:
        raise InputError(f"{path.name} is protected: its maker doesn't allow its text to be taken out.") from error
    except InputError:
        raise
    except (PDFException, PSException, ValueError, TypeError, KeyError, IndexError, AssertionError, RecursionError) as error:
        # What the library raises where a document isn't what it says it is.
        raise InputError(f"{path.name} is damaged: it can't be read as a PDF ({type(error).__name__}); get it anew.") from error
    letters = sum(len(line.text) for page in pages for line in page.lines)
    if letters < SCANNED * max(1, len(pages)):
        raise InputError(
            f"{path.name} holds pictures of its pages and next to no text; have its text recognised first (OCR), and use that."
        )
    blocks, begins = blocks_of(pages)
    chapters = chapters_of(blocks, _starts(blocks, begins, outline), reading)
    return Book(
        one_line(info.get("Title", "") or path.stem), tuple(filter(None, [one_line(info.get("Author", ""))])), "", None, chapters
    )


def _read(file: Any) -> tuple[list[Page], list[tuple[str, int]], dict[str, str]]:
    """The pages, the outline as (title, page from 0), and what the document says of itself."""
    document = PDFDocument(PDFParser(file))
    if not document.is_extractable:
        raise PDFTextExtractionNotAllowed
    manager = PDFResourceManager()
    device = PDFPageAggregator(manager, laparams=LAParams(boxes_flow=None))
    interpreter = PDFPageInterpreter(manager, device)
    pages: list[Page] = []
    numbers: dict[Any, int] = {}
    for number, page in enumerate(PDFPage.create_pages(document)):
        if number >= MAX_PAGES:
            raise InputError(f"The document has more than {MAX_PAGES:,} pages; split it.")
        numbers[page.pageid] = number
        interpreter.process_page(page)
        layout = device.get_result()
        pages.append(Page(layout.height, tuple(in_order(list(_lines(layout)), layout.width))))
    return pages, list(_outline(document, numbers)), _info(document)


def _lines(layout: Any) -> Iterator[Line]:
    for box in layout:
        for line in box if isinstance(box, LTTextBox) else ():
            if not isinstance(line, LTTextLine):
                continue
            sizes = [character.size for character in line if isinstance(character, LTChar)]
            text = " ".join(line.get_text().split())
            if text and sizes:
                yield Line(text, line.x0, line.y0, line.x1, line.y1, round(median(sizes), 1))


def _info(document: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for info in document.info:
        for key in ("Title", "Author"):
            value = info.get(key)
            if isinstance(value, bytes):
                found[key] = decode_text(value)
    return found


def _outline(document: Any, numbers: dict[Any, int]) -> Iterator[tuple[str, int]]:
    try:
        for _, title, destination, action, _ in document.get_outlines():
            target = destination
            if target is None and isinstance(known := resolve1(action), dict):
                target = known.get("D")
            target = resolve1(target)
            try:
                if isinstance(target, bytes | str):
                    target = resolve1(document.get_dest(target))
            except PDFDestinationNotFound:
                continue
            if isinstance(target, dict):
                target = resolve1(target.get("D"))
            page = target[0] if isinstance(target, list) and target else None
            number = numbers.get(page.objid) if isinstance(page, PDFObjRef) else page if isinstance(page, int) else None
            if number is not None:
                yield one_line(title), number
    except PDFNoOutlines:
        return


def _starts(blocks: Sequence[Block], begins: Sequence[int], outline: Sequence[tuple[str, int]]) -> list[Start]:
    """Chapters as the outline has them, at the heading of that name on the page; else by headings."""
    starts: dict[int, Start] = {}
    for title, number in outline:
        first = begins[number]
        last = begins[number + 1] if number + 1 < len(begins) else len(blocks)
        named = [place for place in range(first, last) if _plain(blocks[place].text).startswith(_plain(title)[:40])]
        place = named[0] if named and title else first
        if place < len(blocks):
            starts.setdefault(place, Start(place, title))
    return [starts[place] for place in sorted(starts)] if len(starts) > 1 else heading_starts(blocks)


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
