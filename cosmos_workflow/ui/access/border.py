"""The border of Gradio's app: of its routes those that the page needs, and what a request may say there."""

from __future__ import annotations

import inspect
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import gradio as gr
import orjson
from gradio.block_function import BlockFunction
from gradio.routes import file_upload_statuses
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.ui.access.guard import user_of
from cosmos_workflow.ui.access.uploads import TooLargeError, Uploads

MAX_BODY = 20_000_000
"""Bytes of a call's JSON."""
MAX_DEPTH = 100
"""Lists and objects within one another, in a call's JSON."""
UPLOAD = "/gradio_api/upload"
_NAME = r"[A-Za-z0-9_]{1,64}"
_SESSION = r"(?P<session>[^/]{1,128})"
_EVENT = r"[0-9a-f]{32}"  # Gradio takes anything else for a session
_OPEN = re.compile(
    rf"/|/config/?|/theme\.css|/robots\.txt|/favicon\.ico|/(assets|static)/.+"
    rf"|/gradio_api/(app_id/?|info/?|openapi\.json|startup-events|theme\.css|queue/data|upload_progress|heartbeat/{_SESSION}"
    rf"|call/(v2/)?{_NAME}/{_EVENT})"
)
_CALLS = re.compile(rf"/gradio_api/(queue/join|cancel|reset/?|(run|api|(?P<call>call))/(?P<name>{_NAME})/?)")
_NAMED_CALLS = re.compile(rf"/gradio_api/call/v2/(?P<name>{_NAME})/?")
_KEPT = frozenset({"data", "event_data", "event_id", "fn_index", "session_hash", "trigger_id"})
_SESSION_NAME = re.compile(_SESSION)
_SCOPED = ("session_hash", "upload_id")
_DROPPED = ("deep_link",)


class RefusedError(Exception):
    """A request that isn't passed on, with the status and the sentence of its answer."""


