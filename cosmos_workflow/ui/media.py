"""Files that are served beside the page: what a browser may show of them, and how they are kept."""

from __future__ import annotations

from pathlib import Path

from fastapi import Request
from starlette.responses import FileResponse

from cosmos_workflow.store.records import LOCAL

TYPES = {
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".srt": "text/plain",
    ".vtt": "text/vtt",
    ".json": "application/json",
}
"""What a browser may show; anything else is only handed out as a download."""


def reader_of(request: Request) -> str:
    """Who asks for a file: the user who logged in, or the local one."""
    return request.scope.get("user_name") or LOCAL


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
