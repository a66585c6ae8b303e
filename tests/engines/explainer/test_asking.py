"""The way from a topic to an outline: whatever an endpoint answers, there is an outline or one clear sentence, and no secret."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from explainer_support import KEY, MODEL, SHORT, Stub, flood, stall
from support import DEADLINE

from cosmos_workflow.engines.explainer import SPEC, asking
from cosmos_workflow.engines.explainer.asking import ask_outline, check_model, spell_wish
from cosmos_workflow.engines.explainer.endpoint import KEY_VARIABLE, MODEL_VARIABLE, URL_VARIABLE, Endpoint
from cosmos_workflow.engines.explainer.outline import Outline, parse_outline
from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError

GOOD = parse_outline(SHORT, "short")
ANSWER = GOOD.model_dump_json()
WISH = spell_wish("Why is the sky blue?", 5, "")


def ask(stub: Stub, *answers: Any, check: Callable[[Outline], None] = lambda _: None) -> Outline:
    stub.answers = list(answers)
    return ask_outline(Endpoint.from_environment(), WISH, lambda _: None, check)


def refused(stub: Stub, *answers: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        ask(stub, *answers)
    said = str(caught.value)
    assert KEY not in said
    assert MODEL not in said
    assert stub.url not in said
    assert said.startswith("explainer: ")
    assert "\n" not in said
    return said


def test_a_topic_becomes_an_outline(stub: Stub) -> None:
    assert ask(stub, ANSWER) == GOOD
    (question,) = stub.questions
    assert question["model"] == MODEL
    assert set(question) == {"model", "messages"}
    assert "Why is the sky blue?" in question["messages"][-1]["content"]
    assert "5 scenes" in question["messages"][-1]["content"]
    assert '"narration"' in question["messages"][0]["content"]
    assert stub.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY_VARIABLE)
    assert ask(stub, ANSWER) == GOOD
    assert "Authorization" not in stub.headers[0]


@pytest.mark.parametrize("around", ["```json\n{}\n```", "Here it is:\n{}\nEnjoy!"])
def test_json_among_other_words_is_found(stub: Stub, around: str) -> None:
    assert ask(stub, around.replace("{}", ANSWER)) == GOOD


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "mistake"),
    [
        ("I'm sorry, I can't help with that.", "holds no JSON object"),
        (ANSWER[:-30] + "}", "isn't JSON"),
        ("", "holds no JSON object"),
        (None, "holds no JSON object"),
        ('{"title": "T", "scenes": []}', "write a list of 1 to 20 scenes"),
        (ANSWER.replace('"narration"', '"voice"', 1), "narration is missing"),
        ("[" * 100_000 + "{" * 100_000 + "}", "isn't JSON"),
    ],
)
def test_a_wrong_answer_is_asked_for_again_with_its_mistakes(stub: Stub, wrong: str | None, mistake: str) -> None:
    assert ask(stub, wrong, wrong, ANSWER) == GOOD
    assert len(stub.questions) == 3
    assert mistake in stub.questions[1]["messages"][-1]["content"]
    assert [message["role"] for message in stub.questions[2]["messages"]] == [
        *("system", "user"),
        *("assistant", "user") * 2,
    ]


def test_after_two_more_tries_it_is_given_up(stub: Stub) -> None:
    said = refused(stub, '{"title": "T"}')
    assert len(stub.questions) == 3
    assert "3 answers weren't a usable outline" in said
    assert "scenes is missing" in said


def test_what_the_schema_cannot_tell_is_asked_for_again_too(stub: Stub) -> None:
    seen: list[Outline] = []

    def check(outline: Outline) -> None:
        seen.append(outline)
        if len(seen) == 1:
            raise InputError("scenes[2].formula: unknown variable.")

    assert ask(stub, ANSWER, check=check) == GOOD
    assert "unknown variable" in stub.questions[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            (401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
            f"refuses the key (status 401); check {KEY_VARIABLE}",
        ),
        ((403, b""), "refuses the key"),
        ((404, {"error": "no such model"}), "no such address or model"),
        ((429, b"slow down"), "busy or broken (status 429); try again later"),
        ((503, b"<html>"), "busy or broken (status 503)"),
        (
            (400, {"error": {"message": f"{MODEL}: the context is too long"}}),
            "refused the question (status 400): '***: the context",
        ),
        ((302, b""), "refused the question (status 302)"),
        ((200, b"<html>a login page</html>"), "doesn't answer like an OpenAI-compatible endpoint"),
        ((200, {"choices": []}), "doesn't answer like"),
        ((200, {"choices": [{"message": {"refusal": f"No, {KEY}.", "content": None}}]}), "the model declined: 'No, ***.'"),
        ((200, {"choices": [{"message": {"content": ""}, "finish_reason": "content_filter"}]}), "content filter"),
    ],
)
def test_a_refusal_is_told_and_not_tried_again(stub: Stub, answer: tuple[int, Any], says: str) -> None:
    assert says in refused(stub, answer)
    assert len(stub.questions) == 1


def test_an_answer_that_never_comes_is_given_up(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.3)
    assert "didn't answer within 0.3 s" in refused(stub, stall)
    assert stub.gone.wait(DEADLINE)


def test_an_answer_without_end_is_cut_off(stub: Stub) -> None:
    assert "larger than 2 MB" in refused(stub, flood)
    assert stub.gone.wait(DEADLINE)


def test_waiting_ends_as_soon_as_nobody_wants_the_answer(stub: Stub) -> None:
    class UnwantedError(Exception):
        pass

    def look(_: str) -> None:
        if stub.asked.is_set():
            raise UnwantedError

    stub.answers = [stall]
    with pytest.raises(UnwantedError):
        ask_outline(Endpoint.from_environment(), WISH, look, lambda _: None)
    assert stub.gone.wait(DEADLINE)


def test_nobody_listening_is_one_sentence(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(URL_VARIABLE, "http://127.0.0.1:9/v1")
    with pytest.raises(UnavailableError, match=f"can't be reached .*; check {URL_VARIABLE}"):
        check_model(Endpoint.from_environment(), lambda: None)


def test_a_model_that_is_not_offered_is_found_before_the_work(stub: Stub) -> None:
    endpoint = Endpoint.from_environment()
    check_model(endpoint, lambda: None)
    stub.models = (200, {"data": [{"id": "small"}, {"id": "large"}]})
    with pytest.raises(InputError, match=rf"{MODEL_VARIABLE} names; it offers large, small"):
        check_model(endpoint, lambda: None)
    stub.models = (401, b"")
    with pytest.raises(InputError, match="refuses the key"):
        check_model(endpoint, lambda: None)
    stub.models = (404, b"")
    check_model(endpoint, lambda: None)
    stub.models = (200, b"not a list")
    check_model(endpoint, lambda: None)
    assert not stub.questions


def test_secrets_are_not_logged_or_shown(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoint = Endpoint.from_environment()
    check_model(endpoint, lambda: None)
    ask(stub, ANSWER)
    for text in (caplog.text, repr(endpoint), str(endpoint)):
        for secret in (KEY, MODEL, stub.url, stub.url.removeprefix("http://").removesuffix("/v1")):
            assert secret not in text


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (URL_VARIABLE, "", "a topic needs a model; set COSMOS_WORKFLOW_LLM_URL and COSMOS_WORKFLOW_LLM_MODEL"),
        (MODEL_VARIABLE, "", "or write an outline"),
        (URL_VARIABLE, "localhost:8080", "isn't an address"),
        (URL_VARIABLE, "file:///etc/passwd", "isn't an address"),
        (URL_VARIABLE, "http://me:secret@example.org/v1", "isn't an address"),
        (URL_VARIABLE, "http://[half", "isn't an address"),
        (KEY_VARIABLE, "sk\nX: y", "holds characters that no key has"),
    ],
)
def test_a_topic_without_a_usable_endpoint_is_refused_before_it_is_queued(
    stub: Stub, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputError) as caught:
        SPEC.check(SPEC.recipe("Why is the sky blue?", {}, {}, {}))
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    SPEC.check(SPEC.recipe(SHORT, {}, {}, {}))
