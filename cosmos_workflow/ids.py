"""Identifiers: random ones that nobody can guess, and digests that are the same for what is the same."""

import hashlib
import json
import math
import secrets
from collections.abc import Mapping
from itertools import islice, product
from typing import Any

DIGEST_LENGTH = 16

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_SORTED = "".join(sorted(_ALPHABET))
_LETTERS = bytes.maketrans(bytes(range(256)), (_ALPHABET * 8).encode())


def new_id(prefix: str, length: int = 12) -> str:
    """A fresh identifier such as `ps_k3x9…`: 5 random bits a letter, 60 by default."""
    return f"{prefix}_{secrets.token_bytes(length).translate(_LETTERS).decode()}"


def new_ids(prefix: str, count: int) -> list[str]:
    """So many of them at once: one nobody can guess, and a number behind it.

    In the order of the alphabet, so that an index of theirs grows at one place instead of at a thousand.
    """
    start = new_id(prefix)
    digits = math.ceil(math.log(max(count, 2), len(_SORTED)))
    return [start + "".join(number) for number in islice(product(_SORTED, repeat=digits), count)]


def new_token() -> str:
    """A fresh queue token: who knows it sees the queue, so it has 120 random bits."""
    return new_id("qt", 24)


def digest(parts: Mapping[str, Any]) -> str:
    """The first 64 bits of SHA-256 over the canonical JSON of `parts`, in hex: the same in every process and on every machine."""
    text = json.dumps(canonical(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH]


def canonical(value: Any) -> Any:
    """A value as plain JSON, equal for what counts as one value: keys are text, sets are sorted, `5.0` is `5`."""
    if isinstance(value, Mapping):
        return {str(key): canonical(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(member) for member in value]
    if isinstance(value, set | frozenset):
        return sorted(canonical(member) for member in value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
