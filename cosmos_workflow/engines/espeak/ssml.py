"""SSML, checked and written anew before the speech library sees it.

The library's own reader isn't an XML parser: it ends a comment at the first ">", and its `audio` element reads files. So
only elements that we know, parsed by a real parser and serialised again, get through.
"""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.parsers import expat

from cosmos_workflow.engines.espeak.voices import parse_voice
from cosmos_workflow.errors import InputError

ELEMENTS = ("speak", "p", "s", "break", "emphasis", "prosody", "say-as", "sub", "voice")


def clean_ssml(text: str) -> str:
    """The same SSML in a form that is safe to speak; a fragment without `<speak>` gets one. Raises InputError."""
    whole = text.lstrip().startswith(("<speak", "<?xml"))
    root = _parse(text.lstrip() if whole else f"<speak>{text}</speak>", 0 if whole else len("<speak>"))
    for element in root.iter():
        _check(element)
    if not "".join(root.itertext()).strip():
        raise InputError("espeak: the SSML holds no text; write words between its tags.")
    return ET.tostring(root, encoding="unicode")


def _parse(text: str, shift: int) -> ET.Element:
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate("UTF-8", "}")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = lambda tag, attributes: builder.start(_local(tag), {_local(k): v for k, v in attributes.items()})
    parser.EndElementHandler = lambda tag: builder.end(_local(tag))
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError as error:
        column = error.offset + 1 - (shift if error.lineno == 1 else 0)
        problem = expat.ErrorString(error.code)
        raise InputError(f"espeak: the SSML is wrong in line {error.lineno}, column {max(1, column)}: {problem}.") from error
    return builder.close()


def _check(element: ET.Element) -> None:
    if element.tag not in ELEMENTS:
        raise InputError(f"espeak: the SSML element <{element.tag}> can't be used; use {', '.join(ELEMENTS)}.")
    name = element.get("name")
    if element.tag == "voice" and name is not None:
        try:
            element.set("name", parse_voice(name))
        except ValueError as error:
            raise InputError(f"espeak: the SSML element <voice>: {error}.") from error
    element.attrib.pop("base", None)


def _local(name: str) -> str:
    # "namespace}lang" -> "xml:lang" is the one prefixed attribute that the library knows.
    space, _, local = name.rpartition("}")
    return "xml:lang" if local == "lang" and space else local


def _refuse_doctype(*_: object) -> None:
    raise InputError("espeak: SSML with a DOCTYPE isn't accepted; leave it out.")
