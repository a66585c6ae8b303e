"""FictionBook 2: its XML is turned into the HTML that it means, and read as that."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.archive import MAX_MEMBER, BookArchive
from cosmos_workflow.books.reading.blocks import chapters_of, heading_starts, one_line
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.books.reading.html import read_documents
from cosmos_workflow.books.reading.xml import Element, attribute, children, descendants, inner_text, local_name, parse_xml, texts
from cosmos_workflow.errors import InputError

_NAMES = {
    "section": "div",
    "stanza": "p",
    "v": "span",
    "cite": "blockquote",
    "text-author": "p",
    "poem": "div",
    "empty-line": "hr",
}
_DEEPEST = 6


def read_fb2(path: Path, reading: Reading) -> Book:
    """An FB2 file, zipped or not."""
    root = parse_xml(_content(path), path.name)
    if local_name(root) != "fictionbook":
        raise InputError(f"{path.name} isn't an FB2 book: its first element is {local_name(root)[:40]!r}.")
    info = descendants(root, "title-info")[:1]
    titles, languages, dates = ([text for part in info for text in texts(part, name)] for name in ("book-title", "lang", "date"))
    year = re.search(r"\b(1[0-9]{3}|20[0-9]{2})\b", " ".join(dates))
    bodies = children(root, "body")
    cover = _cover(root)
    for body in bodies:
        _to_html(body, 0)
    blocks = [
        block
        for body, found in zip(bodies, read_documents([("", body) for body in bodies]), strict=True)
        if attribute(body, "name") not in ("notes", "comments", "footnotes")
        for block in found
        if block.kind != "anchor"
    ]
    return Book(
        title=one_line((titles or [path.stem])[0]),
        authors=tuple(dict.fromkeys(name for part in info for author in children(part, "author") if (name := _name(author)))),
        language=next(iter(languages), ""),
        year=int(year[1]) if year else None,
        chapters=chapters_of(blocks, heading_starts(blocks), reading),
        cover=cover,
    )


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return path.read_bytes()
    with BookArchive(path, "an FB2 book") as archive:
        members = [name for name in archive.names if name.lower().endswith(".fb2")]
        if not members:
            raise InputError(f"{path.name} holds no FB2 book.")
        return archive.read(members[0])


def _to_html(element: Element, depth: int) -> None:
    name = local_name(element)
    if name in ("title", "subtitle"):
        words = " ".join(" ".join(inner_text(element).split()) for element in (children(element, "p") or [element]))
        for child in list(element):
            element.remove(child)
        element.text = words
        element.tag = f"h{min(_DEEPEST, max(1, depth + (name == 'subtitle')))}"
        return
    if name == "a" and attribute(element, "type") == "note":
        element.set("role", "doc-noteref")
    if name == "section":
        depth += 1
    if name == "binary":
        return
    for child in list(element):
        _to_html(child, depth)
    if name == "v":
        element.tail = f" {element.tail or ''}"
    element.tag = _NAMES.get(name, name)


def _name(author: Element) -> str:
    return one_line(
        " ".join(word for key in ("first-name", "middle-name", "last-name", "nickname") for word in texts(author, key))
    )


def _cover(root: Element) -> bytes:
    images = [image for page in descendants(root, "coverpage") for image in descendants(page, "image")]
    name = attribute(images[0], "href").lstrip("#") if images else ""
    binary = next((found for found in children(root, "binary") if found.get("id") == name), None) if name else None
    if binary is None or len(binary.text or "") > MAX_MEMBER:
        return b""
    try:
        return cover_of(base64.b64decode(binary.text or ""))
    except binascii.Error:
        return b""
