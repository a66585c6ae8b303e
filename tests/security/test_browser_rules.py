"""What the server says to browsers, and what of other sites it refuses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from page_support import Server
from support import DEADLINE
from visitors import Visitor

pytestmark = pytest.mark.slow

ROUTES = ("/", "/config", "/theme.css", "/gradio_api/info", "/media.zip", "/media/rs_1/audio", "/job-files/x", "/nothing")
CROSS = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dest", ["image", "script", "iframe", "document", "empty"])
def test_another_site_gets_nothing(ann: Visitor, route: str, dest: str) -> None:
    assert ann.get(route, headers={**CROSS, "Sec-Fetch-Dest": dest}).status_code == 403
    assert ann.post(route, headers={**CROSS, "Sec-Fetch-Dest": dest}).status_code == 403


@pytest.mark.parametrize("route", ROUTES)
def test_another_port_may_only_link_here(ann: Visitor, route: str) -> None:
    near = {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}
    assert ann.get(route, headers={**near, "Sec-Fetch-Dest": "document"}).status_code != 403
    assert ann.get(route, headers={**near, "Sec-Fetch-Dest": "image"}).status_code == 403
    assert ann.post(route, headers={**near, "Sec-Fetch-Dest": "document"}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "http://", "", "\x7f", "http://127.0.0.1:1"])
def test_a_foreign_origin_gets_nothing_and_no_traceback(ann: Visitor, origin: str) -> None:
    assert ann.post("/gradio_api/queue/join", json={}, headers={"Origin": origin}).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "[", "127.0.0.1.evil.example", "localhost.evil.example", "a" * 5000])
def test_a_foreign_name_gets_nothing(ann: Visitor, host: str) -> None:
    assert ann.get("/", headers={"Host": host}).status_code == 400


def test_what_a_proxy_would_say_is_not_believed_of_anybody(ann: Visitor) -> None:
    claims = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/evil"}
    for route in ("/", "/config"):
        assert "evil" not in ann.get(route, headers=claims).text


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("who", ["ann", "stranger"])
def test_every_answer_says_what_a_browser_may_do(route: str, who: str, request: pytest.FixtureRequest) -> None:
    visitor: Visitor = request.getfixturevalue(who)
    headers = visitor.get(route).headers
    policy: dict[str, str] = {}
    for part in headers["content-security-policy"].split(";"):
        name, _, sources = part.strip().partition(" ")
        policy[name] = sources
    assert "'self'" in policy["default-src"] or policy["default-src"] == "'none'"
    for name, sources in policy.items():
        assert not {"*", "http:", "https:"} & set(sources.split()), name
        assert "//" not in sources, name
    assert policy.get("frame-ancestors", "'none'") == "'none'"
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer")


def test_no_option_opens_the_server_to_another_site(ann: Visitor) -> None:
    asks: dict[str, Any] = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = ann.request("OPTIONS", "/gradio_api/queue/join", headers=asks)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_a_stranger_gets_nothing_at_all(server: Server) -> None:
    for route in ROUTES:
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            assert httpx.request(method, f"{server.url}{route}", timeout=DEADLINE).status_code == 401
