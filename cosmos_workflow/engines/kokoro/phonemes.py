"""Text to the model's phonemes: the words by the speech library in a process of its own, punctuation and IPA as they are."""

# ruff: noqa: RUF001 - quotation marks and dashes of many scripts

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cosmos_workflow.engines.kokoro import phonemes_process
from cosmos_workflow.engines.kokoro.vocabulary import MAX_TOKENS, TOKENS, to_symbols
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.gpu_dispatch.process import describe_exit

_LIBRARY_VOICES = {"en-us": "en-us", "en-gb": "en", "es": "es", "fr": "fr", "hi": "hi", "it": "it", "pt-br": "pt-br"}
_SECONDS = 60.0
"""How long the speech library may take for an item; it needs a hundredth of a second."""

# The model knows these marks and none else.
_ALIKE = str.maketrans({"«": "“", "»": "”", "„": "“", "‟": "”", "’": "'", "‘": "'", "–": "—", "\u00a0": " ", "\0": " "})
_IPA = r"\[[^\[\]\n]*\]\(/(?P<ipa>[^/\n]+)/\)"
# A full stop or comma inside a number or a word isn't punctuation.
_MARK = r'[;:!?—…"()“”]|[.,](?!\w)'
_PART = re.compile(rf"{_IPA}|(?P<mark>{_MARK})")
_LETTER = re.compile(r"\w")
_BREAKS = (re.compile(r"[.!?…]+[\"”)]*\s"), re.compile(r"[;:,—]+[\"”)]*\s"), re.compile(r"\s"))


def phonemes_of(text: str, language: str, library: Path) -> str:
    """The symbols of a text, each in `TOKENS`. `[word](/ipa/)` gives a word's own IPA.

    Raises InputError where nothing in it can be spoken.
    """
    parts = list(_parts(text.replace("--", "—").translate(_ALIKE)))
    texts = [part for part, kind in parts if kind == "text" and _LETTER.search(part)]
    spoken = iter(_ask(texts, language, library)) if texts else iter(())
    symbols = ""
    for part, kind in parts:
        if kind == "text" and _LETTER.search(part):
            symbols += f"{' ' * part[0].isspace()}{to_symbols(next(spoken), language)}{' ' * part[-1].isspace()}"
        elif kind == "ipa":
            symbols += "".join(symbol for symbol in part if symbol in TOKENS)
        else:
            symbols += " " if part.isspace() else part if kind == "mark" else " "
    symbols = " ".join(symbols.split())
    if not _LETTER.search(symbols):
        raise InputError("kokoro: the text holds nothing that can be spoken; write words.")
    return symbols


def split_symbols(symbols: str, most: int = MAX_TOKENS) -> list[str]:
    """Symbols in parts that the model reads at once, cut behind a sentence where that halves them well, else behind a clause or
    a word. Nothing but white space is lost."""
    if len(symbols) <= most:
        return [symbols]
    parts = -(-len(symbols) // most)
    ideal = len(symbols) / parts
    for pattern in _BREAKS:
        places = [match.end() for match in pattern.finditer(symbols) if ideal / 2 <= match.end() <= most]
        if places:
            place = min(places, key=lambda end: abs(end - ideal))
            return [symbols[:place].strip(), *split_symbols(symbols[place:].strip(), most)]
    return [symbols[:most], *split_symbols(symbols[most:], most)]


def _parts(text: str) -> Iterator[tuple[str, str]]:
    start = 0
    for match in _PART.finditer(text):
        if match.start() > start:
            yield text[start : match.start()], "text"
        yield (match["ipa"], "ipa") if match["ipa"] else (match["mark"], "mark")
        start = match.end()
    if start < len(text):
        yield text[start:], "text"


def _ask(texts: list[str], language: str, library: Path) -> list[str]:
    """The IPA of each text. A fresh process each time: what the library said before can't change what it says now."""
    task = {"library": str(library), "data": str(library.parent), "voice": _LIBRARY_VOICES[language], "texts": texts}
    # -I and -S: nothing of the user's environment gets in, and it starts in half the time.
    command = [sys.executable, "-I", "-S", phonemes_process.__file__]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command, input=json.dumps(task).encode(), capture_output=True, timeout=_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise WorkflowError(f"kokoro: the speech library hung for {_SECONDS:g} seconds and was ended; try again.") from error
    if not done.stdout:
        raise WorkflowError(f"kokoro: {describe_exit(done.returncode, 'the process that finds phonemes')}; try again.")
    answer: dict[str, Any] = json.loads(done.stdout)
    if "error" in answer:
        raise WorkflowError(f"kokoro: {answer['error']}.")
    return answer["phonemes"]
