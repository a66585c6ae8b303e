"""A topic becomes an outline by a language model. Its words are data: they are checked, never run."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from cosmos_workflow.engines.explainer.endpoint import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, Endpoint
from cosmos_workflow.engines.explainer.outline import Outline, validate_outline
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError, list_choices, shorten

ASKED_AGAIN = 2
"""How often a model that answers with something else than an outline is told so, and asked again."""
CHECK_SECONDS = 20.0
ANSWER_SECONDS = 300.0
"""Seconds for one answer, from the question to its last byte."""
MAX_ANSWER = 2_000_000
"""Bytes of an answer."""
LOOK_EVERY = 0.1
"""Seconds between two looks at whether the item was cancelled."""

_NO_LIST = {404, 405, 501}
_TASK = (
    "You plan short explainer videos. Answer with one JSON object and nothing else: no prose, no code fence. "
    "It must follow this JSON schema:\n{schema}\n"
    "Each scene is a title card, or shows exactly one of bullets, formula and chart. Every scene has a narration of two to "
    "five plain sentences, written to be spoken. Formulas are in Typst's math notation, not LaTeX: a/b, sqrt(x), "
    'sum_(k=1)^n, x_"max", alpha, without dollar signs. Use a chart only for figures that are well known. The first scene '
    "is a title card."
)


def spell_wish(topic: str, scenes: int, language: str) -> str:
    """What a model is asked for."""
    return f"Plan a video of {scenes} scenes, in {language or 'the language of the topic'}. Topic:\n{topic}"


def check_model(endpoint: Endpoint, look: Callable[[], None]) -> None:
    """Raise where the endpoint can't be reached, refuses the key, or doesn't offer the model. `look` may raise to stop it.

    An endpoint without a list of models can't be asked; there the first question shows it.
    """
    status, content = _watched(_exchange(endpoint, "GET", "/models", None, CHECK_SECONDS), look)
    if status in _NO_LIST:
        return
    _check_status(endpoint, status, content)
    offered = _offered(content)
    if offered and endpoint.model not in offered:
        names = endpoint.scrub(list_choices(offered, 8))
        raise InputError(f"explainer: the endpoint doesn't offer the model that {MODEL_VARIABLE} names; it offers {names}.")


def ask_outline(endpoint: Endpoint, wish: str, look: Callable[[str], None], check: Callable[[Outline], None]) -> Outline:
    """An outline by a model: checked, and asked for again with its mistakes at most `ASKED_AGAIN` times.

    `check` raises InputError for what the schema can't tell. `look` gets what is going on, and may raise to stop it.
    """
    schema = json.dumps(Outline.model_json_schema(), separators=(",", ":"))
    messages = [{"role": "system", "content": _TASK.replace("{schema}", schema)}, {"role": "user", "content": wish}]
    problem = ""
    for attempt in range(1 + ASKED_AGAIN):
        doing = "Asking the model for an outline" if attempt == 0 else f"Asking the model to mend it ({attempt} of {ASKED_AGAIN})"
        answer = _ask(endpoint, messages, lambda doing=doing: look(doing))
        try:
            outline = validate_outline(_json_in(answer), "the outline")
            check(outline)
        except InputError as error:
            problem = endpoint.scrub(str(error))
            again = f"That isn't right: {problem} Answer with the whole corrected JSON object and nothing else."
            messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": again}]
        else:
            return outline
    raise WorkflowError(
        f"explainer: the model's {1 + ASKED_AGAIN} answers weren't a usable outline; the last mistake: {problem} "
        "Say the topic more plainly, use another model, or write the outline."
    )


def _ask(endpoint: Endpoint, messages: list[dict[str, str]], look: Callable[[], None]) -> str:
    """The text of one answer."""
    body = {"model": endpoint.model, "messages": messages}
    status, content = _watched(_exchange(endpoint, "POST", "/chat/completions", body, ANSWER_SECONDS), look)
    _check_status(endpoint, status, content)
    try:
        choice = json.loads(content)["choices"][0]
        message = choice["message"]
        refusal, text = message.get("refusal"), message.get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise UnavailableError(
            f"explainer: what {URL_VARIABLE} names doesn't answer like an OpenAI-compatible endpoint; check the address."
        ) from None
    if refusal:
        raise WorkflowError(f"explainer: the model declined: {endpoint.scrub(shorten(refusal, 200))}. Change the topic.")
    if choice.get("finish_reason") == "content_filter":
        raise WorkflowError("explainer: the endpoint's content filter stopped the answer. Change the topic.")
    return text if isinstance(text, str) else ""


def _json_in(answer: str) -> Any:
    """The JSON object in an answer, which may stand in a code fence or between sentences; raises InputError."""
    start, end = answer.find("{"), answer.rfind("}")
    if start < 0 or end < start:
        raise InputError(f"the outline: the answer holds no JSON object, it begins {shorten(answer, 160)}.")
    try:
        return json.loads(answer[start : end + 1])
    except (ValueError, RecursionError) as error:
        raise InputError(f"the outline: the answer isn't JSON ({error}).") from None


async def _exchange(endpoint: Endpoint, method: str, path: str, body: dict[str, Any] | None, seconds: float) -> tuple[int, bytes]:
    """Status and content of one request; raises UnavailableError where there is none within `seconds`."""
    import httpx

    # At INFO it would log the address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    headers = {"Authorization": f"Bearer {endpoint.key}"} if endpoint.key else {}
    try:
        async with (
            asyncio.timeout(seconds),
            httpx.AsyncClient(timeout=httpx.Timeout(seconds, connect=15.0)) as client,
            client.stream(method, endpoint.url + path, json=body, headers=headers) as response,
        ):
            content = bytearray()
            async for part in response.aiter_bytes():
                content += part
                if len(content) > MAX_ANSWER:
                    raise WorkflowError(
                        f"explainer: the model's answer is larger than {MAX_ANSWER / 1e6:g} MB; use another model."
                    )
            return response.status_code, bytes(content)
    except (TimeoutError, httpx.TimeoutException):
        raise UnavailableError(
            f"explainer: the model's endpoint didn't answer within {seconds:g} s; try again when it is less busy."
        ) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        reason = endpoint.scrub(shorten(str(error) or type(error).__name__, 120))
        raise UnavailableError(f"explainer: the model's endpoint can't be reached ({reason}); check {URL_VARIABLE}.") from None


def _watched(exchange: Coroutine[Any, Any, tuple[int, bytes]], look: Callable[[], None]) -> tuple[int, bytes]:
    """The result of `exchange`, looking around every `LOOK_EVERY` seconds; what `look` raises ends it at once."""

    async def watch() -> tuple[int, bytes]:
        task = asyncio.create_task(exchange)
        try:
            while not task.done():
                look()
                await asyncio.wait({task}, timeout=LOOK_EVERY)
            return await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return asyncio.run(watch())


def _check_status(endpoint: Endpoint, status: int, content: bytes) -> None:
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise InputError(f"explainer: the endpoint refuses the key (status {status}); check {KEY_VARIABLE}.")
    if status == 404:
        raise InputError(
            f"explainer: the endpoint has no such address or model (404); check {URL_VARIABLE}, which usually ends in /v1, "
            f"and {MODEL_VARIABLE}."
        )
    if status == 429 or status >= 500:
        raise UnavailableError(f"explainer: the model's endpoint is busy or broken (status {status}); try again later.")
    said = endpoint.scrub(_message(content))
    raise UnavailableError(f"explainer: the model's endpoint refused the question (status {status}){said}.")


def _message(content: bytes) -> str:
    try:
        return f": {shorten(str(json.loads(content)['error']['message']), 200)}"
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""


def _offered(content: bytes) -> list[str]:
    """Names in the answer to /models; none where it isn't such a list."""
    try:
        return sorted(str(entry["id"]) for entry in json.loads(content)["data"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return []
