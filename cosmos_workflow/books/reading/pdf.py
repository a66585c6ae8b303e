"""PDF with a text layer, by pdfminer: columns in their order, without what is printed on every page, words whole again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.blocks import Block, Start, chapters_of, has_words, heading_starts, one_line
from cosmos_workflow.books.reading.plain import HEADING
from cosmos_workflow.errors import InputError

MAX_PAGES = 5000
EDGE = 0.1
"""Share of a page's height at its top and its bottom in which headers, footers and page numbers stand."""
SCANNED = 20
"""Characters a page below which a document has no text layer to speak of."""
LARGER = 1.15
"""Times the usual size of letters from which a short line is a heading."""

_ENDED = re.compile(r"[.!?:…\"'”’»)\]]\s*$")  # noqa: RUF001
_HYPHEN = re.compile(r"(?<=[^\W\d_])[-\u2010\u00ad]$")
_NUMBER = re.compile(r"[-–— ]*(?:\d{1,4}|[ivxlc]{1,7})[-–— ]*", re.IGNORECASE)  # noqa: RUF001 - dashes of page numbers


@dataclass(frozen=True, slots=True)
class Line:
    """A line of print: where it stands on its page in points from the lower left, and the size of its letters."""

    text: str
    left: float
    bottom: float
    right: float
    top: float
    size: float


@dataclass(frozen=True, slots=True)
class Page:
    """A page with its lines in the order in which they are read."""

    width: float
    height: float
    lines: tuple[Line, ...]


def read_pdf(path: Path, reading: Reading) -> Book:
    """A PDF; raises InputError for one that is locked, or holds only pictures of its pages."""
    from pdfminer.pdfdocument import PDFPasswordIncorrect, PDFTextExtractionNotAllowed
    from pdfminer.pdfexceptions import PDFException
    from pdfminer.psexceptions import PSException

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


def _read(file: Any) -> tuple[list[Page], list[tuple[int, str, int]], dict[str, str]]:
    """The pages, the outline as (level, title, page from 0), and what the document says of itself."""
    from pdfminer.converter import PDFPageAggregator
    from pdfminer.layout import LAParams
    from pdfminer.pdfdocument import PDFDocument
    from pdfminer.pdfinterp import PDFPageInterpreter, PDFResourceManager
    from pdfminer.pdfpage import PDFPage
    from pdfminer.pdfparser import PDFParser

    document = PDFDocument(PDFParser(file))
    if not document.is_extractable:
        from pdfminer.pdfdocument import PDFTextExtractionNotAllowed

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
        pages.append(Page(layout.width, layout.height, tuple(in_order(list(_lines(layout)), layout.width))))
    return pages, list(_outline(document, numbers)), _info(document)


def _lines(layout: Any) -> Iterator[Line]:
    from pdfminer.layout import LTChar, LTTextBox, LTTextLine

    for box in layout:
        for line in box if isinstance(box, LTTextBox) else ():
            if not isinstance(line, LTTextLine):
                continue
            sizes = [character.size for character in line if isinstance(character, LTChar)]
            text = " ".join(line.get_text().split())
            if text and sizes:
                yield Line(text, line.x0, line.y0, line.x1, line.y1, round(median(sizes), 1))


def _info(document: Any) -> dict[str, str]:
    from pdfminer.utils import decode_text

    found: dict[str, str] = {}
    for info in document.info:
        for key in ("Title", "Author"):
            value = info.get(key)
            if isinstance(value, bytes):
                found[key] = decode_text(value)
    return found


def _outline(document: Any, numbers: dict[Any, int]) -> Iterator[tuple[int, str, int]]:
    from pdfminer.pdfdocument import PDFDestinationNotFound, PDFNoOutlines
    from pdfminer.pdftypes import PDFObjRef, resolve1

    try:
        for level, title, destination, action, _ in document.get_outlines():
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
                yield level, one_line(title), number
    except PDFNoOutlines:
        return


def in_order(lines: Sequence[Line], width: float) -> list[Line]:
    """Lines in the order in which they are read: across the page where they go across, else column by column."""
    by_height = sorted(lines, key=lambda line: (-line.top, line.left))
    gutter = _gutter(by_height, width)
    if gutter is None:
        return by_height
    ordered: list[Line] = []
    left: list[Line] = []
    right: list[Line] = []
    for line in by_height:
        if line.left < gutter < line.right:  # a heading across both columns ends what stands above it
            ordered += [*left, *right, line]
            left, right = [], []
        else:
            (left if line.right <= gutter else right).append(line)
    return [*ordered, *left, *right]


