"""The users and their passwords, as the command line, the environment or a file names them."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from cosmos_workflow.errors import InputError

log = logging.getLogger(__name__)

VARIABLE = "COSMOS_WORKFLOW_AUTH"
HIDDEN = "(hidden)"


def take_auth(option: str | None) -> str | None:
    """What `--auth` or else `COSMOS_WORKFLOW_AUTH` says, taken out of `argv` and the environment.

    Workers get both, and need no passwords. Whoever can list processes sees a password on the command line: a warning says so.
    """
    given = os.environ.pop(VARIABLE, None)
    if not option:
        return given
    if not _is_file(option):
        log.warning(
            "Everybody on this machine can read the password in the list of processes; name a file after --auth, or set %s.",
            VARIABLE,
        )
    for place, word in enumerate(sys.argv):
        if word == option and sys.argv[place - 1] == "--auth":
            sys.argv[place] = HIDDEN
        elif word == f"--auth={option}":
            sys.argv[place] = f"--auth={HIDDEN}"
    return option


def read_users(auth: str | None) -> dict[str, str]:
    """Users and their passwords from "user:password" lines or a file of such; raises InputError without repeating any."""
    if not auth:
        return {}
    path = Path(auth).expanduser()
    try:
        from_file = _is_file(auth)
        lines = path.read_text(encoding="utf-8").splitlines() if from_file else auth.splitlines()
        if from_file and path.stat().st_mode & 0o077:
            log.warning("Others can read the passwords in %s; change that with chmod 600.", path)
    except (OSError, ValueError) as error:
        raise InputError(f"--auth: the file {path} can't be read; check that it is text and its permissions.") from error
    users: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.strip().partition(":")
        where = f"--auth: {path}, line {number}" if from_file else "--auth"
        if not (name and colon and password):
            raise InputError(f"{where} isn't right; write user:password, or name a file of such lines.")
        if name in users:
            raise InputError(f"{where}: the user {name} is there twice; keep one line.")
        users[name] = password
    if not users:
        where = f"the file {path}" if from_file else "it"
        raise InputError(f"--auth: {where} names no user; write user:password lines.")
    return users


def _is_file(auth: str) -> bool:
    try:
        return Path(auth).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long for a name, with a NUL, of a user who isn't there
        return False
