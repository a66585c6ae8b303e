"""Serves files beside the page to whom they belong: results, jobs with what they made, a queue as a file, and the samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from fastapi import FastAPI, HTTPException, Request
from starlette.responses import FileResponse, JSONResponse, StreamingResponse
from zipstream import ZipStream

from cosmos_workflow.config import assets_dir
from cosmos_workflow.errors import InputError
from cosmos_workflow.execution.queue_files import write_queue
from cosmos_workflow.execution.sessions import Sessions
from cosmos_workflow.jobs.document.tasks import slug
from cosmos_workflow.jobs.speech.along import read_along
from cosmos_workflow.jobs.speech.assembly import Final, finals
from cosmos_workflow.queueing.items import ItemStatus
from cosmos_workflow.store.records import RunRecord
from cosmos_workflow.store.store import Store
from cosmos_workflow.ui.access.guard import user_of
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.markup import main_output
from cosmos_workflow.ui.prompts.welcome import SOUNDS
from cosmos_workflow.ui.results.shelf import shown_runs

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
READ = ["GET", "HEAD"]


def serve_results(app: FastAPI, store: Store, folded: Callable[[str], Sequence[str]] = lambda _owner: ()) -> None:
    """What runs made, a file at a time, in parts where a player asks for them; and all that matches in one archive.

    `folded` gives the jobs of an owner whose pieces are shown below what they made, and not among the rest.
    """

    @app.api_route("/media/{run_id}/{key}", methods=READ)
    def output(run_id: str, key: str, request: Request, download: bool = False) -> FileResponse:
        run = store.runs.get(run_id, user_of(request.scope))
        if run is None:
            raise HTTPException(404, "There is no such result.")
        with _answered(404, "There is no such file."):
            path = store.runs.output_path(run, key)
        return _send(path, download, f"{run.id}-{path.name}")

    @app.get("/media.zip")
    def everything(request: Request, engine: str = "", text: str = "", job: str = "") -> StreamingResponse:
        owner = user_of(request.scope)
        chosen = shown_runs(folded(owner), job)
        with _answered(400):
            runs = store.runs.list(owner, engine=engine or None, status=ItemStatus.SUCCEEDED, text=text, limit=None, **chosen)
        return _send_zip(_archive(store, runs[::-1]), "results.zip")


def serve_jobs(app: FastAPI, managers: JobManagers) -> None:
    """A job's file, the finals of its tasks, and its book."""

    @app.api_route("/job-files/{job_id}", methods=READ)
    def source(job_id: str, request: Request) -> FileResponse:
        stored = managers.of(user_of(request.scope)).jobs.find(job_id)
        # A link would lead anywhere; whoever may put one into the folder can read its target without us.
        if stored is None or stored.path.is_symlink():
            raise HTTPException(404, "There is no such job.")
        return _send(stored.path, download=True, fixed=False)

    def find(job_id: str, key: str, number: int, request: Request) -> Final | None:
        with _answered(404, "There is no such task."):
            made = finals(managers.of(user_of(request.scope)).jobs.task_folder(f"{job_id}/{key}"))
        return next((one for one in made if one.number == number), None)

    @app.get("/job-files/{job_id}/{key}/{number}/words")
    def words(job_id: str, key: str, number: int, request: Request) -> JSONResponse:
        found = find(job_id, key, number, request)
        if found is None:
            raise HTTPException(404, "There is no such final.")
        with _answered(404):
            return JSONResponse(read_along(found), headers={"Cache-Control": "private, no-cache"})

    @app.api_route("/job-files/{job_id}/{key}/{number}/{kind}", methods=READ)
    def final(
        job_id: str, key: str, number: int, kind: Literal["sound", "subtitles"], request: Request, download: bool = False
    ) -> FileResponse:
        found = find(job_id, key, number, request)
        return _send((found.path if kind == "sound" else found.subtitles) if found else None, download)

    @app.api_route("/book-files/{job_id}/{name}", methods=READ)
    def book(job_id: str, name: str, request: Request, download: bool = False) -> FileResponse:
        with _answered(404, "There is no such book."):
            made = managers.of(user_of(request.scope)).orchestrator.binder.find(job_id)
        # Only what the book's own record names, whatever the address says.
        paths = [*(file.path for file in made.files), *([made.cover] if made.cover else [])] if made else []
        return _send(next((path for path in paths if path.name == name), None), download)


def serve_rest(app: FastAPI, sessions: Sessions) -> None:
    """What waits and runs in a queue of the reader's, with its input files; and the sounds of the welcome."""

    @app.get("/queue.zip")
    def queue(request: Request, token: str = "") -> StreamingResponse:
        owner = user_of(request.scope)
        with _answered(404):
            session = sessions.find(token, owner)
            names = {known.file: known.name for known in sessions.operations.store.inputs.list(owner)}
            return _send_zip(write_queue(session.queue.snapshot().items, names), "queue.zip")

    @app.api_route("/samples/{name}", methods=READ)
    def sample(name: str) -> FileResponse:
        if name not in SOUNDS:
            raise HTTPException(404, "There is no such sample.")
        return _send(assets_dir() / "samples" / name)


@contextmanager
def _answered(status: int, sentence: str = "") -> Iterator[None]:
    """What is wrong in a request is answered with this status, and with this sentence or its own."""
    try:
        yield
    except InputError as error:
        raise HTTPException(status, sentence or str(error)) from error


def _send(path: Path | None, download: bool = False, name: str = "", *, fixed: bool = True) -> FileResponse:
    """A file, to be saved by its name or `name` where it is a download or nothing that a browser shows; `fixed` never changes."""
    if path is None or not path.is_file():
        raise HTTPException(404, "There is no such file.")
    kind = TYPES.get(path.suffix.lower())
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, max-age=31536000, immutable" if fixed else "private, no-cache",
    }
    shown = name or path.name if download or kind is None else None
    return FileResponse(path, media_type=kind or "application/octet-stream", filename=shown, headers=headers)


def _send_zip(made: ZipStream, name: str) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(len(made))}
    return StreamingResponse(made, media_type="application/zip", headers={**headers, "Cache-Control": "private, no-store"})


def _archive(store: Store, runs: Sequence[RunRecord]) -> ZipStream:
    """The outputs of `runs` as a zip that is made while it is sent; its length is known beforehand.

    Files are numbered in the order of the runs and named after their prompts: "02-good-morning.wav". What goes with the output
    that a person plays has its key too: "03-street-rain-control_edge.mp4". A file that is gone is left out.
    """
    made = ZipStream(sized=True)
    width = max(2, len(str(len(runs))))
    for number, run in enumerate(runs, 1):
        main, _ = main_output(run)
        name = f"{number:0{width}}-{slug(run.prompt_text or run.engine)}"
        for key in run.outputs:
            try:
                path = store.runs.output_path(run, key)
            except InputError:  # replaced by a link that leads out of its folder
                continue
            if path.is_file():
                made.add_path(path, f"{name}{'' if key == main else f'-{key}'}{path.suffix}")
    return made
