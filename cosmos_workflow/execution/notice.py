"""Tells an address of the user's own what has ended: a signed JSON, tried a few times, never to an address nobody named."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from cosmos_workflow.config import Notify
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.ids import new_id

log = logging.getLogger(__name__)

Notice = Callable[[], Mapping[str, Any] | None]
"""Makes what is told, as plain JSON: `event` is what happened, in the past tense."""

MOST_TOLD = 100
"""Failures, and files, of one notice at most; the newest."""
PAUSES = (1.0, 5.0, 25.0)
"""Seconds before another try."""
TIMEOUT = 10.0
"""Seconds that connecting, and each answer, may take."""
CLOSING = 15.0
"""Seconds that the end of the program waits for what isn't told yet."""


class Notifier:
    """Sends notices one after another in a thread of its own; without settings it does nothing. Never raises for the network."""

    def __init__(self, settings: Notify | None, pauses: Sequence[float] = PAUSES) -> None:
        self._settings = settings
        self._pauses = pauses
        self._notices: SimpleQueue[Notice | None] = SimpleQueue()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return self._settings is not None

    def tell(self, notice: Notice) -> None:
        """Have a notice sent, which is put together in this object's own thread; None, or no settings, for nothing to tell."""
        if self._settings is None:
            return
        with self._lock:
            if self._closing.is_set():
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, args=(self._settings,), name="notices", daemon=True)
                self._thread.start()
        self._notices.put(notice)

    def close(self) -> None:
        """Send what is left, each once, for at most some seconds."""
        with self._lock:
            self._closing.set()
        if self._thread is not None:
            self._notices.put(None)
            self._thread.join(CLOSING)

    def _work(self, settings: Notify) -> None:
        while (make := self._notices.get()) is not None:
            try:
                notice = make()
            except WorkflowError as error:
                log.warning("What ended could not be put together: %s", error)
                continue
            if notice is not None:
                self._send(settings, json.dumps({"time": round(time.time(), 3), **notice}, ensure_ascii=False).encode())

    def _send(self, settings: Notify, body: bytes) -> None:
        number, problem = new_id("msg"), ""
        for pause in (*self._pauses, None):
            problem = send(settings, number, body)
            if not problem:
                return
            if pause is None or self._closing.wait(pause):
                break
        log.warning("Nobody could be told that something ended: %s", problem)


def send(settings: Notify, number: str, body: bytes) -> str:
    """Post a notice once; returns why it didn't arrive, nothing where it did. A redirection isn't followed."""
    import httpx

    now = str(int(time.time()))
    try:
        url = httpx.URL(settings.url)
        address = address_of(settings.url, settings.private)
        headers = {
            "Host": url.netloc.decode(),
            "Content-Type": "application/json",
            "webhook-id": number,
            "webhook-timestamp": now,
            **({"webhook-signature": signature(settings.secret, number, now, body)} if settings.secret else {}),
        }
        # To the address that was looked at: a name may mean another one a moment later.
        with httpx.Client(follow_redirects=False, trust_env=False, timeout=TIMEOUT) as client:
            answer = client.post(
                url.copy_with(host=address), content=body, headers=headers, extensions={"sni_hostname": url.host}
            )
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, InputError) as error:
        return f"{settings.url}: {error}"
    return "" if answer.is_success else f"{settings.url} answered {answer.status_code}"


def signature(secret: str, number: str, now: str, body: bytes) -> str:
    """The signature of a notice as standardwebhooks.com describes it: HMAC-SHA256 over id, time and body."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    return "v1," + base64.b64encode(hmac.new(key, f"{number}.{now}.".encode() + body, hashlib.sha256).digest()).decode()


def address_of(url: str, private: bool) -> str:
    """The address behind a URL. Raises InputError where it is one of this machine or its network, and the user named neither
    that address itself nor allowed such ones."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    found = socket.getaddrinfo(host, parts.port or (443 if parts.scheme == "https" else 80), type=socket.SOCK_STREAM)
    addresses = [str(one[4][0]) for one in found]
    if not (private or host == "localhost" or host in addresses) and not all(
        ipaddress.ip_address(one.partition("%")[0]).is_global for one in addresses
    ):
        raise InputError(f"notify: {host} is an address of your own network; name the address itself, or say private: true.")
    return addresses[0]
