"""What the explainer's tests share: an outline, a way to make a video, and an endpoint that says what it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cosmos_workflow.engines.base import Device, Output
from cosmos_workflow.engines.explainer import SPEC
from cosmos_workflow.engines.testing.harness import RecordingContext, make_request, run_engine

SAMPLE = Path(__file__).parents[2] / "assets" / "explainer" / "tides.yaml"
DRAFT = {"quality": "240p", "fps": 10, "rate": 400, "pause": 0.0}
KEY, MODEL = "sk-very-secret-4711", "planner-xl"

SHORT = """
title: Short
scenes:
  - title: A card
    narration: Hello there.
  - title: A formula
    formula: a^2 + b^2 = c^2
    narration: It has a right angle.
  - title: A list
    bullets: [One thing, Another thing]
    narration: One thing. Another thing.
"""


@dataclass
class Made:
    """A video of the sample, made once for all tests: its files, what was reported, and the cache as it was left."""

    output: Output
    folder: Path
    context: RecordingContext
    cache: Path


def make_video(folder: Path, text: str = "", name: str = "qi_one", **given: Any) -> tuple[Output, Path, RecordingContext]:
    """A video by the engine in this process; fails the test where it fails."""
    from cosmos_workflow.engines.explainer.engine import ExplainerEngine

    engine = ExplainerEngine()
    engine.load(Device())
    context = given.pop("context", None) or RecordingContext(SPEC)
    inputs = given.pop("inputs", {})
    request = make_request(SPEC, folder, text, {**DRAFT, **given}, None, inputs, name)
    SPEC.check(request)
    outcome = run_engine(engine, [request], context)[name]
    assert isinstance(outcome, Output), outcome
    assert {file.name for file in request.folder.iterdir()} == set(outcome.files.values())
    return outcome, request.folder, context


@dataclass
class Stub:
    """A local endpoint. `answers` are given one after another, the last one for ever: a text as the model's words, a pair as
    status and body, a function as the one that writes the answer."""

    url: str
    answers: list[Any] = field(default_factory=list)
    models: tuple[int, Any] = (200, {"data": [{"id": MODEL}, {"id": "other"}]})
    questions: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    gone: threading.Event = field(default_factory=threading.Event)
    """Set when a client that was kept waiting has left."""
    finish: threading.Event = field(default_factory=threading.Event)

    def next_answer(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def serve_stub() -> Iterator[Stub]:
    """An endpoint on this machine, as long as the context is open."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.headers.append(dict(self.headers))
            self.say(*state.models)

        def do_POST(self) -> None:
            state.headers.append(dict(self.headers))
            state.questions.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            state.asked.set()
            answer = state.next_answer()
            if callable(answer):
                answer(self, state)
            elif isinstance(answer, tuple):
                self.say(*answer)
            else:
                self.say(200, {"choices": [{"message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}]})

        def say(self, status: int, body: Any) -> None:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state = Stub(f"http://127.0.0.1:{server.server_address[1]}/v1")
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            state.finish.set()
            server.shutdown()
            thread.join()


def stall(handler: Any, state: Stub) -> None:
    """An answer that never comes; notes when the client has left."""
    handler.connection.settimeout(0.02)
    while not state.finish.is_set():
        try:
            if handler.connection.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    state.gone.set()
    handler.close_connection = True


def flood(handler: Any, state: Stub) -> None:
    """An answer without end."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while not state.finish.is_set():
            handler.wfile.write(b"x" * 65_536)
    except OSError:
        state.gone.set()
