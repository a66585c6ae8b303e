"""XML and HTML of strangers as trees, by lxml: no entity is expanded, no DTD is loaded, nothing is fetched."""

from __future__ import annotations

import html
import re
from typing import Any

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - a compiled module without types

from cosmos_workflow.errors import InputError

Element = Any
"""An element of lxml, which has no types of its own."""

_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_XML_OWN = {b"amp", b"lt", b"gt", b"quot", b"apos"}


def parse_xml(content: bytes, name: str) -> Element:
    """The root of an XML document that may be slightly broken; raises InputError where there is none."""
    for recover in (False, True):
        root = _parsed_xml(content, recover)
        if root is not None:
            return root
    raise InputError(f"{name} is damaged: it isn't XML; get the book anew.")


def parse_html(content: bytes | str) -> Element | None:
    """The root of an HTML or XHTML document, however broken; None where there is nothing in it."""
    raw = content.encode() if isinstance(content, str) else content
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<html xmlns", b"<!DOCTYPE html PUBLIC")):
        root = _parsed_xml(raw)
        if root is not None:
            return root  # else it isn't what it says it is: read as browsers do
    encoding = "utf-8" if _is_utf8(raw) else None
    parser = etree.HTMLParser(no_network=True, recover=True, remove_comments=True, remove_pis=True, encoding=encoding)
    try:
        # Without its declaration, since this parser would take it for text.
        return etree.fromstring(re.sub(rb"^\s*<\?xml[^>]*>", b"", raw.lstrip(b"\xef\xbb\xbf")), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _parsed_xml(content: bytes, recover: bool = False) -> Element | None:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, recover=recover, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(_without_names(content), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def local_name(element: Element) -> str:
    """An element's name without its namespace, in small letters; empty for what is no element."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def children(element: Element, *names: str) -> list[Element]:
    """The children of these names, whatever their namespace."""
    return [child for child in element if local_name(child) in names]


def descendants(element: Element, *names: str) -> list[Element]:
    """All elements below of these names, in their order."""
    return [child for child in element.iter() if local_name(child) in names]


def attribute(element: Element, name: str) -> str:
    """The value of an attribute, whatever its namespace; empty where it isn't there."""
    plain = element.get(name)
    if plain is not None:
        return plain
    return next((value for key, value in element.attrib.items() if re.split("[}:]", key)[-1] == name), "")


def inner_text(element: Element) -> str:
    """All text below an element."""
    return "".join(element.itertext())


def texts(element: Element, name: str) -> list[str]:
    """What is in the elements of this name below, each on one line, without empty ones."""
    return [text for found in descendants(element, name) if (text := " ".join(inner_text(found).split()))]


def _without_names(content: bytes) -> bytes:
    """The names that HTML gives to signs (&nbsp;) as numbers, which XML knows too."""

    def number(found: re.Match[bytes]) -> bytes:
        if found[1] in _XML_OWN:
            return found[0]
        sign = html.unescape(found[0].decode("ascii"))
        return found[0] if sign.startswith("&") else "".join(f"&#{ord(letter)};" for letter in sign).encode("ascii")

    return _ENTITY.sub(number, content)


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
