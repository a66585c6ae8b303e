"""Utterances and phonemes, each in a process of its own, started by path; imports the standard library only: it starts in 15 ms.

Only the first utterance of a process, with the seed set, is bit-reproducible, so each is spoken by a copy of a process (a
fork) that has loaded the library and never spoken: the library is loaded once, and an utterance costs little more than itself.
The library is GPL-3, and stays out of the other processes.

Arguments are the library and its data folder. Each line of standard input is JSON with `text`, `voice`, `rate`, `pitch`,
`volume`, `ssml`, `pcm` and `max_seconds`. The copy writes raw 16-bit mono samples to the file `pcm` and prints JSON lines:
{"words": [[position from 0, length], ...]} with those that begin in each ten seconds of sound, the last of them with
"sample_rate": hertz, or {"error": sentence}. Asked for `texts` in a `voice`, it prints {"phonemes": [one text each]} instead:
IPA, the letters of one sound tied together by U+0361. When it is gone, the process it was copied from prints {"ended": its exit
code, or the number of the signal that ended it, negative}. With a third argument, `ONCE`, there is no copy.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

# Values of the library's public header, speak_lib.h.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_BUFFER_MS = 200
_POSITION_CHARACTER = 1
_CHARS_UTF8 = 1
_SSML = 0x10
_TIED_IPA = 0x02 | 0x80 | 0x361 << 8
_PARAMETERS = {"rate": 1, "volume": 2, "pitch": 3}
_EVENT_LIST_END = 0
_EVENT_WORD = 1
_PARENT_DEATH_SIGNAL = 1
_SEED = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # opened once, not by each copy
ONCE = "--once"
"""For systems where a process can't be copied: it speaks one line itself, and ends."""
_TOLD_EVERY = 10
"""Seconds of sound, which are spoken in some milliseconds."""


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def main() -> int:
    """Speak what standard input asks for, until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    # The library prints to standard output now and then: our lines go to a copy that it doesn't know.
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def say(**line: Any) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    library, rate = _load(sys.argv[1], sys.argv[2])
    gc.freeze()  # a collection would have each copy write to memory that it shares
    if ONCE in sys.argv:
        line = sys.stdin.buffer.readline()
        threading.Thread(target=_end_with_parent, daemon=True).start()
        say(ended=_answer(library, rate, line, say))
        return 0
    while line := sys.stdin.buffer.readline():
        copy = os.fork()
        if copy == 0:
            _die_with_parent()
            os._exit(_answer(library, rate, line, say))
        _, status = os.waitpid(copy, 0)
        say(ended=os.waitstatus_to_exitcode(status))
    return 0


def _load(path: str, data: str) -> tuple[ctypes.CDLL, int]:
    """The library, and its sample rate; 0 or less where it doesn't start."""
    library = ctypes.CDLL(path)
    rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, os.fsencode(data), _DONT_EXIT)
    library.espeak_ListVoices(None)  # else every copy reads the files of all voices, to find its own
    return library, rate


def _answer(library: ctypes.CDLL, rate: int, asked: bytes, say: Callable[..., None]) -> int:
    """Speak, or find phonemes, as a line of JSON asks; 0 when it is done."""
    task = json.loads(asked)
    try:
        if rate <= 0:
            raise ValueError("the speech library doesn't start; install espeakng-loader again")
        # Else the noise in a voice follows the wall clock: the library seeds itself with the second it starts in.
        library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
        if library.espeak_SetVoiceByName(task["voice"].encode()) != 0:
            raise ValueError(f"the speech library has no voice {task['voice']!r}")
        if "texts" in task:
            say(phonemes=[_phonemes(library, text) for text in task["texts"]])
        else:
            _speak(library, rate, task, say)
    except (OSError, ValueError) as error:
        say(error=str(error))
        return 1
    return 0


def _speak(library: ctypes.CDLL, rate: int, task: dict[str, Any], say: Callable[..., None]) -> None:
    for name, number in _PARAMETERS.items():
        library.espeak_SetParameter(number, task[name], 0)
    with open(task["pcm"], "wb") as pcm:  # noqa: PTH123 - pathlib would slow the start
        listener = _Listener(pcm, say, int(task["max_seconds"] * rate), every=_TOLD_EVERY * rate)
        callback = _Callback(listener)
        library.espeak_SetSynthCallback(callback)
        text = task["text"].encode() + b"\0"
        flags = _CHARS_UTF8 | (_SSML if task["ssml"] else 0)
        failed = library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, _POSITION_CHARACTER, 0, flags, None, None)
        library.espeak_Synchronize()
    if listener.problem:
        raise ValueError(listener.problem)
    if failed:
        raise ValueError(f"the speech library gave up (code {failed})")
    listener.tell(sample_rate=rate)


def _phonemes(library: ctypes.CDLL, text: str) -> str:
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    left = ctypes.c_char_p(text.encode())
    clauses: list[str] = []
    # Each call takes one clause off the text, and leaves a null pointer behind the last.
    while left.value:
        clause = library.espeak_TextToPhonemes(ctypes.byref(left), _CHARS_UTF8, _TIED_IPA)
        clauses.append((clause or b"").decode().strip())
    return " ".join(filter(None, clauses))


class _Listener:
    """Called by the library with each piece of sound; says how far it is `every` so many samples, and stops it by returning 1."""

    def __init__(self, pcm: BinaryIO, say: Callable[..., None], most: int, every: int) -> None:
        self.pcm, self.say, self.most, self.every = pcm, say, most, every
        self.samples = self.told = 0
        self.words: list[tuple[int, int]] = []
        self.problem = ""

    def tell(self, **more: Any) -> None:
        """Print the words that begin in what was spoken since the last line."""
        self.say(words=self.words, **more)
        self.words = []
        self.told = self.samples

    def __call__(self, sound: int | None, samples: int, events: Any) -> int:
        try:
            return self._take(sound, samples, events)
        except OSError as error:
            # An exception can't travel through the library; a full disk or a parent that went away ends it here.
            self.problem = f"the sound can't be written: {error.strerror}"
            return 1

    def _take(self, sound: int | None, samples: int, events: Any) -> int:
        if sound and samples:
            self.pcm.write(ctypes.string_at(sound, 2 * samples))
            self.samples += samples
        if self.samples > self.most:
            self.problem = "the text makes hours of sound; cut it into pieces"
            return 1
        index = 0
        while events and (event := events[index]).type != _EVENT_LIST_END:
            if event.type == _EVENT_WORD:
                self.words.append((event.text_position - 1, event.length))
            index += 1
        if self.samples - self.told >= self.every:
            self.tell()
        return 0


def _end_with_parent() -> None:
    """Where no process can be told of its parent's end: the pipe to it is closed then."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def _die_with_parent() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
