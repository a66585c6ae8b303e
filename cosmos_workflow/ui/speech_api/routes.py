"""`POST /v1/audio/speech`, `GET /v1/models` and `GET /v1/audio/voices`, as OpenAI's clients and their kin expect them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.ui.access.guard import user_of
from cosmos_workflow.ui.speech_api.catalog import Model, find_model, list_models, list_voices
from cosmos_workflow.ui.speech_api.errors import PREFIX, refuse
from cosmos_workflow.ui.speech_api.order import MAX_INPUT, Order, read_order
from cosmos_workflow.ui.speech_api.queue import SpeechQueues
from cosmos_workflow.ui.speech_api.sound import Pipe, SoundEncoder, encode_whole

MAX_BODY = 8 * MAX_INPUT
ITEMS = "X-Item-Ids"
"""The header with the ids of the queue items that the text became."""
_CLIENT_GONE = 499

T = TypeVar("T")


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


def router(queues: SpeechQueues) -> APIRouter:
    """The routes; each error is a JSON object in OpenAI's shape with one sentence."""
    routes = APIRouter(prefix=PREFIX)
    store = queues.operations.store

    @routes.get("/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_model_row(model) for model in list_models()]}

    @routes.get("/models/{name:path}")
    def model(name: str) -> Response:
        try:
            return JSONResponse(_model_row(find_model(name)))
        except WorkflowError as error:
            return refuse(error)

    @routes.get("/audio/models")
    def speech_models() -> dict[str, Any]:
        return {"models": [{"id": model.id, "name": model.id} for model in list_models()]}

    @routes.get("/audio/voices")
    def voices(request: Request, model: str = "") -> Response:
        try:
            wanted = [find_model(model)] if model else list_models()
        except WorkflowError as error:
            return refuse(error)
        rows = [
            {"id": name, "name": label, "model": one.id}
            for one in wanted
            for name, label in list_voices(one, store, user_of(request.scope)).items()
        ]
        return JSONResponse({"voices": rows})

    @routes.post("/audio/speech")
    async def speech(request: Request) -> Response:
        owner = user_of(request.scope)
        try:
            body = await _read_object(request)
            order = await asyncio.to_thread(read_order, body, store, owner)
            return await _answer(request, queues, order, owner)
        except WorkflowError as error:
            return refuse(error)
        except ClientGoneError:
            return Response(status_code=_CLIENT_GONE)

    return routes


def _model_row(model: Model) -> dict[str, Any]:
    return {"id": model.id, "object": "model", "created": 0, "owned_by": "cosmos-workflow"}


async def _answer(request: Request, queues: SpeechQueues, order: Order, owner: str) -> Response:
    headers = {ITEMS: ",".join(item.id for item in order.items), "Cache-Control": "no-store"}
    async with AsyncExitStack() as stack:
        sounds = await stack.enter_async_context(queues.making(order, owner))
        if not order.stream:
            made = await _unless_gone(request, _collect(sounds))
            whole = await asyncio.to_thread(encode_whole, made, order.format)
            return Response(whole, media_type=order.format.media_type, headers=headers)
        encoder = SoundEncoder(pipe := Pipe(), order.format)
        # An error is told by the status as long as nothing was sent.
        first = await _unless_gone(request, _next_sound(sounds))
        rest = stack.pop_all()

    async def content() -> AsyncIterator[bytes]:
        async with rest:
            sound = first
            while sound is not None:
                await asyncio.to_thread(encoder.add, *sound)
                yield pipe.take()
                try:
                    sound = await _unless_gone(request, _next_sound(sounds))
                except ClientGoneError:
                    return
            await asyncio.to_thread(encoder.end)
            yield pipe.take()

    return StreamingResponse(content(), media_type=order.format.media_type, headers=headers)


async def _collect(sounds: AsyncIterator[T]) -> list[T]:
    return [sound async for sound in sounds]


async def _next_sound(sounds: AsyncIterator[T]) -> T | None:
    return await anext(sounds, None)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """What the work gives; it is cancelled, and ClientGoneError raised, once the connection is closed."""
    working, gone = asyncio.create_task(work), asyncio.create_task(_gone(request))
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGoneError
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read_object(request: Request) -> dict[str, Any]:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise InputError(f"The request has more than {MAX_BODY:,} bytes; send a shorter text.", key="input")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError(f"The request isn't JSON: {error}.") from error
    if not isinstance(body, dict):
        raise InputError("The request is a JSON object; send one with model, input and voice.")
    return body