class GradioBorder:
    """Stands before Gradio's app, behind the guard.

    Only what the page and the endpoints need is passed on. A call's body is read here, up to `MAX_BODY`, and what was
    understood is passed on, so that nothing is read in two ways. Sessions are named apart for each user, so that nobody
    reaches another's by its name; a file in a call is one of the caller's uploads, and an address of the web is none.
    """

    def __init__(self, app: ASGIApp, demo: gr.Blocks, uploads: Uploads) -> None:
        self.app = app
        self._demo = demo
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        owner = user_of(scope)
        # Where a proxy is trusted, the server has used what it says already; what a browser says of that kind is never used.
        headers = [(name, value) for name, value in scope["headers"] if not name.startswith(b"x-forwarded-")]
        scope = {**scope, "headers": headers}
        path, method = scope["path"], scope["method"]
        request = Request(scope, receive)
        try:
            if method in ("GET", "HEAD") and (open_route := _OPEN.fullmatch(path)):
                await self._follow(self._with_own_session(scope, owner, open_route["session"]), receive, send)
                return
            if method == "POST" and path == UPLOAD:
                answer: Response = JSONResponse(await self._receive(request, owner))
            elif method == "POST" and (call := _NAMED_CALLS.fullmatch(path) or _CALLS.fullmatch(path)):
                body = await _read_object(request)
                if call.re is _CALLS:
                    checked = self._checked(body, call["name"], owner)
                else:  # its arguments have names
                    self._require_endpoint(call["name"])
                    checked = self._checked_values(body, owner)
                await self.app(*_replayed(scope, receive, orjson.dumps(checked)), send)
                return
            else:
                raise RefusedError(404, "There is nothing here.")
        except RefusedError as refusal:
            answer = _refused(*refusal.args)
        except TooLargeError as error:
            answer = _refused(413, str(error))
        except InputError as error:
            answer = _refused(400, str(error))
        except WorkflowError as error:
            answer = _refused(503, str(error))
        except ClientDisconnect:
            return
        await answer(scope, receive, send)

    async def _follow(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a stream of a session that isn't there (any more) says so and ends, without a traceback."""
        try:
            await self.app(scope, receive, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _receive(self, request: Request, owner: str) -> list[str]:
        """Keep an upload, and tell its progress to whoever asks for it."""
        given = request.query_params.get("upload_id")
        upload = self._own_name(given, owner) if given else ""
        if upload:
            file_upload_statuses.track(upload)

        def tell(name: str, chunk: bytes) -> None:
            if upload:
                file_upload_statuses.append(upload, name, chunk)

        try:
            content_type, length = (request.headers.get(name, "") for name in ("content-type", "content-length"))
            said = int(length[:12]) if length.isdecimal() else 1
            paths = await self._uploads.receive(content_type, request.stream(), owner, tell, said)
        finally:
            if upload:
                file_upload_statuses.set_done(upload)
        self._demo.upload_file_set.update(paths)
        return paths

    def _checked(self, body: dict[str, Any], name: str | None, owner: str) -> dict[str, Any]:
        """The body of a call, without what a page never says."""
        kept = {key: value for key, value in body.items() if key in _KEPT}
        number = kept.get("fn_index")
        if number is None:
            self._require_endpoint(name)
        elif type(number) is not int or number not in self._demo.fns:
            raise RefusedError(404, "This page is of an earlier start; reload it.")
        if "data" in kept:
            kept["data"] = self._whole_values(kept["data"], number, name)
        if kept.get("session_hash") is not None:
            kept["session_hash"] = self._own_name(kept["session_hash"], owner)
        checked = self._checked_values(kept, owner)
        for place, (block, value) in enumerate(zip(self._blocks(number, name), checked.get("data", []), strict=False), 1):
            _require_type(place, block, value)
        return checked

    def _endpoints(self) -> dict[str | None, BlockFunction]:
        """What programs may call, by name."""
        return {str(fn.api_name): fn for fn in self._demo.fns.values() if fn.api_visibility == "public"}

    def _require_endpoint(self, name: str | None) -> None:
        endpoints = self._endpoints()
        if name is not None and name not in endpoints:
            raise RefusedError(404, f"There is no endpoint {name}; use {', '.join(sorted(map(str, endpoints)))}.")

    def _whole_values(self, data: Any, number: int | None, name: str | None) -> list[Any]:
        """The values of a call, with the defaults of those that a program left out at the end."""
        if not isinstance(data, list):
            raise RefusedError(422, "data: give a list of values.")
        defaults: list[Any] = []
        if number is not None:
            blocks = self._blocks(number, name)
        else:
            endpoint, blocks = self._endpoints().get(name), self._blocks(number, name)
            given = inspect.signature(endpoint.fn).parameters.values() if endpoint and endpoint.fn else ()
            defaults = [value.default for value in list(given)[: len(blocks)] if value.default is not inspect.Parameter.empty]
        lacking = len(blocks) - len(data)
        if lacking > len(defaults):
            raise RefusedError(422, f"data: {len(data)} values are too few; give {len(blocks) - len(defaults)}.")
        return [*data, *defaults[len(defaults) - lacking :]] if lacking > 0 else data

    def _blocks(self, number: int | None, name: str | None) -> list[Any]:
        """The components whose values a call holds; a program leaves out what the server keeps for a page."""
        if number is not None:
            return list(self._demo.fns[number].inputs)
        endpoint = self._endpoints().get(name)
        return [block for block in endpoint.inputs if not block.skip_api] if endpoint else []

    def _checked_values(self, value: Any, owner: str, depth: int = 0) -> Any:
        """A value with every file in it checked."""
        if depth > MAX_DEPTH:
            raise RefusedError(400, f"A call has at most {MAX_DEPTH} lists and objects within one another.")
        if isinstance(value, list):
            return [self._checked_values(one, owner, depth + 1) for one in value]
        if not isinstance(value, dict):
            return value
        if "path" in value and isinstance(value.get("meta"), dict):
            if not isinstance(value["path"], str):
                raise RefusedError(422, "A file has a path.")
            own = self._uploads.own(value["path"], owner)
            return {"path": str(own), "orig_name": own.name, "meta": {"_type": "gradio.FileData"}}
        return {key: self._checked_values(one, owner, depth + 1) for key, one in value.items()}

    def _with_own_session(self, scope: Scope, owner: str, session: str | None) -> Scope:
        changed: dict[str, Any] = {}
        if session is not None:
            changed["path"] = f"{scope['path'].removesuffix(session)}{self._own_name(session, owner)}"
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(key in (*_SCOPED, *_DROPPED) for key, _ in query):
            query = [(key, value) for key, value in query if key not in _DROPPED]
            query = [(key, self._own_name(value, owner) if key in _SCOPED else value) for key, value in query]
            changed["query_string"] = urlencode(query).encode()
        return {**scope, **changed}

    def _own_name(self, given: Any, owner: str) -> str:
        """A user's name for a session or an upload, which no other user can say."""
        if not isinstance(given, str) or not _SESSION_NAME.fullmatch(given):
            raise RefusedError(422, "session_hash: give 1 to 128 letters.")
        return f"{self._uploads.scope(owner)}.{given}"


def _require_type(place: int, block: Any, value: Any) -> None:
    """Gradio holds a value against its component's model too, but answers with a traceback."""
    model = getattr(block, "data_model", None)
    if model is None or value is None:
        return
    try:
        model.model_validate(value)
    except ValidationError as error:
        raise RefusedError(422, f"data: value {place} is of a wrong type; {error.errors()[0]['msg']}.") from error


async def _read_object(request: Request) -> dict[str, Any]:
    content = bytearray()
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:12]) > MAX_BODY:
        raise RefusedError(413, f"A call has at most {MAX_BODY // 10**6} MB.")
    async for chunk in request.stream():
        content += chunk
        if len(content) > MAX_BODY:
            raise RefusedError(413, f"A call has at most {MAX_BODY // 10**6} MB.")
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RefusedError(400, f"A call is JSON: {error}.") from error
    if not isinstance(body, dict):
        raise RefusedError(422, "A call is a JSON object.")
    return body


def _replayed(scope: Scope, receive: Receive, body: bytes) -> tuple[Scope, Receive]:
    """The request with this JSON for its body."""
    headers = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", b"content-type")]
    headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    read = False

    async def receive_again() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": headers}, receive_again


def _refused(status: int, text: str) -> Response:
    return JSONResponse({"error": text, "detail": text}, status)
