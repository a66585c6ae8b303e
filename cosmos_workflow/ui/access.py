"""Who may talk to the server: the users, and a guard in front of everything."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import secrets
import socket
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cosmos_workflow.errors import InputError


class Guard:
    """Refuses foreign hosts and origins, and, where there are users, whoever isn't one.

    A name that somebody else's DNS points to this machine isn't served (DNS rebinding), and a page of another site can't
    call this one. A user logs in by HTTP Basic; the name is in `scope["user_name"]`.
    """

    def __init__(self, app: ASGIApp, users: dict[str, str], host: str) -> None:
        self._app = app
        self._users = users
        self._names = {"localhost", host.lower(), socket.gethostname().lower(), socket.getfqdn().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._serves(host):
            return PlainTextResponse("This server isn't known by that name.", 400)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return PlainTextResponse("Other sites can't use this server.", 403)
        if self._users:
            user = self._user(headers.get("authorization", ""))
            if user is None:
                challenge = {"WWW-Authenticate": 'Basic realm="Cosmos Workflow", charset="UTF-8"'}
                return PlainTextResponse("Log in with your user name and password.", 401, challenge)
            scope["user_name"] = user
        return None

    def _serves(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name.lower() in self._names or _is_address(name)

    def _user(self, header: str) -> str | None:
        scheme, _, code = header.partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            name, _, password = base64.b64decode(code, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        # As long for an unknown name as for a known one.
        expected = self._users.get(name, secrets.token_urlsafe())
        return name if secrets.compare_digest(password.encode(), expected.encode()) else None


def read_users(auth: str | None) -> dict[str, str]:
    """Users and their passwords from "user:password" or a file of such lines; raises InputError without repeating any."""
    if not auth:
        return {}
    path = Path(auth).expanduser()
    try:
        from_file = path.is_file()
        lines = path.read_text(encoding="utf-8").splitlines() if from_file else [auth]
    except (OSError, UnicodeDecodeError) as error:
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


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that listens there."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
