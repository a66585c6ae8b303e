"""HTML as blocks. EPUB, DOCX, Markdown and FB2 come this way too, each once it is HTML."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from cosmos_workflow.books.reading.archive import resolve
from cosmos_workflow.books.reading.blocks import Block, has_words, tidy
from cosmos_workflow.books.reading.xml import Element, attribute, inner_text, local_name

HEADINGS = {f"h{level}": level for level in range(1, 7)}
NOTE_TYPES = {"footnote", "endnote", "rearnote", "note", "doc-footnote", "doc-endnote"}
REFERENCE_TYPES = {"noteref", "doc-noteref"}
PAGE_TYPES = {"pagebreak", "doc-pagebreak"}
BACKLINK_TYPES = {"backlink", "doc-backlink", "referrer"}
CONTENTS_TYPES = {"toc", "doc-toc", "landmarks", "page-list", "doc-pagelist", "lot", "loi"}

_UNREAD = frozenset(
    re.findall(
        r"\w+",
        "script style head title template svg math iframe object embed audio video canvas form button input select textarea "
        "noscript map rt rp img link meta nav",
    )
)
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "html body p div section article main aside header footer ul ol li dl dt dd blockquote figure center address details "
        "summary fieldset hgroup td th tr",
    )
)
_MARK = re.compile(r"\s*[\[({]?\s*(?:\d{1,4}|[a-zA-Z]|[ivxlc]{1,6}|[*†‡§¶]{1,3})\s*[\])}.]?\s*")
_BACK = re.compile(r"[\s↩↑⇑^⏎\ufe0e\[\]().:\d*†‡§]*|back|return", re.IGNORECASE)
MAX_NOTE = 20_000
"""Characters above which the target of a mark isn't a note."""


def read_documents(trees: Sequence[tuple[str, Element]]) -> Iterator[list[Block]]:
    """The blocks of each of a book's documents, which are given by name. Notes, wherever they stand in the book, come with the
    paragraphs that refer to them."""
    wanted = {_note_target(link, name) for name, root in trees for link in root.iter() if local_name(link) == "a"}
    notes: dict[str, str] = {}
    for name, root in trees:
        _collect(root, name, wanted, notes)
    for name, root in trees:
        yield _blocks_of(root, name, notes)


def _collect(root: Element, document: str, wanted: Collection[str], notes: dict[str, str]) -> None:
    """Take the wanted notes out of a document, by `document#id`."""
    found: dict[str, Element] = {}
    for element in root.iter():
        ident = _ident(element)
        if ident and (key := f"{document}#{ident}") in wanted and key not in found:
            found[key] = _body_of(element)
    for key, body in found.items():
        if _is_note(body):
            notes[key] = _note_text(body)
    for key, body in found.items():
        if key in notes:
            _take_out(body)


def _blocks_of(root: Element, document: str, notes: Mapping[str, str]) -> list[Block]:
    walker = _Walker(document, notes)
    walker.visit(root)
    walker.flush()
    return walker.blocks


def types_of(element: Element) -> set[str]:
    """What an element says it is for: the values of `epub:type` and `role`."""
    if not isinstance(element.tag, str):
        return set()
    return set(f"{attribute(element, 'type') or attribute(element, 'epub:type')} {attribute(element, 'role')}".lower().split())


