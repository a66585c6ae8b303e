"""Serves what runs made: a file at a time, to its owner, in parts where a player asks for them; or all in one archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, StreamingResponse

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.media import reader_of, send
from cosmos_workflow.ui.results.archive import archive
from cosmos_workflow.ui.results.shelf import shown_runs


def router(store: Store, folded: Callable[[str], Sequence[str]] = lambda _owner: ()) -> APIRouter:
    """GET and HEAD of media/<run>/<output>, which `?download=1` names for saving; GET of media.zip, all that matches.

    `folded` gives the jobs of an owner whose pieces are shown below what they made, and not among the rest.
    """
    routes = APIRouter()

    @routes.api_route("/media/{run_id}/{key}", methods=["GET", "HEAD"])
    def output(run_id: str, key: str, request: Request, download: bool = False) -> FileResponse:
        run = store.runs.get(run_id, reader_of(request))
        if run is None:
            raise HTTPException(404, "There is no such result.")
        try:
            path = store.runs.output_path(run, key)
        except InputError as error:
            raise HTTPException(404, "There is no such file.") from error
        if not path.is_file():
            raise HTTPException(404, "There is no such file.")
        return send(path, f"{run.id}-{path.name}", download)

    @routes.get("/media.zip")
    def everything(request: Request, engine: str = "", text: str = "", job: str = "") -> StreamingResponse:
        owner = reader_of(request)
        chosen = shown_runs(folded(owner), job)
        try:
            runs = store.runs.list(owner, engine=engine or None, status=ItemStatus.SUCCEEDED, text=text, limit=None, **chosen)
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        made = archive(store, runs[::-1])
        headers = {"Content-Disposition": 'attachment; filename="results.zip"', "Content-Length": str(len(made))}
        return StreamingResponse(made, media_type="application/zip", headers={**headers, "Cache-Control": "private, no-store"})

    return routes
