"""Pieces put together: one sound with its pauses and its loudness, and subtitles beside it.

A final is never overwritten: each gets the next number, and counts from the moment its description (`.json`) is there.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.files import Disk
from cosmos_workflow.ids import digest
from cosmos_workflow.jobs.document.schema import Audio, Subtitles
from cosmos_workflow.jobs.speech.chunks import Chunk, Piece
from cosmos_workflow.jobs.speech.subtitles import Cue, cues_of, subrip, webvtt
from cosmos_workflow.media import write_sound


@dataclass(frozen=True, slots=True)
class Final:
    """A task's finished sound. `state` tells which pieces and settings it was made of; `starts` when each piece begins.

    `written` says which subtitles lie beside it; `note` is empty, or says in a sentence what a listener should know (it is
    quieter than asked for). `timed` says whether the times of words in it were measured.
    """

    number: int
    path: Path
    written: Subtitles
    seconds: float
    state: str
    starts: tuple[float, ...]
    runs: tuple[str, ...]
    note: str
    created_at: float
    timed: bool = False

    @property
    def subtitles(self) -> Path:
        """Its subtitles; those in SubRip, where there are two."""
        return self.path.with_suffix(f".{_suffixes(self.written)[0]}")

    @property
    def files(self) -> dict[str, Path]:
        """Its sound, and its subtitles unless somebody deleted them, by their keys: "vtt" is the second of two."""
        files = {"audio": self.path, "subtitles": self.subtitles}
        if self.written.format == "both":
            files["vtt"] = self.path.with_suffix(".vtt")
        return {key: path for key, path in files.items() if path.is_file()}


def final_state(pieces: Sequence[Piece], audio: Audio) -> str:
    """What a final would be made of, as a digest: equal states give equal sounds."""
    made = [
        [
            piece.run_id,
            piece.speaker,
            piece.break_after,
            *([piece.pause] if piece.pause else []),
            *([{"until": piece.until}] if piece.until is not None else []),
        ]
        for piece in pieces
    ]
    return digest({"pieces": made, "audio": audio.model_dump(mode="json")})


def pauses_of(pieces: Sequence[Piece | Chunk], audio: Audio) -> list[float]:
    """Seconds of silence behind each piece: what the text states; else by the break, none behind the last, nor where a sentence
    was cut in two."""
    seconds = {"": 0.0, "clause": 0.0, **audio.pause.model_dump()}
    usual = [*(seconds[piece.break_after] for piece in pieces[:-1]), *([0.0] if pieces else [])]
    return [silence if piece.pause is None else piece.pause for piece, silence in zip(pieces, usual, strict=True)]


def assemble(
    pieces: Sequence[Piece],
    audio: Audio,
    folder: Path,
    name: str,
    disk: Disk | None = None,
    subtitles: Subtitles | None = None,
    note: str = "",
) -> Final:
    """Put the pieces together as the next final of `folder`, named after `name`; `note` is what a listener should know of them.

    Raises InputError where a piece can't be read, UnavailableError where the disk is full; nothing half done stays then.
    """
    from cosmos_workflow.jobs.speech.loudness import Pieces, level, untouched
    from cosmos_workflow.jobs.speech.sound import common_shape

    if not pieces:
        raise InputError(f"{name} has no pieces to put together.")
    disk = disk or Disk()
    disk.make_folder(folder)
    shape = common_shape([piece.path for piece in pieces], audio.format)
    sounds = Pieces(pieces, pauses_of(pieces, audio), shape)
    leveling = level(sounds, audio.normalize) if audio.normalize else untouched(sounds)
    number = 1 + max((final.number for final in _numbered(folder)), default=0)
    stem = f"{name}-{number:03d}"
    spans: list[tuple[int, int]] = []
    with disk.making(folder / f"{stem}.{audio.format}") as temporary:
        frames = write_sound(temporary, sounds.sound(leveling, spans), shape.rate, audio.format, shape.channels)
    content = {
        "number": number,
        "file": f"{stem}.{audio.format}",
        "seconds": round(frames / shape.rate, 4),
        "state": final_state(pieces, audio),
        "created_at": time.time(),
        "note": " ".join(part for part in (note, leveling.note) if part),
        "peaks_limited": leveling.ceiling is not None,
        "audio": audio.model_dump(mode="json"),
        "subtitles": (subtitles or Subtitles()).model_dump(mode="json"),
        "pieces": [
            {
                "run": piece.run_id,
                "gain_db": round(20 * math.log10(gain), 3),
                "start": round(start / shape.rate, 6),
                "end": round(end / shape.rate, 6),
                "text": piece.text,
                "speaker": piece.speaker,
                "break": piece.break_after,
                **({"words": piece.words} if piece.words else {}),
                **({"borders": piece.borders} if piece.borders else {}),
            }
            for piece, (start, end), gain in zip(pieces, spans, leveling.gains, strict=True)
        ],
    }
    final = _final(folder, content)
    _write_subtitles(final, content, disk)
    disk.write(folder / f"{stem}.json", _json(content))
    return final


def finals(folder: Path) -> list[Final]:
    """The finals of a folder, oldest first; one whose sound was deleted doesn't count."""
    return sorted((final for final in _numbered(folder) if final.path.is_file()), key=lambda final: final.number)


