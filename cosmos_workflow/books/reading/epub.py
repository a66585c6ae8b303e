"""EPUB 2 and 3: the spine in its order, chapters as its table of contents has them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cosmos_workflow.books.book import Book, Reading
from cosmos_workflow.books.reading.archive import BookArchive, resolve
from cosmos_workflow.books.reading.blocks import Block, Start, chapters_of, heading_starts, one_line
from cosmos_workflow.books.reading.cover import cover_of
from cosmos_workflow.books.reading.html import CONTENTS_TYPES, read_documents, types_of
from cosmos_workflow.books.reading.xml import (
    Element,
    attribute,
    children,
    descendants,
    inner_text,
    local_name,
    parse_html,
    parse_xml,
    texts,
)
from cosmos_workflow.errors import InputError

_FONT_KEYS = {"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"}
_LOCKS = {"META-INF/rights.xml": "Adobe", "META-INF/sinf.xml": "Apple", "META-INF/license.lcpl": "Readium LCP"}
MAX_DEPTH = 20
"""Levels of a table of contents that are followed."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the table of contents."""

    title: str
    document: str
    ident: str


@dataclass(slots=True)
class _Package:
    """What the package document says."""

    root: Element
    path: str
    archive: BookArchive
    manifest: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """By id: the member, its type, its properties."""

    def __post_init__(self) -> None:
        for item in descendants(self.root, "item"):
            member = resolve(self.path, item.get("href") or "")
            self.manifest[item.get("id") or ""] = (member, item.get("media-type") or "", item.get("properties") or "")

    def spine(self, *, aside: bool = False) -> list[str]:
        """The documents that are read, in their order, or those that stand `aside` of it: notes may be in there."""
        refs = [ref for ref in descendants(self.root, "itemref") if (ref.get("linear") == "no") == aside]
        members = (self.manifest.get(ref.get("idref") or "", ("", "", ""))[0] for ref in refs)
        return list(dict.fromkeys(member for member in members if member in self.archive))

    @property
    def navigation(self) -> str:
        """The navigation document of EPUB 3."""
        return next((member for member, _, properties in self.manifest.values() if "nav" in properties.split()), "")

    def entries(self) -> list[_Entry]:
        """The table of contents: that of EPUB 3, else that of EPUB 2."""
        if self.navigation in self.archive:
            root = parse_html(self.archive.read(self.navigation))
            navs = descendants(root, "nav") if root is not None else []
            tables = [nav for nav in navs if "toc" in types_of(nav) or "doc-toc" in types_of(nav)] or navs[:1]
            if found := [entry for nav in tables for entry in self._nav(nav, 0)]:
                return found
        ncx = next((member for member, kind, _ in self.manifest.values() if kind == "application/x-dtbncx+xml"), "")
        if ncx in self.archive:
            maps = descendants(parse_xml(self.archive.read(ncx), ncx), "navmap")
            return [entry for table in maps for entry in self._ncx(table, ncx, 1)]
        return []

    def _nav(self, element: Element, level: int) -> Iterator[_Entry]:
        if level > MAX_DEPTH:
            return
        for child in element:
            name = local_name(child)
            if name == "a" and level:
                yield self._entry(inner_text(child), self.navigation, child.get("href") or "")
            elif name:
                yield from self._nav(child, level + (name == "ol"))

    def _ncx(self, element: Element, ncx: str, level: int) -> Iterator[_Entry]:
        for point in children(element, "navpoint") if level <= MAX_DEPTH else ():
            labels = [inner_text(label) for label in children(point, "navlabel")]
            source = next((found.get("src") or "" for found in children(point, "content")), "")
            yield self._entry(labels[0] if labels else "", ncx, source)
            yield from self._ncx(point, ncx, level + 1)

    def _entry(self, title: str, base: str, reference: str) -> _Entry:
        document = resolve(base, reference) if reference else ""
        return _Entry(one_line(title), document, reference.partition("#")[2])

    def cover(self) -> bytes:
        """The picture that the book names as its cover, as it is in there; b"" for none."""
        named = next((meta.get("content") or "" for meta in descendants(self.root, "meta") if meta.get("name") == "cover"), "")
        candidates = [
            *(member for member, _, properties in self.manifest.values() if "cover-image" in properties.split()),
            self.manifest.get(named, ("", "", ""))[0],
            *(
                member
                for ident, (member, kind, _) in self.manifest.items()
                if kind.startswith("image/") and "cover" in f"{ident} {member.rpartition('/')[2]}".lower()
            ),
        ]
        member = next((candidate for candidate in candidates if candidate in self.archive), "")
        return self.archive.read(member) if member else b""


