"""A list of words that are said otherwise than they are written: respelt, or in IPA between slashes.

As text, the way a form and a queue item keep it, it has a line for each word: "GIF: jif", "Nguyen: /nwin/".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cosmos_workflow.engines.speech_text.marks import IPA, PAUSE

MAX_ENTRIES = 2_000
MAX_WORD = 120


def parse_list(value: object) -> dict[str, str]:
    """The words with what is said for them, from a mapping or from text; raises ValueError with a sentence."""
    pairs = list(value.items()) if isinstance(value, Mapping) else [_pair(line) for line in _lines(value)]
    found: dict[str, str] = {}
    for word, said in pairs:
        if not isinstance(word, str) or not isinstance(said, str):
            raise ValueError(
                f"{word}: {said!r} isn't right; write a word and how it is said, both in quotes where they are numbers"
            )
        name, respelt = " ".join(word.split()), " ".join(said.split())
        if not name or not respelt or len(name) > MAX_WORD or len(respelt) > MAX_WORD or "[" in name + respelt:
            raise ValueError(f"{name or said!r} isn't right; write a word and how it is said, such as GIF: jif or Nguyen: /nwin/")
        if respelt.startswith("/") and not re.fullmatch(r"/[^/]+/", respelt):
            raise ValueError(f"{name}: {respelt!r} isn't IPA; write it between two slashes, such as /nwin/")
        found[name] = respelt
    if len(found) > MAX_ENTRIES:
        raise ValueError(f"the list holds {len(found):,} words; use at most {MAX_ENTRIES:,}")
    return found


def as_text(entries: Mapping[str, str]) -> str:
    """A list as text, sorted: equal lists are equal texts."""
    return "\n".join(f"{word}: {said}" for word, said in sorted(entries.items()))


def pronounce(text: str, entries: Mapping[str, str]) -> str:
    """The text with the words of a list respelt; one with IPA becomes `[word](/ipa/)`.

    Whole words only. The longest entry wins; one in small letters also stands for the word at a sentence's beginning, and in
    capitals only where no other entry is written so.
    """
    if not entries:
        return text
    words = sorted(entries, key=len, reverse=True)
    by_case = {word.casefold(): word for word in reversed(words)}
    pattern = re.compile(
        rf"{IPA.pattern}|{PAUSE.pattern}|(?<!\w)(?P<entry>{'|'.join(re.escape(word) for word in words)})(?!\w)", re.IGNORECASE
    )

    def respelt(match: re.Match[str]) -> str:
        found = match["entry"]
        if not found:
            return match[0]
        word = found if found in entries else by_case[found.casefold()]
        # "US" in a list isn't the word "us".
        if found != word and not (word.islower() or word.istitle()):
            return found
        said = entries[word]
        return f"[{found}](/{said.strip('/')}/)" if said.startswith("/") else said

    return pattern.sub(respelt, text)


def merged(farther: str, nearer: str, ipa: bool = True) -> str:
    """Two lists as text in one, the nearer entry of a word winning; without `ipa`, the farther one's words in IPA stay out."""
    entries = {word: said for word, said in parse_list(farther).items() if ipa or not said.startswith("/")}
    return as_text({**entries, **parse_list(nearer)})


def ipa_words(entries: Mapping[str, str]) -> list[str]:
    """The words of a list that are given in IPA."""
    return [word for word, said in entries.items() if said.startswith("/")]


def _lines(value: object) -> list[str]:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} isn't a list of words; write one a line, such as GIF: jif")
    return [line for line in value.splitlines() if line.strip()]


def _pair(line: str) -> tuple[str, str]:
    word, colon, said = line.partition(":")
    if not colon:
        raise ValueError(f"{line.strip()!r} isn't right; write the word, a colon and how it is said, such as GIF: jif")
    return word, said
