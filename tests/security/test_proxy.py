"""The proxy that the README advises: a public name, TLS, and everything works through it."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from page_support import Server, start_server
from support import DEADLINE, wait_for
from visitors import Visitor, as_file

pytestmark = pytest.mark.slow

README = Path(__file__).parents[2] / "README.md"
NAME = "example.org"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("named")
    users = folder / "users"
    users.write_text("ann:one\nbob:two\n")
    users.chmod(0o600)
    running = start_server(folder / "workspace", auth=str(users), names=[NAME])
    yield running
    running.stop()


def test_the_name_is_served_and_no_other(server: Server) -> None:
    for name, expected in ((NAME, 200), ("EXAMPLE.ORG", 200), (f"{NAME}:8443", 200), (f"www.{NAME}", 400), (f"{NAME}.evil", 400)):
        answer = httpx.get(f"{server.url}/config", headers={"Host": name}, auth=("ann", "one"), timeout=DEADLINE)
        assert answer.status_code == expected, name
    asks = {"Host": NAME, "Origin": f"https://{NAME}"}
    answer = httpx.post(f"{server.url}/gradio_api/reset", json={"event_id": "x"}, headers=asks, auth=("ann", "one"))
    assert answer.status_code == 200


class ThroughProxy(Visitor):
    """A visitor who finds the name at the proxy's port, and trusts its certificate."""

    def __init__(self, port: int, certificate: Path, user: str, password: str, address: str = "127.0.0.1") -> None:
        super().__init__(f"https://{NAME}", user, password)
        trusting = ssl.create_default_context(cafile=str(certificate))
        self._transport = Redirected(port, verify=trusting, local_address=address)


class Redirected(httpx.HTTPTransport):
    """As DNS and a router do it: the name leads to a port of this machine."""

    def __init__(self, port: int, verify: ssl.SSLContext, local_address: str) -> None:
        super().__init__(verify=verify, local_address=local_address)
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions["sni_hostname"] = NAME
        request.url = request.url.copy_with(host="127.0.0.1", port=self._port)
        return super().handle_request(request)


@pytest.fixture(scope="module")
def proxy(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """nginx with the README's own configuration; its port, and its certificate."""
    if not (shutil.which("nginx") and shutil.which("openssl")):
        pytest.skip("needs nginx and openssl")
    folder = tmp_path_factory.mktemp("nginx")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-out",
        certificate,
        "-keyout",
        key,
        *subject,
    ]
    subprocess.run(make, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = re.search(r"```nginx\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found, "the README has a configuration for nginx"
    block = found[1].replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace("http://127.0.0.1:7860", server.url)
    block = re.sub(r"ssl_certificate .*;", f"ssl_certificate {certificate};", block)
    block = re.sub(r"ssl_certificate_key .*;", f"ssl_certificate_key {key};", block)
    temporary = "".join(f"{kind}_temp_path {folder / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    whole = folder / "nginx.conf"
    whole.write_text(
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log {folder / 'error.log'};"
        f"events {{}} http {{ access_log off; {temporary} {block} }}"
    )
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(["nginx", "-c", whole, "-p", folder], stdout=output, stderr=output)
    try:

        def answers() -> bool:
            assert process.poll() is None, (folder / "output").read_text()
            with socket.socket() as connection:
                return connection.connect_ex(("127.0.0.1", port)) == 0

        wait_for(answers, "nginx listens")
        yield port, certificate
    finally:
        process.terminate()
        process.wait(DEADLINE)


def test_everything_works_behind_the_proxy(proxy: tuple[int, Path], server: Server) -> None:
    with ThroughProxy(*proxy, "ann", "one") as ann:
        own = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
        ann.headers.update(own)
        assert ann.config["root"] == f"https://{NAME}"
        path = ann.upload(b"text\nThrough the proxy.\n")
        assert ann.trigger("run/predict", ann.event("import-prompts", "upload"), as_file(path)).status_code == 200
        token = ann.call("add_to_queue", "", ["One."], "espeak", {}, {})["complete"][0]["token"]
        done = ann.call("process_queue", token)["complete"][0]
        assert done["done"] == {"succeeded": 1}
        assert ann.get("/", headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_log_names_the_visitors_address_and_not_the_proxys(proxy: tuple[int, Path], server: Server) -> None:
    with ThroughProxy(*proxy, "bob", "wrong", "127.0.0.9") as bob:
        # What a visitor claims to be is not believed, only what the proxy adds.
        assert bob.get("/", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 401
    wait_for(
        lambda: any("the user 'bob' came from 127.0.0.9." in line for line in server.log), "the wrong password is in the log"
    )
    assert "203.0.113.9" not in "".join(server.log)
