"""What a player shows of a book, as each container has it."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cosmos_workflow.media import timecode

_THREE_LETTERS = {
    "ar": "ara", "bg": "bul", "ca": "cat", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa",
    "et": "est", "fa": "fas", "fi": "fin", "fr": "fra", "he": "heb", "hi": "hin", "hr": "hrv", "hu": "hun", "id": "ind",
    "it": "ita", "ja": "jpn", "ko": "kor", "la": "lat", "lt": "lit", "lv": "lav", "nb": "nob", "nl": "nld", "no": "nor",
    "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk", "sl": "slv", "sr": "srp", "sv": "swe", "tr": "tur",
    "uk": "ukr", "vi": "vie", "zh": "zho",
}  # fmt: skip
"""ISO 639-1 to ISO 639-2, which containers use."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What is said of a file. `part` is its place among the files of the book and their number, None for the whole book."""

    title: str
    authors: tuple[str, ...] = ()
    narrator: str = ""
    language: str = ""
    year: int | None = None
    chapter: str = ""
    part: tuple[int, int] | None = None
    cover: bytes = b""

    @property
    def three_letters(self) -> str:
        """The language as ISO 639-2; empty where it isn't known."""
        code = self.language.partition("-")[0]
        return _THREE_LETTERS.get(code, code if len(code) == 3 else "")


def metadata_of(tags: Tags, container: str, chapters: Sequence[tuple[str, float, float]] = ()) -> dict[str, str]:
    """The tags by libav's names. Audiobook players take the composer for the narrator.

    Ogg and FLAC have their chapters among them, as the chapter extension of VorbisComment writes them: libav writes none into
    FLAC, and rounds those of Ogg to a wrong second.
    """
    authors = ", ".join(tags.authors)
    told = {
        "title": tags.chapter or tags.title,
        "album": tags.title,
        "artist": authors,
        "album_artist": authors,
        "composer": tags.narrator,
        "date": str(tags.year) if tags.year else "",
        "genre": "Audiobook",
        "track": f"{tags.part[0]}/{tags.part[1]}" if tags.part else "",
    }
    if container == "mp4":
        told["media_type"] = "2"  # an audiobook
    else:
        told["language"] = tags.three_letters
    if container == "ogg" and tags.cover:
        told["METADATA_BLOCK_PICTURE"] = base64.b64encode(_picture(tags.cover)).decode("ascii")
    if container in ("ogg", "flac"):
        for number, (title, start, _) in enumerate(chapters, 1):
            told |= {f"CHAPTER{number:03d}": timecode(start), f"CHAPTER{number:03d}NAME": title}
    return {key: value for key, value in told.items() if value}


def chapter_list(chapters: Sequence[tuple[str, float, float]]) -> list[Mapping[str, object]]:
    """Chapters, each with its title, its start and its end in seconds, as libav has them."""
    from fractions import Fraction

    return [
        {
            "id": number,
            "start": round(start * 1000),
            "end": round(end * 1000),
            "time_base": Fraction(1, 1000),
            "metadata": {"title": title},
        }
        for number, (title, start, end) in enumerate(chapters)
    ]


def _picture(jpeg: bytes) -> bytes:
    """A front cover as FLAC's picture block (RFC 9639, 8.8), which Ogg files have in a comment; its size may be left 0."""
    kind = b"image/jpeg"
    return struct.pack(">II", 3, len(kind)) + kind + struct.pack(">IIIIII", 0, 0, 0, 0, 0, len(jpeg)) + jpeg