class _Walker:
    def __init__(self, document: str, notes: Mapping[str, str]) -> None:
        self.blocks: list[Block] = []
        self._document = document
        self._texts = notes
        self._parts: list[str] = []
        self._anchors: list[str] = []
        self._notes: list[str] = []
        self._pages: list[str] = []

    def flush(self) -> None:
        """End the paragraph, if there is one."""
        self._emit("paragraph")

    def visit(self, element: Element) -> None:
        """Take in an element without what follows it."""
        name = local_name(element)
        if not name or _is_hidden(element):
            return
        if ident := _ident(element):
            if name in _BLOCKS or name in HEADINGS:
                self.flush()
            self._anchors.append(ident)
        types = types_of(element)
        target = _note_target(element, self._document) if name == "a" else ""
        if types & PAGE_TYPES:
            self._pages.append(attribute(element, "title") or attribute(element, "aria-label") or inner_text(element))
        elif name in _UNREAD or types & CONTENTS_TYPES:
            return
        elif target in self._texts:
            self._notes.append(self._texts[target])
        elif target and types & REFERENCE_TYPES:
            return  # a mark whose note isn't there
        elif types & NOTE_TYPES and name != "section":
            self._whole(element, "note")
        else:
            self._visit_named(element, name)

    def _visit_named(self, element: Element, name: str) -> None:
        if name in HEADINGS:
            self._whole(element, "heading", HEADINGS[name])
        elif name in ("figcaption", "caption"):
            self._whole(element, "caption")
        elif name in ("table", "pre", "hr"):
            self.flush()
            if name == "table":
                self._table(element)
            else:
                self.blocks.append(Block("break") if name == "hr" else Block("code", inner_text(element)))
        elif name == "br":
            self._parts.append("\n")
        elif name in _BLOCKS:
            self.flush()
            self._inside(element)
            self.flush()
        else:
            self._inside(element)

    def _inside(self, element: Element) -> None:
        self._text(element.text)
        for child in element:
            self.visit(child)
            self._text(child.tail)

    def _text(self, text: str | None) -> None:
        if text:
            self._parts.append(re.sub(r"\s+", " ", text))

    def _whole(self, element: Element, kind: str, level: int = 0) -> None:
        self.flush()
        self._inside(element)
        self._emit(kind, level)

    def _emit(self, kind: str, level: int = 0) -> None:
        text = tidy("".join(self._parts))
        if kind in ("heading", "caption"):
            text = " ".join(text.split())
        self._parts.clear()
        self.blocks.extend(Block("anchor", anchor) for anchor in self._anchors)
        self._anchors.clear()
        if text and not has_words(text) and kind == "paragraph":
            self.blocks.append(Block("break"))  # "* * *"
        elif text or self._notes:
            self.blocks.append(Block(kind, text, level, tuple(self._notes)))  # type: ignore[arg-type]
            self._notes.clear()
        self.blocks.extend(
            Block("page", f"{page}." if page.isalpha() else f"Page {page}.") for page in map(_page, self._pages) if page
        )
        self._pages.clear()

    def _table(self, table: Element) -> None:
        for caption in [child for child in table if local_name(child) == "caption"]:
            self.visit(caption)
        rows = [
            ", ".join(cell for part in row if local_name(part) in ("td", "th") and (cell := " ".join(inner_text(part).split())))
            for row in table.iter()
            if local_name(row) == "tr"
        ]
        cells = [row.rstrip(".") + "." for row in rows if has_words(row)]
        if cells:
            self.blocks.append(Block("table", "\n".join(cells)))


def _page(label: str) -> str:
    return " ".join(re.sub(r"^(?:page|seite|p\.)\s*", "", label.strip(), flags=re.IGNORECASE).split())


def _ident(element: Element) -> str:
    if not isinstance(element.tag, str):
        return ""
    return element.get("id") or (element.get("name") or "" if local_name(element) == "a" else "")


def _note_target(link: Element, document: str) -> str:
    """`document#id` of the note that a link refers to; empty for any other link."""
    href = attribute(link, "href")
    file, _, ident = href.partition("#")
    member = resolve(document, href)
    types = types_of(link)
    if not ident or (file and not member) or types & BACKLINK_TYPES:
        return ""
    if not types & REFERENCE_TYPES:
        raised = local_name(link.getparent()) == "sup" if link.getparent() is not None else False
        raised = raised or any(local_name(child) == "sup" for child in link) or "[" in inner_text(link)
        if not raised or not _MARK.fullmatch(inner_text(link)):
            return ""
    return f"{member}#{ident}"


def _body_of(element: Element) -> Element:
    """The note that an element begins: itself, or the paragraph or entry of a list around it."""
    while local_name(element) in ("a", "span", "sup", "b", "strong", "em", "i", "small") and element.getparent() is not None:
        element = element.getparent()
    parent = element.getparent()
    if local_name(element) == "p" and parent is not None and (local_name(parent) == "li" or types_of(parent) & NOTE_TYPES):
        return parent
    return element


def _is_note(body: Element) -> bool:
    name = local_name(body)
    return name not in (*HEADINGS, "body", "html", "section", "article") and len(inner_text(body)) <= MAX_NOTE


def _note_text(body: Element) -> str:
    for link in [link for link in body.iter() if local_name(link) == "a"]:
        if types_of(link) & BACKLINK_TYPES or ("#" in attribute(link, "href") and _BACK.fullmatch(inner_text(link))):
            _take_out(link)
    text = "\n".join(block.text for block in _blocks_of(body, "", {}) if block.text and block.kind != "anchor")
    return re.sub(r"^[\[(]?(?:\d{1,4}|[*†‡§¶]{1,3})[\])]?[.:]?\s+", "", text)


def _take_out(element: Element) -> None:
    """Remove an element and leave the text behind it."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def _is_hidden(element: Element) -> bool:
    return element.get("hidden") is not None or "display:none" in (element.get("style") or "").replace(" ", "").lower()


def meta(root: Element, names: Collection[str]) -> str:
    """The content of the first of these `meta` elements."""
    found = {
        (element.get("name") or "").lower(): element.get("content") or ""
        for element in root.iter()
        if local_name(element) == "meta"
    }
    return next((value for name in names if (value := found.get(name, "").strip())), "")
