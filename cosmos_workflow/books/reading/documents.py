"""Documents that become HTML first: HTML itself, Markdown and DOCX."""

from __future__ import annotations

import re
from pathlib import Path

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.archive import BookArchive
from cosmos_workflow.books.reading.blocks import chapters_of, heading_starts, one_line
from cosmos_workflow.books.reading.html import meta, read_documents
from cosmos_workflow.books.reading.plain import decoded
from cosmos_workflow.books.reading.xml import Element, parse_html, parse_xml, texts
from cosmos_workflow.errors import InputError

_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


def read_web_page(path: Path, reading: Reading) -> Book:
    """An HTML file, with its own title, author and language."""
    root = parse_html(path.read_bytes())
    if root is None:
        return Book(path.stem)
    author = meta(root, ("author", "dc.creator"))
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    return _book(path, root, reading, next(iter(texts(root, "title")), ""), (author,) if author else (), language)


def read_markdown(path: Path, reading: Reading) -> Book:
    """A Markdown file; `title`, `author` and `lang` of its front matter are the book's."""
    from markdown_it import MarkdownIt

    text = decoded(path)
    front = _FRONT_MATTER.match(text)
    told = dict(re.findall(r"^(title|author|lang(?:uage)?):[ \t]*(.+?)[ \t]*$", front[1], re.MULTILINE)) if front else {}
    told = {key: value.strip("\"'") for key, value in told.items()}
    rendered = MarkdownIt("commonmark", {"html": True}).enable("table").render(text[front.end() :] if front else text)
    authors = (told["author"],) if "author" in told else ()
    language = told.get("lang", told.get("language", ""))
    return _book(path, parse_html(rendered), reading, told.get("title", ""), authors, language)


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
    return _book(path, parse_html(found.value), reading, title, authors, language)


_STYLES = "p[style-name='Title'] => h1:fresh\np[style-name='Caption'] => p > figcaption:fresh"


def _properties(path: Path) -> tuple[str, tuple[str, ...], str]:
    """Title, authors and language that a Word document says; checks the archive on the way."""
    with BookArchive(path, "a Word document") as archive:
        if "word/document.xml" not in archive:
            raise InputError(f"{path.name} isn't a Word document; save it as .docx.")
        if "docProps/core.xml" not in archive:
            return "", (), ""
        root = parse_xml(archive.read("docProps/core.xml"), path.name)
    title, creator, language = (next(iter(texts(root, name)), "") for name in ("title", "creator", "language"))
    return title, tuple(name.strip() for name in creator.split(";") if name.strip()), language


def _book(path: Path, root: Element | None, reading: Reading, title: str, authors: tuple[str, ...], language: str) -> Book:
    found = next(read_documents([("", root)])) if root is not None else []
    blocks = [block for block in found if block.kind != "anchor"]
    chapters = chapters_of(blocks, heading_starts(blocks), reading)
    first = [block for block in blocks if block.kind == "heading"]
    alone = first[0].text if first and [block.level for block in first].count(first[0].level) == 1 else ""
    return Book(one_line(title or alone or path.stem), authors, language, None, chapters)
