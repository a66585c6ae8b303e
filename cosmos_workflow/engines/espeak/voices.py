"""The voices of the installed espeakng-loader wheel, read from its data files; the library itself isn't loaded."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from cosmos_workflow.engines.spec import Availability
from cosmos_workflow.errors import install

_READERS: dict[str, frozenset[str]] = {
    script: frozenset(dictionaries.split())
    for script, dictionaries in {
        "ARABIC": "ar fa sd ug ur",
        "CJK": "cmn hak yue",
        "CYRILLIC": "ba be bg bs cv hr ka kk ky lfn lv mk nog ru sr tt uk uz",
        "ETHIOPIC": "am",
        "HEBREW": "he",
        "HIRAGANA": "ja",
        "KATAKANA": "ja",
        "MYANMAR": "my",
        "THAI": "th",
    }.items()
}
"""Scripts that only these dictionaries of the library read; every other voice says the name of each letter ("Chinese letter").

Measured on the wheel: a sentence takes three to fifteen times as long where letters are named.
"""


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice: its `id` is what a job file says, `name` what a person reads, `tags` its language tags, `dictionary` its words."""

    id: str
    name: str
    tags: tuple[str, ...]
    dictionary: str


def package_folder() -> Path | None:
    """The folder of the espeakng-loader wheel; None where it isn't installed."""
    spec = find_spec("espeakng_loader")
    return Path(spec.origin).parent if spec and spec.origin else None


def library_path() -> Path | None:
    """The speech library inside the wheel; None where it isn't there."""
    folder = package_folder()
    if folder is None:
        return None
    names = ("libespeak-ng.so", "libespeak-ng.dylib", "espeak-ng.dll")
    return next((folder / name for name in names if (folder / name).is_file()), None)


NO_LIBRARY = Availability(False, "The speech library isn't installed.", f"Run {install('espeakng-loader')}.")


@cache
def voices() -> dict[str, Voice]:
    """Every voice that can speak by its id (the file's name in small letters, e.g. "en-us"), sorted."""
    folder = package_folder()
    if folder is None:
        return {}
    data = folder / "espeak-ng-data"
    files = sorted((file for file in (data / "lang").rglob("*") if file.is_file()), key=lambda file: file.name.lower())
    read = [_read(file) for file in files]
    # The wheel has a few voices without a dictionary: they are silent.
    return {voice.id: voice for voice in read if (data / f"{voice.dictionary}_dict").is_file()}


@cache
def variants() -> dict[str, str]:
    """Speakers that any voice can take on, as `voice+variant`: their names by the same in small letters, sorted."""
    folder = package_folder()
    names = sorted(file.name for file in (folder / "espeak-ng-data" / "voices" / "!v").iterdir()) if folder else ()
    return {name.casefold(): name for name in names}


def suggestions() -> tuple[str, ...]:
    """What a form offers: each voice as it is, as a woman and as a man. Every other `voice+variant` is accepted too."""
    return tuple(f"{voice}{variant}" for voice in voices() for variant in ("", "+f2", "+m3"))


def parse_voice(value: str) -> str:
    """A voice as the library takes it, e.g. "en-us+f2"; raises ValueError with a sentence that names near matches."""
    base, plus, variant = value.strip().partition("+")
    known = base.casefold()
    if known not in voices():
        raise ValueError(f"{value!r} isn't a voice; {_hint(known)}")
    if not plus:
        return known
    speakers, speaker = variants(), variant.casefold()
    if speaker not in speakers:
        near = difflib.get_close_matches(speaker, speakers, n=3) or ["f2", "m3", "whisper"]
        close = ", ".join(f"{base}+{speakers[name]}" for name in near)
        raise ValueError(f"{value!r} has no such variant; use for example {close}")
    return f"{known}+{speakers[speaker]}"


KnownVoice = Annotated[str, AfterValidator(parse_voice)]
"""A parameter that takes a voice: any way to write it becomes the library's own."""


def unread_script(text: str, voice: str) -> str:
    """The script, as Unicode names it, that most letters of `text` are in and this voice can't read; empty where it can."""
    if text.isascii():
        return ""
    base = voices().get(voice.partition("+")[0])
    letters: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        if letter.isalpha():
            letters[_script_of(letter)] += count
    if base is None or not letters:
        return ""
    unread = {
        script: count for script, count in letters.items() if base.dictionary not in _READERS.get(script, {base.dictionary})
    }
    return max(unread, key=lambda script: unread[script]) if sum(unread.values()) * 2 > letters.total() else ""


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    return unicodedata.name(letter, "").partition(" ")[0]


def readers(script: str) -> tuple[str, ...]:
    """The voices that read a script."""
    return tuple(voice.id for voice in voices().values() if voice.dictionary in _READERS.get(script, ()))


@lru_cache(maxsize=256)
def _hint(wrong: str) -> str:
    known = voices()
    language = wrong.replace("_", "-").partition("-")[0]
    meant = [voice.id for voice in known.values() if wrong in voice.tags]
    meant += [voice.id for voice in known.values() if len(wrong) > 2 and voice.name.casefold().startswith(wrong)]
    near = difflib.get_close_matches(wrong, known, n=3, cutoff=0.6)
    near += [name for name in known if name.partition("-")[0] == language]
    found = list(dict.fromkeys(meant or near))[:4]
    if not found:
        return "use a language, with a speaker if you like: en-us, de, fr, en-us+f2"
    return f"near it are {', '.join(f'{name} ({known[name].name})' for name in found)}"


def _read(file: Path) -> Voice:
    lines = [line.partition(" ")[::2] for line in file.read_text(encoding="utf-8").splitlines()]
    values = {key: value.split("//")[0].strip() for key, value in reversed(lines)}
    tags = [value.split()[0].casefold() for key, value in lines if key == "language"]
    dictionary = values.get("dictionary", tags[0].partition("-")[0])
    return Voice(file.name.lower(), values.get("name", file.name), tuple(tags), dictionary)
