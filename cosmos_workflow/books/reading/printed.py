"""Printed lines as blocks of text: columns in their order, without what stands on every page, words whole again. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cosmos_workflow.books.reading.blocks import Block, has_words
from cosmos_workflow.books.reading.plain import HEADING

EDGE = 0.1
"""Share of a page's height at its top and its bottom in which headers, footers and page numbers stand."""
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

    height: float
    lines: tuple[Line, ...]


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
    sizes = _heading_sizes(pages)
    blocks: list[Block] = []
    begins: list[int] = []
    for page in pages:
        begins.append(len(blocks))
        number = ""
        body: list[Line] = []
        for line in page.lines:
            at_edge = _at_edge(line, page)
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


def _heading_sizes(pages: Sequence[Page]) -> list[float]:
    """The sizes of headings, the largest first: those well above that of most letters."""
    letters: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            letters[line.size] += len(line.text)
    usual = max(letters, key=lambda size: letters[size], default=0.0)
    return sorted((size for size in letters if size >= LARGER * usual), reverse=True)


def _at_edge(line: Line, page: Page) -> bool:
    return line.bottom > page.height * (1 - EDGE) or line.top < page.height * EDGE


def _printed_everywhere(pages: Sequence[Page]) -> set[str]:
    """What stands at the edge of many pages, but for its numbers."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({_pattern(line.text) for line in page.lines if _at_edge(line, page)})
    least = max(2, min(4, len(pages) // 4))
    return {pattern for pattern, count in seen.items() if count >= least}


def _pattern(text: str) -> str:
    return re.sub(r"\d+", "#", " ".join(text.lower().split()))
