"""Errors that reach a person: one sentence each, with what it is about as fields, and the words that such sentences share."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

_STARTED_BY_UV = ("uv", "run") if "UV_RUN_RECURSION_DEPTH" in os.environ else ()
"""`uv run` says so to what it starts; the program is then not on the PATH of the terminal."""
_OUTAGES = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}


class WorkflowError(Exception):
    """Base of every error this package raises on purpose; `str()` is one sentence for a person.

    Programs look at the fields, never at the sentence: `key` is the name of what is wrong ("rate", "voice"), `place` where it
    stands ("Prompt 2 of 3", a file's line), `cause` the sentence without them; each is empty where there is none.
    """

    def __init__(self, sentence: str = "", *, key: str = "", place: str = "", cause: str = "") -> None:
        super().__init__(sentence)
        self.key, self.place, self.cause = key, place, cause or sentence

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self.args), self.__dict__


class InputError(WorkflowError):
    """What was given is wrong: the sentence says what, where, and what would be right. Nothing was changed."""


class UnavailableError(WorkflowError):
    """An engine, a device or a folder can't be used now; the sentence says why and what to do."""


@contextmanager
def about(key: str) -> Iterator[None]:
    """What goes wrong in this block and doesn't name its key is about this one."""
    try:
        yield
    except WorkflowError as error:
        error.key = error.key or key
        raise


def is_outage(error: BaseException) -> bool:
    """Whether an error is the machine's and not the work's: a disk is full or broken, or something isn't available.

    What was being made is to be made again once that is mended. A file that can't be read says nothing of the machine.
    """
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    numbers = [cause.errno for cause in chain if isinstance(cause, OSError) and cause.errno]
    if numbers:
        return not _OUTAGES.isdisjoint(numbers)
    return any(isinstance(cause, UnavailableError) for cause in chain)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    out = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return out or "can't allocate memory" in str(error)


def command(*words: str) -> str:
    """A command of this program, in backticks, such that it can be typed as it stands where the program was started."""
    ours = ["cosmos-workflow"] if shutil.which("cosmos-workflow") else [sys.executable, "-m", "cosmos_workflow"]
    return f"`{shlex.join([*_STARTED_BY_UV, *ours, *words])}`"


def install(package: str, extra: str = "") -> str:
    """How to install a package, or an extra of this one, in backticks; `uv run` has no pip."""
    if _STARTED_BY_UV:
        return f"`uv run --extra {extra} cosmos-workflow`" if extra else f"`uv pip install {package}`"
    found = shutil.which("pip")
    here = found is not None and os.path.dirname(found) == os.path.dirname(sys.executable)  # noqa: PTH120 - not where a link leads
    pip = "pip" if here else f"{shlex.quote(sys.executable)} -m pip"
    return f"`{pip} install {shlex.quote(f'{package}[{extra}]') if extra else package}`"


def install_chatterbox() -> str:
    """How to install Chatterbox: its package pins versions with published holes, which uv lifts here and pip can't."""
    if _STARTED_BY_UV:
        return "`uv sync`"
    return f"{install('cosmos-workflow', 'chatterbox')}, then {install('--no-deps chatterbox-tts==0.1.7')}"


def list_choices(choices: Sequence[str], most: int = 12) -> str:
    """Choices joined for a sentence, cut after `most`."""
    shown = ", ".join(choices[:most])
    return f"{shown} and {len(choices) - most} more" if len(choices) > most else shown


def shorten(value: Any, most: int = 60) -> str:
    """A value as it was given, cut to `most` characters."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ " (did you mean 'rate'?)" where a known word is near, else nothing; to be put into a sentence."""
    near = get_close_matches(word, list(known), 1, 0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
