"""What some languages need before they are read: vowel points, stress marks, kana, words. Without them speech is gibberish.

The package passes over what isn't installed or fails; here such a text is refused, before it is queued where that can be told
without importing anything, else where it is made.
"""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from cosmos_workflow.errors import InputError

CANGJIE = "Cangjie5_TC.json"
SEGMENTER = "spacy_ontonotes"

_MODULES = {
    "he": ("dicta_onnx", "dicta-onnx"),
    "ja": ("pykakasi", "pykakasi"),
    "ru": ("russian_text_stresser", "russian-text-stresser, from github.com/Vuizur/add-stress-to-epub"),
    "zh": ("spacy_pkuseg", "spacy-pkuseg"),
}
_NEEDS = {
    "he": "Hebrew is read with its vowel points, and these words have none; install {}, which writes them, or write them "
    "into the text.",
    "ja": "Japanese is read in kana, and this text has kanji; install {}, which writes them so.",
    "ru": "Russian is read with its stress marks, and these words have none; install {}, which writes them, or put the sign "
    "U+0301 behind the vowels that are stressed.",
    "zh": "Chinese is read word by word; install {}, which finds the words.",
}
_HEBREW, _POINTS = re.compile("[\u05d0-\u05ea]{2}"), re.compile("[\u05b0-\u05bc\u05c1\u05c2\u05c7]")
_KANJI = re.compile("[\u4e00-\u9fff]")
_RUSSIAN_WORD = re.compile("[\u0400-\u04ff\u0300-\u036f]+")
_RUSSIAN_VOWELS = re.compile("[аеиоуыэюяё]", re.IGNORECASE)
_STRESSED = re.compile("[\u0301ёЁ]|е\u0308")  # noqa: RUF001


def is_readable(language: str, text: str) -> bool:
    """Whether a text has what the model needs to read it in this language, as it is written."""
    match language:
        case "he":
            return not _HEBREW.search(text) or bool(_POINTS.search(text))
        case "ja":
            return not _KANJI.search(text)
        case "ru":
            long = any(len(_RUSSIAN_VOWELS.findall(word)) > 1 for word in _RUSSIAN_WORD.findall(text))
            return not long or bool(_STRESSED.search(text))
        case _:
            return True


def unreadable(language: str) -> InputError:
    """That a text can't be read as it is, and what to install."""
    return InputError(f"chatterbox: {_NEEDS[language].format(_MODULES[language][1])}")


def check_front_end(language: str, text: str, folder: Path | None) -> None:
    """Raise InputError where what a text in this language needs isn't on this machine; `folder` holds the model's files."""
    if language not in _MODULES or (language != "zh" and is_readable(language, text)):
        return
    if find_spec(_MODULES[language][0]) is None:
        raise unreadable(language)
    if language == "zh":
        check_chinese(folder)


def check_chinese(folder: Path | None) -> None:
    """Raise InputError where a table or a model that Chinese needs isn't on this machine: neither is fetched unasked."""
    if folder is not None and not (folder / CANGJIE).is_file():
        raise InputError(
            f"chatterbox: Chinese needs {CANGJIE} beside the weights; fetch the weights of the multilingual variant again."
        )
    if not Path(os.environ.get("PKUSEG_HOME", "~/.pkuseg")).expanduser().joinpath(SEGMENTER).is_dir():
        raise InputError(
            "chatterbox: Chinese needs pkuseg's model, which isn't on this machine; run `python -c 'import spacy_pkuseg; "
            "spacy_pkuseg.pkuseg()'` once while online."
        )
