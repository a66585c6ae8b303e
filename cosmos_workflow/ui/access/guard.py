"""A guard in front of everything that is served: names, origins, users, and what every answer says to a browser."""

from __future__ import annotations

import ipaddress
import math
import re
import socket
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cosmos_workflow.errors import InputError, shorten
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.ui.access.logins import LoginError, Logins
from cosmos_workflow.ui.speech_api.errors import PREFIX, error_response

CHALLENGE = {"WWW-Authenticate": 'Basic realm="Cosmos Workflow", charset="UTF-8"'}
HEADERS = {
    # Gradio writes scripts and styles into its page, and makes functions of what its events do in the browser.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""What every answer says unless it says something else."""


_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class Guard:
    """Refuses foreign hosts, foreign sites and, where there are users, whoever isn't one.

    A name that somebody else's DNS points to this machine isn't served (DNS rebinding) unless it is one of `names`, and a page
    of another site can neither call this one nor show anything of it. A user logs in by HTTP Basic, a program also by the key
    `user:password`; the name is in `scope["user_name"]`.
    """

    def __init__(self, app: ASGIApp, users: Mapping[str, str], host: str, names: Collection[str] = ()) -> None:
        self._app = app
        self._logins = Logins(users)
        own = ("localhost", host, socket.gethostname(), socket.getfqdn(), *names)
        self._names = {name.lower() for name in own}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if not self._serves(host):
            return _refused(scope, "This server isn't known by that name.", 400)
        if _is_foreign(scope, headers, host):
            return _refused(scope, "Other sites can't use this server. Open its page by its address.", 403)
        if self._logins:
            client = scope.get("client")
            try:
                scope["user_name"] = self._logins.user(headers.get("authorization", ""), client[0] if client else "")
            except LoginError as refused:
                if not refused.wait:
                    return _refused(scope, "Log in with your user name and password.", 401, CHALLENGE)
                wait = math.ceil(refused.wait)
                text = f"There were too many wrong passwords; try again in {wait} s."
                return _refused(scope, text, 429, {"Retry-After": str(wait)})
        return None

    def _serves(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name.lower() in self._names or is_address(name)


def user_of(scope: Scope) -> str:
    """Who asks: the user who logged in, or the local one."""
    return scope.get("user_name") or LOCAL


def _refused(scope: Scope, text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    if str(scope.get("path", "")).startswith(f"{PREFIX}/"):
        return error_response(text, status, "authentication_error" if status == 401 else "invalid_request_error", headers=headers)
    return PlainTextResponse(text, status, headers)


def check_names(names: Collection[str]) -> None:
    """Raises InputError for what isn't the name of a host."""
    for name in names:
        if not _NAME.fullmatch(name):
            raise InputError(f"--name: {shorten(name)} isn't a host's name; write it as in example.org, without port and https.")


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to a server that listens there."""
    return host == "localhost" or (is_address(host) and ipaddress.ip_address(host).is_loopback)


def is_address(name: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether a page of another site asks, as its browser says."""
    origin = headers.get("origin")
    if origin is not None:
        try:
            if urlsplit(origin).netloc.lower() != host.lower():
                return True
        except ValueError:
            return True
    site = headers.get("sec-fetch-site", "none")
    if site == "same-site":  # another port or another name below one domain: its links may lead here
        return not (scope.get("method") in ("GET", "HEAD") and headers.get("sec-fetch-dest") == "document")
    return site not in ("same-origin", "none")
