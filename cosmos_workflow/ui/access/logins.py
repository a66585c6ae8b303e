"""Logins by HTTP Basic or by a key, with a pause that grows with each wrong password."""

from __future__ import annotations

import base64
import ipaddress
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cosmos_workflow.errors import shorten

log = logging.getLogger(__name__)

FREE = 3
"""Wrong passwords in a row that cost nothing: somebody mistypes."""
LONGEST = 60.0
"""Seconds of the longest pause; each wrong password doubles it, from one second."""
FORGOTTEN = 900.0
"""Seconds without another wrong password after which the earlier ones are forgotten."""
REMEMBERED = 10_000
"""Addresses and users of which wrong passwords are remembered, at most; the oldest go first."""


@dataclass(slots=True)
class _Failures:
    number: int = 0
    until: float = 0.0
    last: float = 0.0


class LoginError(Exception):
    """Nobody is logged in: `wait` says for how many seconds no password is looked at, 0 where another may be tried now."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__(wait)
        self.wait = wait


class Logins:
    """Who a request comes from, by its Authorization header.

    Wrong passwords are counted for the user and for the address, so that neither many addresses nor many names help; while
    either has to wait, no password is looked at. Whoever logged in from an address before isn't kept waiting there, so that
    nobody locks another out. Used from one event loop.
    """

    def __init__(self, users: Mapping[str, str], now: Callable[[], float] = time.monotonic) -> None:
        self._users = {name: password.encode() for name, password in users.items()}
        self._now = now
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._users)

    def user(self, header: str, client: str) -> str:
        """The user whose name and password a header has; raises LoginError."""
        given = read_login(header)
        if given is None:
            raise LoginError
        name, password = given
        address = network_of(client)
        keys = [("address", address)]
        if name in self._users:
            keys.append(("user", name))
        now = self._now()
        wait = max(self._wait(key, now) for key in keys)
        if wait and (address, name) not in self._known:
            raise LoginError(wait)
        # As long for an unknown name as for a known one.
        expected = self._users.get(name, secrets.token_bytes())
        if secrets.compare_digest(password.encode(), expected):
            self._remember(address, name)
            return name
        self._known.pop((address, name), None)
        wait = max(self._count(key, now) for key in keys)
        log.warning("A wrong password for the user %s came from %s.", shorten(name), client)
        raise LoginError(wait)

    def _wait(self, key: tuple[str, str], now: float) -> float:
        failures = self._failures.get(key)
        return max(0.0, failures.until - now) if failures else 0.0

    def _count(self, key: tuple[str, str], now: float) -> float:
        failures = self._failures.pop(key, None)
        if failures is None or now - failures.last > FORGOTTEN:
            failures = _Failures()
        failures.number, failures.last = failures.number + 1, now
        costly = min(failures.number - FREE, 30)
        pause = min(LONGEST, 2.0 ** (costly - 1)) if costly > 0 else 0.0
        failures.until = now + pause
        self._failures[key] = failures
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)
        return pause

    def _remember(self, address: str, name: str) -> None:
        self._known[address, name] = None
        self._known.move_to_end((address, name))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def read_login(header: str) -> tuple[str, str] | None:
    """Name and password of an Authorization header: HTTP Basic, or a bearer's key "user:password"; None for anything else."""
    scheme, _, code = header.partition(" ")
    if scheme.lower() == "bearer":
        return _named(code.strip())
    if scheme.lower() != "basic":
        return None
    try:
        return _named(base64.b64decode(code, validate=True).decode())
    except ValueError:  # neither base64 nor UTF-8
        return None


def _named(login: str) -> tuple[str, str] | None:
    name, colon, password = login.partition(":")
    return (name, password) if colon else None


def network_of(client: str) -> str:
    """What counts as one address: of IPv6 the network of 64 bits, which a single machine has for itself."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 6 and not (address.ipv4_mapped):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
