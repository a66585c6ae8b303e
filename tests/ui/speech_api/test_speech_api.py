"""Speech for other programs: OpenAI's own client, many callers at once, and one that hangs up."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import httpx
import openai
import pytest
from page_support import Server, start_server
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from support import DEADLINE

from cosmos_workflow.config import Workspace
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.access.guard import Guard

pytestmark = pytest.mark.slow

TEXT = "One morning the sea was quiet.\n\nThe next it was not.\n\nNobody knew why."


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start_server(tmp_path_factory.mktemp("speech") / "workspace", speech_api=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def client(server: Server) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", timeout=DEADLINE)


@pytest.fixture(scope="module")
def store(server: Server) -> Iterator[Store]:
    with Store(Workspace.open(server.workspace)) as store:
        yield store


def seconds_of(sound: bytes) -> float:
    with av.open(io.BytesIO(sound), "r") as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.slow
def test_models_and_voices(client: openai.OpenAI, server: Server) -> None:
    assert "espeak" in [model.id for model in client.models.list()]
    assert client.models.retrieve("espeak").owned_by == "cosmos-workflow"
    voices = httpx.get(f"{server.url}/v1/audio/voices", params={"model": "espeak"}).json()["voices"]
    assert {"id", "name", "model"} == voices[0].keys()
    assert "en-us+f2" in [voice["id"] for voice in voices]


def test_every_format_whole_and_in_a_stream(client: openai.OpenAI) -> None:
    said: dict[str, Any] = {"model": "espeak", "voice": "en-us+f2", "input": TEXT}
    pcm = client.audio.speech.create(**said, response_format="pcm").content
    length = len(pcm) / 2 / 24_000
    assert 2 < length < 20
    for name in ("mp3", "opus", "aac", "flac", "wav"):
        sound = client.audio.speech.create(**said, response_format=name).content
        assert seconds_of(sound) == pytest.approx(length, abs=0.2), name
    with client.audio.speech.with_streaming_response.create(
        **said, response_format="pcm", extra_body={"stream": True}
    ) as response:
        assert response.headers["content-type"] == "audio/pcm"
        assert b"".join(response.iter_bytes()) == pcm
    faster = client.audio.speech.create(**said, response_format="pcm", speed=1.5).content
    assert len(faster) < 0.9 * len(pcm)


@pytest.mark.parametrize(
    ("wrong", "kind", "key", "sentence"),
    [
        ({"model": "espeek"}, openai.NotFoundError, "model", "did you mean 'espeak'?"),
        ({"voice": "nobody"}, openai.BadRequestError, "voice", "nobody"),
        ({"input": " "}, openai.BadRequestError, "input", "nothing that can be spoken"),
        ({"response_format": "midi"}, openai.BadRequestError, "response_format", "'midi' isn't right"),
        ({"speed": 9.0}, openai.BadRequestError, "speed", "9.0 isn't right"),
        ({"extra_body": {"colour": 1}}, openai.BadRequestError, "colour", "isn't known here; use model"),
        ({"extra_body": {"params": {"rate": 1}}}, openai.BadRequestError, "rate", "from 80 to 450"),
    ],
)
def test_a_mistake_gets_one_sentence_in_openais_shape(
    client: openai.OpenAI, wrong: dict[str, object], kind: type[openai.APIStatusError], key: str, sentence: str
) -> None:
    with pytest.raises(kind, match=sentence) as refused:
        client.audio.speech.create(**{"model": "espeak", "voice": "", "input": "Hello.", **wrong})  # type: ignore[arg-type]
    assert refused.value.param == key
    assert refused.value.type == "invalid_request_error"


def test_names_that_only_openai_has_are_taken(client: openai.OpenAI) -> None:
    assert seconds_of(client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.").content) > 0.2


def test_callers_at_once_share_batches(client: openai.OpenAI, store: Store) -> None:
    def say(number: int) -> tuple[str, bytes]:
        text = f"This is caller number {number}."
        answer = client.audio.speech.with_raw_response.create(model="espeak", voice="", input=text, response_format="pcm")
        return answer.headers["x-item-ids"], answer.content

    with ThreadPoolExecutor(24) as callers:
        answers = dict(callers.map(say, range(24)))
    assert len(answers) == 24
    assert all(answers.values())
    runs = store.runs.of_items(answers)
    assert {run.item_id: run.prompt_text for run in runs}.keys() == answers.keys()
    assert max(run.batch_size for run in runs) > 1


def test_a_closed_connection_gives_up_what_was_asked_for(client: openai.OpenAI, server: Server, store: Store) -> None:
    pieces = 200
    text = "\n\n".join(f"Paragraph {number} is about a very long walk along the same old coast." for number in range(pieces))
    body = {"model": "espeak", "input": text, "response_format": "wav", "stream": True}
    # It isn't read beyond its first bytes, so the server can't have made much of it.
    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=DEADLINE) as response:
        ids = response.headers["x-item-ids"].split(",")
        next(response.iter_raw())
    assert len(ids) == pieces
    assert client.audio.speech.create(model="espeak", voice="", input="Somebody else.").content
    deadline = time.monotonic() + DEADLINE
    while store.runs.count(status=ItemStatus.RUNNING):
        assert time.monotonic() < deadline
    assert 0 < len(store.runs.of_items(ids)) < pieces


def test_with_users_a_program_needs_the_key_of_one() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        await PlainTextResponse(scope["user_name"])(scope, receive, send)  # type: ignore[index, arg-type]

    anyone = TestClient(Guard(app, {"ann": "s:ecret"}, "127.0.0.1"), base_url="http://127.0.0.1")  # type: ignore[arg-type]
    refused = anyone.get("/v1/models")
    assert refused.status_code == 401
    assert refused.json()["error"]["message"] == "Log in with your user name and password."
    assert anyone.get("/v1/models", headers={"Authorization": "Bearer ann:wrong"}).status_code == 401
    assert anyone.get("/v1/models", headers={"Authorization": "Bearer ann:s:ecret"}).text == "ann"
