"""Errors as OpenAI's clients read them: an object with one sentence, and a status by which they decide whether to try again."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse

from cosmos_workflow.errors import InputError, UnavailableError, WorkflowError

PREFIX = "/v1"
"""What the paths of the speech API begin with."""


class CrowdedError(WorkflowError):
    """Too many are waiting."""


class SpeechFailedError(WorkflowError):
    """A piece could not be made."""


def refuse(error: WorkflowError) -> JSONResponse:
    """An error as OpenAI's clients read it. One that another try wouldn't mend says so, since they try again by themselves."""
    kind, status, code = "server_error", 500, None
    if isinstance(error, InputError):
        kind, status = "invalid_request_error", 400
        if error.key == "model":
            status, code = 404, "model_not_found"
    elif isinstance(error, CrowdedError):
        kind, status, code = "rate_limit_error", 429, "rate_limit_exceeded"
    elif isinstance(error, UnavailableError):
        status = 503
    headers = {"Retry-After": "1"} if status == 429 else {"X-Should-Retry": "false"}
    return error_response(str(error), status, kind, error.key or None, code, headers)


def error_response(
    message: str,
    status: int,
    kind: str,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error object of OpenAI's API."""
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status, headers)