def read_epub(path: Path, reading: Reading) -> Book:
    """An EPUB; raises InputError where it is damaged, protected or harmful."""
    with BookArchive(path, "an EPUB") as archive:
        _check_protection(path, archive)
        package = _package(path, archive)
        entries = package.entries()
        blocks, places = _read_spine(package)
        chapters = chapters_of(blocks, _starts(entries, places, blocks), reading)
        if not chapters:
            raise InputError(f"{path.name} holds no text that can be read; it may be a book of pictures.")
        # The earliest: that of its publication, not that of the file.
        years = [int(year) for year in re.findall(r"\b(1[0-9]{3}|20[0-9]{2})\b", " ".join(texts(package.root, "date")))]
        return Book(
            title=one_line((texts(package.root, "title") or [path.stem])[0]),
            authors=tuple(dict.fromkeys(one_line(author) for author in _authors(package))),
            language=next(iter(texts(package.root, "language")), ""),
            year=min(years, default=None),
            chapters=chapters,
            cover=cover_of(package.cover()),
        )


def _check_protection(path: Path, archive: BookArchive) -> None:
    maker = next((maker for member, maker in _LOCKS.items() if member in archive), "")
    if "META-INF/encryption.xml" in archive:
        root = parse_xml(archive.read("META-INF/encryption.xml"), path.name)
        methods = {method.get("Algorithm") or "" for method in descendants(root, "encryptionmethod")}
        locked = bool(methods - _FONT_KEYS)
        maker = (maker or "its seller") if locked else ""
    elif maker != "Readium LCP":
        maker = ""  # a licence beside text that isn't encrypted keeps nobody from reading it
    if maker:
        raise InputError(f"{path.name} is protected ({maker}'s DRM), so its text can't be read; use a copy without protection.")


def _package(path: Path, archive: BookArchive) -> _Package:
    if "META-INF/container.xml" not in archive:
        raise InputError(f"{path.name} isn't an EPUB: META-INF/container.xml is missing in it.")
    root = parse_xml(archive.read("META-INF/container.xml"), path.name)
    members = [found.get("full-path") or "" for found in descendants(root, "rootfile")]
    member = next((member for member in members if member in archive), "")
    if not member:
        raise InputError(f"{path.name} is damaged: it names no package document that is in it.")
    return _Package(parse_xml(archive.read(member), path.name), member, archive)


def _authors(package: _Package) -> Iterator[str]:
    roles = {
        (meta.get("refines") or "").lstrip("#"): inner_text(meta).strip()
        for meta in descendants(package.root, "meta")
        if meta.get("property") == "role"
    }
    for creator in descendants(package.root, "creator"):
        role = attribute(creator, "role") or roles.get(creator.get("id") or "", "aut")
        name = " ".join(inner_text(creator).split())
        if role == "aut" and name:
            yield name


def _read_spine(package: _Package) -> tuple[list[Block], dict[tuple[str, str], int]]:
    """All blocks in order, and the place of each document ("" for its id) and of each anchor."""
    spine = [member for member in package.spine() if member != package.navigation]
    parsed = ((document, parse_html(package.archive.read(document))) for document in [*spine, *package.spine(aside=True)])
    trees = [(document, root) for document, root in parsed if root is not None]
    blocks: list[Block] = []
    places: dict[tuple[str, str], int] = {}
    for (document, root), found in zip(trees, read_documents(trees), strict=True):
        if document not in spine or any(types_of(body) & CONTENTS_TYPES for body in descendants(root, "body")):
            continue
        places[document, ""] = len(blocks)
        for block in found:
            if block.kind == "anchor":
                places.setdefault((document, block.text), len(blocks))
            else:
                blocks.append(block)
    return blocks, places


def _starts(entries: Sequence[_Entry], places: dict[tuple[str, str], int], blocks: Sequence[Block]) -> list[Start]:
    """Where the chapters begin: as the table of contents has it, by headings without one, else a chapter a document."""
    found: dict[int, str] = {}
    documents: dict[int, str] = {}
    for entry in entries:
        place = places.get((entry.document, entry.ident), places.get((entry.document, "")))
        if place is None or not (entry.title or entry.ident):
            continue
        # Two names of one place are one title; a document without words, such as a cover, is no chapter and gives none.
        earlier = found.get(place) if documents.get(place) == entry.document else None
        documents[place] = entry.document
        found[place] = one_line(f"{earlier}: {entry.title}" if earlier not in (None, entry.title) else entry.title)
    if not found:
        starts = heading_starts(blocks)
        if len(starts) > 1:
            return starts
        found = {place: "" for (_, ident), place in places.items() if not ident}
    return [Start(place, found[place]) for place in sorted(found)]
