"""The users and their passwords, as the command line or a file names them."""

from __future__ import annotations

from pathlib import Path

from cosmos_workflow.errors import InputError


def read_users(auth: str | None) -> dict[str, str]:
    """Users and their passwords from "user:password" or a file of such lines; raises InputError without repeating any."""
    if not auth:
        return {}
    path = Path(auth).expanduser()
    try:
        from_file = path.is_file()
        lines = path.read_text(encoding="utf-8").splitlines() if from_file else [auth]
    except (OSError, ValueError) as error:
        raise InputError(f"--auth: the file {path} can't be read; check that it is text and its permissions.") from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if from_file and (not line.strip() or line.startswith("#")):
            continue
        name, colon, password = line.strip().partition(":")
        where = f"--auth: {path}, line {number}" if from_file else "--auth"
        if not (name and colon and password):
            raise InputError(f"{where} isn't right; write user:password, or name a file of such lines.")
        if name in users:
            raise InputError(f"{where}: the user {name} is there twice; keep one line.")
        users[name] = password
    if not users:
        raise InputError(f"--auth: the file {path} names no user; write user:password lines.")
    return users
