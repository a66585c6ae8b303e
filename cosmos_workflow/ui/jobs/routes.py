"""Serves job files, and the finals of their tasks, to their owner."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import FileResponse, JSONResponse

from cosmos_workflow.errors import InputError
from cosmos_workflow.jobs.speech.along import read_along
from cosmos_workflow.jobs.speech.assembly import Final, finals
from cosmos_workflow.ui.jobs.managers import JobManagers
from cosmos_workflow.ui.media import reader_of, send


def router(managers: JobManagers) -> APIRouter:
    """GET and HEAD of a job's file, of the finals of its tasks, and of its book."""
    routes = APIRouter()

    @routes.api_route("/job-files/{job_id}", methods=["GET", "HEAD"])
    def source(job_id: str, request: Request) -> FileResponse:
        stored = managers.of(reader_of(request)).jobs.find(job_id)
        # A link would lead anywhere; whoever may put one into the folder can read its target without us.
        if stored is None or stored.path.is_symlink():
            raise HTTPException(404, "There is no such job.")
        return send(stored.path, stored.path.name, True, fixed=False)

    def find(job_id: str, key: str, number: int, request: Request) -> Final | None:
        try:
            made = finals(managers.of(reader_of(request)).jobs.task_folder(f"{job_id}/{key}"))
        except InputError as error:
            raise HTTPException(404, "There is no such task.") from error
        return next((one for one in made if one.number == number), None)

    @routes.get("/job-files/{job_id}/{key}/{number}/words")
    def words(job_id: str, key: str, number: int, request: Request) -> JSONResponse:
        found = find(job_id, key, number, request)
        if found is None:
            raise HTTPException(404, "There is no such final.")
        try:
            return JSONResponse(read_along(found), headers={"Cache-Control": "private, no-cache"})
        except InputError as error:
            raise HTTPException(404, str(error)) from error

    @routes.api_route("/job-files/{job_id}/{key}/{number}/{kind}", methods=["GET", "HEAD"])
    def final(
        job_id: str, key: str, number: int, kind: Literal["sound", "subtitles"], request: Request, download: bool = False
    ) -> FileResponse:
        found = find(job_id, key, number, request)
        path = (found.path if kind == "sound" else found.subtitles) if found else None
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no such file.")
        return send(path, path.name, download)

    @routes.api_route("/book-files/{job_id}/{name}", methods=["GET", "HEAD"])
    def book(job_id: str, name: str, request: Request, download: bool = False) -> FileResponse:
        try:
            made = managers.of(reader_of(request)).orchestrator.binder.find(job_id)
        except InputError as error:
            raise HTTPException(404, "There is no such book.") from error
        # Only what the book's own record names, whatever the address says.
        paths = [*(file.path for file in made.files), *([made.cover] if made.cover else [])] if made else []
        path = next((path for path in paths if path.name == name), None)
        if path is None or not path.is_file():
            raise HTTPException(404, "There is no such file.")
        return send(path, path.name, download)

    return routes