def refresh_subtitles(final: Final, pieces: Sequence[Piece], subtitles: Subtitles, disk: Disk | None = None) -> None:
    """Write the subtitles of a final again where somebody deleted them, where words of its pieces were heard since, or where
    others are asked for now; its description says what is heard when."""
    disk, place = disk or Disk(), final.path.with_suffix(".json")
    content = _content(place)
    told = content["pieces"]
    words = [[list(word) for word in piece.words] or row.get("words", []) for piece, row in zip(pieces, told, strict=True)]
    asked = subtitles.model_dump(mode="json")
    written = final.written.model_dump(mode="json")
    if words == [row.get("words", []) for row in told] and asked == written:
        if not all(final.path.with_suffix(f".{suffix}").is_file() for suffix in _suffixes(subtitles)):
            _write_subtitles(final, content, disk)
        return
    content["subtitles"] = asked
    content["pieces"] = [{**row, **({"words": heard} if heard else {})} for row, heard in zip(told, words, strict=True)]
    _write_subtitles(replace(final, written=subtitles), content, disk)
    disk.write(place, _json(content))
    for suffix in set(_suffixes(final.written)) - set(_suffixes(subtitles)):
        final.path.with_suffix(f".{suffix}").unlink(missing_ok=True)


def _suffixes(subtitles: Subtitles) -> tuple[str, ...]:
    return ("srt", "vtt") if subtitles.format == "both" else (subtitles.format,)


def _write_subtitles(final: Final, content: Mapping[str, Any], disk: Disk) -> None:
    told, asked = content["pieces"], final.written
    cues: list[Cue] = []
    for piece, until in zip(told, [*(other["start"] for other in told[1:]), final.seconds], strict=True):
        end = piece.get("end", until)  # a final of an earlier release doesn't say when a piece ends
        words, borders = piece.get("words", ()), piece.get("borders", ())
        cues += cues_of(piece["text"], piece["start"], end, words, asked.by, asked.line, borders)
    for suffix in _suffixes(final.written):
        text = subrip(cues) if suffix == "srt" else webvtt(cues)
        disk.write(final.path.with_suffix(f".{suffix}"), text.encode())


def _numbered(folder: Path) -> list[Final]:
    return [final for path in folder.glob("*.json") if (final := _read(path)) is not None]


def _read(path: Path) -> Final | None:
    if not re.search(r"-\d{3,}$", path.stem):
        return None
    try:
        return _final(path.parent, _content(path))
    except OSError as error:
        raise WorkflowError(f"{path.parent.name}/{path.name} can't be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError):
        return None  # not one of ours: its owner may keep other files here


def _final(folder: Path, content: Mapping[str, Any]) -> Final:
    """A final as its description has it."""
    return Final(
        number=int(content["number"]),
        path=folder / str(content["file"]),
        written=Subtitles.model_validate(content.get("subtitles", {})),
        seconds=float(content["seconds"]),
        state=str(content["state"]),
        starts=tuple(piece["start"] for piece in content["pieces"]),
        runs=tuple(piece["run"] for piece in content["pieces"]),
        note=str(content["note"]),
        created_at=float(content["created_at"]),
        timed=any(piece.get("words") for piece in content["pieces"]),
    )


def _content(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()
