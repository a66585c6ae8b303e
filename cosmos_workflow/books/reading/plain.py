"""Plain text, and the words of subtitles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cosmos_workflow.books.book import Book, Chapter, Reading
from cosmos_workflow.books.reading.blocks import Block, Start, chapters_of, has_words, one_line, tidy
from cosmos_workflow.errors import InputError

MAX_TEXT = 100_000_000
LONGEST_HEADING = 120
PAUSE_BETWEEN_CUES = 2.0
"""Seconds without a word after which subtitles begin a new paragraph."""

_NUMBER = r"(?:\d{1,4}|[IVXLCDM]{1,8}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|the\s+\w+)"
HEADING = re.compile(
    rf"(?:(?:chapter|part|book|section|kapitel|teil|chapitre|partie|cap[ií]tulo|parte|capitolo|hoofdstuk|rozdział|глава|часть)"
    rf"\s+(?:{_NUMBER}|\w{{1,20}})\b.{{0,90}}|(?:prologue|epilogue|preface|foreword|introduction|prolog|epilog|vorwort|nachwort|"
    rf"prologo|prólogo|epílogo|пролог|эпилог)\.?|[IVXLC]{{1,7}}\.?|第\s*[0-9一二三四五六七八九十百千〇零]+\s*[章回節节部].{{0,60}})",  # noqa: RUF001
    re.IGNORECASE,
)
"""A line that usually begins a chapter, where it stands alone."""

_GUTENBERG = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG EBOOK.*$", re.MULTILINE | re.IGNORECASE)
_UNDERLINE = re.compile(r"(?:={3,}|-{3,}|~{3,})")


def read_plain(path: Path, reading: Reading) -> Book:
    """A text file. Chapters begin at lines that `reading.pattern` matches, else at the usual headings that stand alone."""
    text = decoded(path)
    told = {
        key.lower(): value.strip() for key, value in re.findall(r"^(Title|Author|Language): *(.+)$", text[:3000], re.MULTILINE)
    }
    marks = {found[1].upper(): found for found in _GUTENBERG.finditer(text)}
    if "START" in marks:
        text = text[marks["START"].end() : marks["END"].start() if "END" in marks else len(text)]
    else:
        told = {}  # what stands at the beginning of another text is the text
    blocks = [block for paragraph in _paragraphs(text) for block in _blocks(paragraph, reading.pattern)]
    starts = [Start(place, one_line(block.text)) for place, block in enumerate(blocks) if block.kind == "heading"]
    chapters = chapters_of(blocks, starts, reading)
    authors = (told["author"],) if "author" in told else ()
    return Book(one_line(told.get("title", path.stem)), authors, _code(told.get("language", "")), None, _named(chapters, starts))


def read_subtitles(path: Path, reading: Reading) -> Book:
    """The words of an SRT or VTT file, without their times."""
    import pysubs2
    from pysubs2.exceptions import Pysubs2Error

    try:
        events = pysubs2.SSAFile.from_string(decoded(path), format_="vtt" if path.suffix.lower() == ".vtt" else "srt").events
    except (Pysubs2Error, ValueError) as error:
        raise InputError(f"{path.name} isn't a subtitle file that can be read; use SRT or VTT.") from error
    paragraphs: list[str] = []
    until = 0
    for event in events:
        said = " ".join(re.sub(r"</?[a-z][^<>]*>", "", event.plaintext).split())
        if not has_words(said):
            continue
        if paragraphs and event.start - until < PAUSE_BETWEEN_CUES * 1000:
            paragraphs[-1] += f" {said}"
        else:
            paragraphs.append(said)
        until = event.end
    chapters = chapters_of([Block("paragraph", paragraph) for paragraph in paragraphs], [Start(0, path.stem)], reading)
    if not chapters:
        raise InputError(f"{path.name} holds no words.")
    return Book(one_line(path.stem), chapters=chapters)


def decoded(path: Path) -> str:
    """A text in whatever encoding it is, with plain line ends; raises InputError for what isn't text."""
    if path.stat().st_size > MAX_TEXT:
        raise InputError(f"{path.name} is too long for a book; use a text of at most {MAX_TEXT // 1_000_000} MB.")
    content = path.read_bytes()
    for encoding in ("utf-8-sig", "utf-16") if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return _lines(content.decode(encoding))
        except UnicodeDecodeError:
            continue
    from charset_normalizer import from_bytes

    best = from_bytes(content[:200_000]).best()
    if best is None or b"\x00" in content[:10_000]:
        raise InputError(f"{path.name} isn't text in a known encoding; save it as UTF-8.")
    return _lines(content.decode(best.encoding, "replace"))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _paragraphs(text: str) -> list[str]:
    """Divided by blank lines; where there are next to none, every line is a paragraph."""
    parts = [part for part in re.split(r"\n[^\S\n]*\n\s*", text) if part.strip()]
    lines = [line for line in text.split("\n") if line.strip()]
    return lines if len(lines) > 20 and len(parts) * 20 < len(lines) and max(map(len, lines)) > 120 else parts


def _blocks(paragraph: str, pattern: str) -> list[Block]:
    lines = [line.strip() for line in paragraph.split("\n") if line.strip()]
    if not has_words(paragraph):
        return [Block("break")]
    underlined = len(lines) == 2 and bool(_UNDERLINE.fullmatch(lines[1]))
    if _is_heading(lines[0], pattern) and (pattern or underlined or len(lines) <= 2):
        title = lines[0] if underlined or pattern else ": ".join(line.rstrip(":") for line in lines)
        rest = lines[1:] if pattern else []
        return [Block("heading", title, 1), *([Block("paragraph", " ".join(rest))] if rest else [])]
    return [Block("paragraph", tidy("\n".join(lines)))]


def _is_heading(line: str, pattern: str) -> bool:
    if len(line) > LONGEST_HEADING:
        return False
    if not pattern:
        return bool(HEADING.fullmatch(line)) or line.startswith("# ")
    try:
        return bool(re.search(pattern, line))
    except re.error as error:
        raise InputError(f"The pattern for chapters isn't a regular expression: {error}.") from error


def _named(chapters: tuple[Chapter, ...], starts: Sequence[Start]) -> tuple[Chapter, ...]:
    """What stands before the first heading is the beginning; a text without headings is one chapter."""
    first = "Beginning" if len(chapters) > 1 else "Text"
    alone = not starts or starts[0].place > 0
    return tuple(
        Chapter(first, chapter.text) if number == 0 and alone and chapter.title == "Chapter 1" else chapter
        for number, chapter in enumerate(chapters)
    )


def _code(language: str) -> str:
    return {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it", "portuguese": "pt"}.get(
        language.lower(), ""
    )
