"""Serves what runs made: a file at a time, to its owner, in parts where a player asks for them."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse

from cosmos_workflow.errors import InputError
from cosmos_workflow.store import LOCAL, Store

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
    """GET and HEAD of media/<run>/<output>; `?download=1` names the file for saving."""
    routes = APIRouter()

    @routes.api_route("/media/{run_id}/{key}", methods=["GET", "HEAD"])
    def output(run_id: str, key: str, request: Request, download: bool = False) -> FileResponse:
        run = store.get_run(run_id, request.scope.get("user_name") or LOCAL)
        if run is None:
            raise HTTPException(404, "There is no such result.")
        try:
            path = store.output_path(run, key)
        except InputError as error:
            raise HTTPException(404, "There is no such file.") from error
        if not path.is_file():
            raise HTTPException(404, "There is no such file.")
        kind = TYPES.get(path.suffix.lower())
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, max-age=31536000, immutable",
        }
        name = f"{run.id}-{path.name}" if download or kind is None else None
        return FileResponse(path, media_type=kind or "application/octet-stream", filename=name, headers=headers)

    return routes
