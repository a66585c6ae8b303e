"""Serves what runs made: a file at a time, to its owner, in parts where a player asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, StreamingResponse

from cosmos_workflow.errors import InputError
from cosmos_workflow.queueing import ItemStatus
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.results.archive import archive

TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".png": "image/png",
    ".srt": "text/plain",
    ".vtt": "text/vtt",
    ".json": "application/json",
}
"""What a browser may show; anything else is only handed out as a download."""


def router(store: Store) -> APIRouter:
    """GET and HEAD of media/<run>/<output>, which `?download=1` names for saving; GET of media.zip, all that matches."""
    routes = APIRouter()

    @routes.api_route("/media/{run_id}/{key}", methods=["GET", "HEAD"])
    def output(run_id: str, key: str, request: Request, download: bool = False) -> FileResponse:
        run = store.runs.get(run_id, request.scope.get("user_name") or LOCAL)
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
    def everything(request: Request, engine: str = "", text: str = "") -> StreamingResponse:
        owner = request.scope.get("user_name") or LOCAL
        try:
            runs = store.runs.list(owner, engine=engine or None, status=ItemStatus.SUCCEEDED, text=text, limit=None)
        except InputError as error:
            raise HTTPException(400, str(error)) from error
        made = archive(store, runs[::-1])
        headers = {"Content-Disposition": 'attachment; filename="results.zip"', "Content-Length": str(len(made))}
        return StreamingResponse(made, media_type="application/zip", headers={**headers, "Cache-Control": "private, no-store"})

    return routes


def job_router(managers: JobManagers) -> APIRouter:
    """GET and HEAD of a job's file, and of the finals of its tasks."""
    routes = APIRouter()

    @routes.api_route("/job-files/{job_id}", methods=["GET", "HEAD"])
    def source(job_id: str, request: Request) -> FileResponse:
        stored = managers.of(request.scope.get("user_name") or LOCAL).find(job_id)
        # A link would lead anywhere; whoever may put one into the folder can read its target without us.
        if stored is None or stored.path.is_symlink():
            raise HTTPException(404, "There is no such job.")
        return send(stored.path, stored.path.name, True, fixed=False)

    @routes.api_route("/job-files/{job_id}/{key}/{number}/{kind}", methods=["GET", "HEAD"])
    def final(
        job_id: str, key: str, number: int, kind: Literal["sound", "subtitles"], request: Request, download: bool = False
    ) -> FileResponse:
        manager = managers.of(request.scope.get("user_name") or LOCAL)
        try:
            made = manager.finals(f"{job_id}/{key}")
        except InputError as error:
            raise HTTPException(404, "There is no such task.") from error
        found = next((one for one in made if one.number == number), None)
        path = (found.path if kind == "sound" else found.subtitles) if found else None
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no such file.")
        return send(path, path.name, download)

    return routes


def send(path: Path, name: str, download: bool, *, fixed: bool = True) -> FileResponse:
    """A file, to be saved under `name` where it is a download or nothing that a browser shows; `fixed` ones never change."""
    kind = TYPES.get(path.suffix.lower())
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=31536000, immutable" if fixed else "private, no-cache",
    }
    shown = name if download or kind is None else None
    return FileResponse(path, media_type=kind or "application/octet-stream", filename=shown, headers=headers)
