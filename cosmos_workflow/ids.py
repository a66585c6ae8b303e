"""Identifiers: a prefix that says what it is, and random letters nobody can guess."""

import secrets

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_LETTERS = bytes.maketrans(bytes(range(256)), (_ALPHABET * 8).encode())


def new_id(prefix: str, length: int = 12) -> str:
    """A fresh identifier such as `ps_k3x9…`: 5 random bits a letter, 60 by default."""
    return f"{prefix}_{secrets.token_bytes(length).translate(_LETTERS).decode()}"


def new_token() -> str:
    """A fresh queue token: who knows it sees the queue, so it has 120 random bits."""
    return new_id("qt", 24)