def _gutter(lines: Sequence[Line], width: float) -> float | None:
    """Where the space between two columns is; None for a page of one column."""
    if len(lines) < 8:
        return None
    best: tuple[int, float] | None = None
    for step in range(30, 71):
        place = width * step / 100
        left = sum(line.right <= place for line in lines)
        right = sum(line.left >= place for line in lines)
        crossing = len(lines) - left - right
        if min(left, right) >= max(4, len(lines) // 5) and crossing <= len(lines) // 6 and (best is None or crossing < best[0]):
            best = (crossing, place)
    return best[1] if best else None


def blocks_of(pages: Sequence[Page]) -> tuple[list[Block], list[int]]:
    """The blocks of all pages, and for each page the place of its first block."""
    printed = _printed_everywhere(pages)
    sizes = _heading_sizes(pages, _usual_size(pages))
    blocks: list[Block] = []
    begins: list[int] = []
    for page in pages:
        begins.append(len(blocks))
        number = ""
        body: list[Line] = []
        for line in page.lines:
            at_edge = line.bottom > page.height * (1 - EDGE) or line.top < page.height * EDGE
            if at_edge and _NUMBER.fullmatch(line.text):
                number = line.text.strip("-–— ")  # noqa: RUF001
            elif not (at_edge and _pattern(line.text) in printed):
                body.append(line)
        for block in _paragraphs(body, sizes):
            last = next((place for place in range(len(blocks) - 1, -1, -1) if blocks[place].kind != "page"), -1)
            goes_on = last >= 0 and blocks[last].kind == block.kind == "paragraph" and len(blocks) == begins[-1]
            if goes_on and not _ENDED.search(blocks[last].text):
                blocks[last] = Block("paragraph", join([blocks[last].text, block.text]))
            else:
                blocks.append(block)
        if number:
            blocks.append(Block("page", f"Page {number}."))
    return blocks, begins


def join(lines: Sequence[str]) -> str:
    """Lines as one text; a word that was hyphenated is whole again."""
    text = ""
    for line in lines:
        whole = bool(_HYPHEN.search(text)) and line[:1].islower()
        text = _HYPHEN.sub("", text) + line if whole else f"{text} {line}".lstrip()
    return text


def _paragraphs(lines: Sequence[Line], sizes: Sequence[float]) -> Iterator[Block]:
    held: list[Line] = []
    for line in lines:
        if held and _begins_anew(held, line):
            yield _block(held, sizes)
            held = []
        held.append(line)
    if held:
        yield _block(held, sizes)


def _begins_anew(held: Sequence[Line], line: Line) -> bool:
    last = held[-1]
    if abs(last.size - line.size) > 0.1 * last.size:
        return True
    above = line.bottom > last.top  # the next column
    if above:
        return bool(_ENDED.search(last.text)) and not line.text[:1].islower()
    gap = last.bottom - line.top
    if gap > 0.7 * line.size:
        return True
    indented = line.left - last.left > 0.8 * line.size and line.left - last.left < 6 * line.size
    return indented and (len(held) > 1 or bool(_ENDED.search(last.text)))


def _block(lines: Sequence[Line], sizes: Sequence[float]) -> Block:
    text = join([line.text for line in lines])
    size = lines[0].size
    if len(text) <= 200 and has_words(text):
        if size in sizes:
            return Block("heading", text, sizes.index(size) + 1)
        if len(lines) == 1 and HEADING.fullmatch(text) and not text.endswith(","):
            return Block("heading", text, len(sizes) + 1)
    return Block("paragraph", text) if has_words(text) else Block("break")


def _usual_size(pages: Sequence[Page]) -> float:
    letters: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            letters[line.size] += len(line.text)
    return letters.most_common(1)[0][0] if letters else 0.0


def _heading_sizes(pages: Sequence[Page], usual: float) -> list[float]:
    """The sizes of headings, the largest first."""
    return sorted({line.size for page in pages for line in page.lines if line.size >= LARGER * usual}, reverse=True)


def _printed_everywhere(pages: Sequence[Page]) -> set[str]:
    """What stands at the edge of many pages, but for its numbers."""
    seen: Counter[str] = Counter()
    for page in pages:
        edge = {
            _pattern(line.text) for line in page.lines if line.bottom > page.height * (1 - EDGE) or line.top < page.height * EDGE
        }
        seen.update(edge)
    least = max(2, min(4, len(pages) // 4))
    return {pattern for pattern, count in seen.items() if count >= least}


def _pattern(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.lower().split()))


def _starts(blocks: Sequence[Block], begins: Sequence[int], outline: Sequence[tuple[int, str, int]]) -> list[Start]:
    """Chapters as the outline has them, at the heading of that name on the page; else by headings."""
    starts: dict[int, Start] = {}
    for level, title, number in outline:
        first = begins[number]
        last = begins[number + 1] if number + 1 < len(begins) else len(blocks)
        named = [place for place in range(first, last) if _plain(blocks[place].text).startswith(_plain(title)[:40])]
        place = named[0] if named and title else first
        if place < len(blocks):
            starts.setdefault(place, Start(place, title, level))
    if len(starts) < 2:
        return heading_starts(blocks)
    found = [starts[place] for place in sorted(starts)]
    return [*([Start(0)] if found[0].place else []), *found]


def _plain(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
