"""Texts to phonemes in a process of its own, started by path; imports the standard library only, so that it starts in 20 ms.

The speech library is GPL-3 and stays out of the other processes. It reads JSON with `library`, `data`, `voice` (a
language of the library) and `texts`, and answers with one JSON line: {"phonemes": [one text each]} or {"error": sentence}. The
phonemes are IPA, the letters of one sound tied together by U+0361.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

# Values of the library's public header, speak_lib.h.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_IPA = 0x02
_TIED = 0x80
_TIE = 0x361
_PARENT_DEATH_SIGNAL = 1


def main() -> int:
    """Answer what standard input asks for; 0 when it could be."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    # The library prints to standard output now and then: our line goes to a copy that it doesn't know.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    task = json.loads(sys.stdin.buffer.read())
    try:
        line = {"phonemes": _phonemes(task)}
    except (OSError, ValueError) as error:
        line = {"error": str(error)}
    answer.write(json.dumps(line) + "\n")
    answer.close()
    return 0 if "phonemes" in line else 1


def _phonemes(task: dict[str, Any]) -> list[str]:
    library = ctypes.CDLL(task["library"])
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    if library.espeak_Initialize(_SYNCHRONOUS, 0, os.fsencode(task["data"]), _DONT_EXIT) <= 0:
        raise ValueError("the speech library doesn't start; install espeakng-loader again")
    if library.espeak_SetVoiceByName(task["voice"].encode()) != 0:
        raise ValueError(f"the speech library has no voice {task['voice']!r}")
    return [_of_text(library, text) for text in task["texts"]]


def _of_text(library: ctypes.CDLL, text: str) -> str:
    left = ctypes.c_char_p(text.encode())
    clauses: list[str] = []
    # Each call takes one clause off the text, and leaves a null pointer behind the last.
    while left.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(left), _CHARS_UTF8, _IPA | _TIED | _TIE << 8)
        clauses.append(clause.decode() if clause else "")
    return " ".join(clause.strip() for clause in clauses if clause.strip())


if __name__ == "__main__":
    sys.exit(main())
