"""Documents that become HTML first: HTML itself, Markdown and DOCX."""

from __future__ import annotations

import re
from pathlib import Path

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.archive import BookArchive
from cosmos_workflow.books.reading.blocks import Block, chapters_of, heading_starts, one_line
from cosmos_workflow.books.reading.html import Notes, blocks_of_html, meta, read_html, title_of
from cosmos_workflow.books.reading.plain import decoded
from cosmos_workflow.books.reading.xml import descendants, inner_text, parse_html, parse_xml
from cosmos_workflow.errors import InputError

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def read_web_page(path: Path, reading: Reading) -> Book:
    """An HTML file, with its own title, author and language."""
    root = parse_html(path.read_bytes())
    if root is None:
        raise InputError(f"{path.name} holds no text that can be read.")
    title, author = title_of(root), meta(root, ("author", "dc.creator"))
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    notes = Notes()
    notes.look_for(root, "")
    notes.collect(root, "")
    return _book(path, read_html(root, "", notes), reading, title, (author,) if author else (), language)


def read_markdown(path: Path, reading: Reading) -> Book:
    """A Markdown file; `title`, `author` and `lang` of its front matter are the book's."""
    from markdown_it import MarkdownIt

    text = decoded(path)
    front = _FRONT_MATTER.match(text)
    told = dict(re.findall(r"^(title|author|lang(?:uage)?):[ \t]*(.+?)[ \t]*$", front[1], re.MULTILINE)) if front else {}
    told = {key: value.strip("\"'") for key, value in told.items()}
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text[front.end() :] if front else text)
    authors = (told["author"],) if "author" in told else ()
    return _book(
        path, blocks_of_html(rendered), reading, told.get("title", ""), authors, told.get("lang", told.get("language", ""))
    )


def read_docx(path: Path, reading: Reading) -> Book:
    """A Word document: its headings are chapters, its footnotes and endnotes are notes."""
    import mammoth

    title, authors, language = _properties(path)
    with path.open("rb") as file:
        try:
            # Pictures aren't read, and none outside the document is opened.
            found = mammoth.convert_to_html(file, convert_image=mammoth.images.img_element(lambda _image: {}), style_map=_STYLES)
        except Exception as error:  # the library raises whatever a damaged document leads to
            raise InputError(
                f"{path.name} isn't a Word document that can be read ({type(error).__name__}); save it anew."
            ) from error
    return _book(path, blocks_of_html(found.value), reading, title, authors, language)


_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Caption'] => p > figcaption:fresh"


def _properties(path: Path) -> tuple[str, tuple[str, ...], str]:
    """Title, authors and language that a Word document says; checks the archive on the way."""
    with BookArchive(path, "a Word document") as archive:
        if "word/document.xml" not in archive:
            raise InputError(f"{path.name} isn't a Word document; save it as .docx.")
        if "docProps/core.xml" not in archive:
            return "", (), ""
        root = parse_xml(archive.read("docProps/core.xml"), path.name)
    values = {
        name: next((" ".join(inner_text(found).split()) for found in descendants(root, name)), "")
        for name in ("title", "creator", "language")
    }
    authors = tuple(name.strip() for name in values["creator"].split(";") if name.strip())
    return values["title"], authors, values["language"]


def _book(path: Path, blocks: list[Block], reading: Reading, title: str, authors: tuple[str, ...], language: str) -> Book:
    blocks = [block for block in blocks if block.kind != "anchor"]
    chapters = chapters_of(blocks, heading_starts(blocks), reading)
    if not chapters:
        raise InputError(f"{path.name} holds no text that can be read.")
    first = [block for block in blocks if block.kind == "heading"]
    alone = first[0].text if first and [block.level for block in first].count(first[0].level) == 1 else ""
    return Book(one_line(title or alone or path.stem), authors, language, None, chapters)
