"""Serves a queue as a file."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import StreamingResponse

from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.queue_files import write_queue
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.ui.media import reader_of


def router(sessions: Sessions) -> APIRouter:
    """GET of queue.zip?token=...: what waits and runs in a queue of the reader's, with its input files."""
    routes = APIRouter()

    @routes.get("/queue.zip")
    def queue(request: Request, token: str = "") -> StreamingResponse:
        owner = reader_of(request)
        try:
            session = sessions.find(token, owner)
            names = {known.file: known.name for known in sessions.operations.store.inputs.list(owner)}
            made = write_queue(session.queue.snapshot().items, names)
        except InputError as error:
            raise HTTPException(404, str(error)) from error
        headers = {"Content-Disposition": 'attachment; filename="queue.zip"', "Content-Length": str(len(made))}
        return StreamingResponse(made, media_type="application/zip", headers={**headers, "Cache-Control": "private, no-store"})

    return routes
