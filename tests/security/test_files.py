"""No request names a file but its user's own uploads, and nothing is ever fetched for one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_support import Server
from support import wait_for
from visitors import FILE, Visitor, as_file

pytestmark = pytest.mark.slow

SECRET = "text\na secret that nobody may read\n"  # noqa: S105 - the content of a file that no request may read


def took_in(visitor: Visitor) -> str:
    """The library as its user sees it."""
    return visitor.search("").text


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret.csv"
    path.write_text(SECRET)
    return path


@pytest.fixture
def web() -> Iterator[tuple[str, list[bytes]]]:
    """A web server that notes what is asked of it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    asked.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: text/csv\r\n\r\ntext\nfetched\n")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/a.csv", asked
        listener.shutdown(socket.SHUT_RDWR)


def test_a_user_imports_what_they_uploaded(ann: Visitor) -> None:
    path = ann.upload(b"text\nA prompt of ann's\n")
    answer = ann.trigger("run/predict", ann.event("import-prompts", "upload"), as_file(path))
    assert answer.status_code == 200
    assert "A prompt of ann" in took_in(ann)


@pytest.mark.parametrize("route", ["run/predict", "run/x", "api/predict", "queue/join", "call/read_file"])
@pytest.mark.parametrize("elem_id", ["import-prompts", "upload-job", "prompt-file"])
def test_no_file_of_the_server_is_read(ann: Visitor, server: Server, secret: Path, route: str, elem_id: str) -> None:
    number = ann.event(elem_id, "upload")
    users = server.workspace.parent / "users"
    for path in (secret, users, server.workspace / "workspace.db", Path("/etc/hostname"), Path("/proc/self/environ")):
        for value in (as_file(str(path)), [as_file(str(path))], as_file(str(path), is_stream=True)):
            answer = ann.trigger(route, number, value, None, None, None)
            assert answer.status_code in (400, 404), answer.text
    assert "a secret" not in took_in(ann)


def test_no_user_reads_what_another_uploaded(ann: Visitor, bob: Visitor) -> None:
    path = Path(ann.upload(SECRET.encode()))
    number = bob.event("import-prompts", "upload")
    own = Path(bob.upload(b"text\nbob's\n"))
    ways = (
        path,
        own.parent / ".." / ".." / path.parent.parent.name / path.parent.name / path.name,
        own.parent / "../../../users",
    )
    for way in ways:
        answer = bob.trigger("run/predict", number, as_file(str(way)))
        assert answer.status_code == 400
        assert "isn't one of your uploads" in answer.json()["error"]
    assert "a secret" not in took_in(bob)


@pytest.mark.parametrize("path", ["", ".", "/", "relative.csv", "\0", "/x/\0", "a" * 5000, "file:///etc/passwd", "//etc/passwd"])
def test_what_is_no_path_is_one_sentence(ann: Visitor, path: str) -> None:
    answer = ann.trigger("run/predict", ann.event("import-prompts", "upload"), as_file(path))
    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "This file isn't one of your uploads (any more); choose it again.",
    )


def test_a_link_among_the_uploads_leads_nowhere(ann: Visitor, secret: Path) -> None:
    own = Path(ann.upload(b"text\nOne.\n"))
    link = own.with_name("link.csv")
    link.symlink_to(secret)
    assert ann.trigger("run/predict", ann.event("import-prompts", "upload"), as_file(str(link))).status_code == 400


def test_a_file_is_checked_wherever_it_stands_in_a_call(ann: Visitor, secret: Path) -> None:
    file = as_file(str(secret))
    deep = {"a": [{"b": [file]}]}
    number = ann.endpoint("add_to_queue")
    for data in ([deep], ["", [deep], "espeak", {}, {}], [[file]]):
        assert ann.post("/gradio_api/call/add_to_queue", json={"data": [*data, *[None] * 5]}).status_code == 400
    assert ann.post("/gradio_api/call/v2/add_to_queue", json={"token": "", "prompts": [file]}).status_code == 400
    assert ann.trigger("queue/join", number, "", None, None, None, None, event_data=file).status_code == 400


def test_nothing_is_fetched_for_a_request(ann: Visitor, stranger: Visitor, web: tuple[str, list[bytes]]) -> None:
    url, asked = web
    for path in (f"/gradio_api/file={url}", f"/gradio_api/file/{url}", f"/gradio_api/proxy={url}", f"/file={url}"):
        assert ann.get(path).status_code == 404
        assert ann.head(path).status_code == 404
    number = ann.event("import-prompts", "upload")
    for value in (as_file(url), as_file(url, url=url), {"path": url, "url": url, "meta": FILE, "is_stream": False}):
        assert ann.trigger("run/predict", number, value).status_code == 400
    # Nor is an address beside a file that is the user's own.
    own = ann.upload(b"text\nFrom a file.\n")
    assert ann.trigger("run/predict", number, as_file(own, url=url)).status_code == 200
    assert asked == []


def test_an_upload_that_broke_off_leaves_nothing(ann: Visitor, server: Server) -> None:
    uploads = server.workspace / "uploads"

    def files() -> set[Path]:
        return {path for path in uploads.rglob("*") if path.is_file()}

    before = files()
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.wav"\r\n\r\n'
    host, port = server.url.removeprefix("http://").split(":")
    auth = ann.build_request("GET", "/")
    credentials = next(ann.auth.auth_flow(auth)).headers["Authorization"]  # type: ignore[union-attr]
    with socket.create_connection((host, int(port))) as broken:
        broken.sendall(
            f"POST /gradio_api/upload HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {credentials}\r\n"
            "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000000\r\n\r\n".encode()
        )
        broken.sendall(head + b"\0" * 5_000_000)
        wait_for(lambda: sum(path.stat().st_size for path in files() - before) > 1_000_000, "the upload is coming")
    wait_for(lambda: files() == before, "what had come is gone")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b"nothing of that kind"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nabc'),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: " + b"b" * 100_000 + b"\r\n\r\nabc\r\n--x--\r\n"),
        ("application/json", b"{}"),
        ("", b""),
    ],
)
def test_what_is_no_upload_is_refused(ann: Visitor, server: Server, content_type: str, body: bytes) -> None:
    before = {path for path in (server.workspace / "uploads").rglob("*") if path.is_file()}
    answer = ann.post("/gradio_api/upload", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400
    assert {path for path in (server.workspace / "uploads").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["../../up.csv", "..\\..\\up.csv", "/etc/up.csv", "..", ".", "", "a\nb.csv", "ü" * 300 + ".csv"])
def test_an_uploads_name_is_only_a_name(ann: Visitor, server: Server, name: str) -> None:
    path = Path(ann.upload(b"text\nOne.\n", name)) if name else None
    if path is not None:
        assert path.is_relative_to(server.workspace / "uploads")
        assert path.is_file()
        assert "\n" not in path.name


def test_what_a_user_uploads_has_a_limit(cid: Visitor, ann: Visitor, server: Server) -> None:
    most = b"x" * (12 * 1_000_000)
    first = Path(cid.upload(most))
    for _ in range(2):
        answer = cid.post("/gradio_api/upload", files=[("files", ("second.csv", most))])
        assert answer.status_code == 413
        assert "'second.csv' doesn't fit: your files may take 20.0 MB together" in answer.json()["detail"]
    assert [path for path in first.parents[1].rglob("*") if path.is_file()] == [first], "what was there stays, nothing else does"
    assert Path(ann.upload(most)).is_file(), "another user's limit is their own"
    assert Path(cid.upload(b"text\nSmall.\n")).is_file()
