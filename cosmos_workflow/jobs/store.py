"""Job files in the workspace, and what is kept beside each: finals, choices, and changes that aren't saved yet."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from cosmos_workflow.config import Workspace
from cosmos_workflow.errors import InputError, UnavailableError, shorten
from cosmos_workflow.files import Disk, file_errors, file_stamp, folder_name, inside, is_name_everywhere, path_digest, readable
from cosmos_workflow.jobs.document.loading import parse_job
from cosmos_workflow.jobs.document.tasks import JobFile, is_slug, slug
from cosmos_workflow.jobs.takes import Choice
from cosmos_workflow.store.pronunciations import Pronunciations
from cosmos_workflow.store.records import LOCAL
from cosmos_workflow.yaml_places import MAX_YAML_BYTES, read_text_file

ENDINGS = (".yaml", ".yml")
ORDER = ".order.json"
CHOICES = "choices.json"
DRAFTS = ".drafts"
GLANCE = 0.25
"""Seconds that somebody who only looks whether a job runs may hold its lock, at the very most."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job file in the workspace: `job` is None where it is wrong, and `problem` says what then, a line for each problem."""

    id: str
    path: Path
    job: JobFile | None
    problem: str = ""

    @property
    def name(self) -> str:
        """What a person reads."""
        return self.job.name if self.job else readable(self.path.stem)

    @property
    def enabled(self) -> bool:
        """Whether run mode takes it."""
        return self.job is not None and self.job.enabled


@dataclass(frozen=True, slots=True)
class Draft:
    """A job's text that isn't saved, and `base`, the file's text that it began from."""

    base: str
    text: str


class JobStore:
    """Reads and writes one owner's job files; every write is whole or not at all. Knows nothing of running."""

    def __init__(self, workspace: Workspace, owner: str = LOCAL, disk: Disk | None = None) -> None:
        self.workspace = workspace
        self.owner = owner
        self.disk = disk or Disk()
        self.folder = workspace.jobs if owner == LOCAL else workspace.jobs / f"_{folder_name(owner).removeprefix('_')}"
        self.pronunciations = Pronunciations(workspace, self.disk)
        self._read: dict[Path, tuple[tuple[tuple[int, ...], ...], StoredJob]] = {}
        with file_errors(f"The folder {self.folder}"):
            self.folder.mkdir(parents=True, exist_ok=True)

    def ids(self) -> list[str]:
        """The jobs in their order: as `set_order` left it, new ones behind."""
        paths = [path for path in self.folder.iterdir() if path.suffix in ENDINGS]
        ids = [self._id_in_folder(path) for path in sorted(paths, key=lambda path: (path.stem.lower(), path.name))]
        return list(dict.fromkeys([*(job_id for job_id in self._order() if job_id in ids), *ids]))

    def list(self) -> list[StoredJob]:
        """Every job, wrong ones included, in order."""
        return [job for job_id in self.ids() if (job := self.find(job_id)) is not None]

    def find(self, job_id: str) -> StoredJob | None:
        """A job; None where there is none of that id."""
        path = self._path_of(job_id)
        if path is None:
            return None
        known, stamps = self._read.get(path), (file_stamp(path), self._own_stamp())
        job = known[1].job if known and known[0] == stamps else None
        if known and job and all(file_stamp(named) == stamp for named, stamp in job.files.items()):
            return known[1]
        try:
            stored = StoredJob(job_id, path, self._load(path, job_id))
        except InputError as error:
            stored = StoredJob(job_id, path, None, str(error))
        self._read[path] = stamps, stored
        return stored

    def get(self, job_id: str) -> StoredJob:
        """A job; raises InputError where there is none of that id."""
        stored = self.find(job_id)
        if stored is None:
            raise InputError(f"There is no job {shorten(job_id)}; it may have been deleted.")
        return stored

    def load(self, path: Path) -> JobFile:
        """The checked job in any file: one of the workspace under its own id, others under one that tells their places apart.

        Raises InputError. A file outside the workspace may name files wherever its writer likes.
        """
        whole = path.expanduser().absolute()
        if whole.parent.resolve() == self.folder.resolve() and whole.suffix in ENDINGS:
            return self._load(self.folder / whole.name, self._id_in_folder(whole))
        place = path_digest(whole.resolve())[:8]
        own = self.pronunciations.of(self.owner)
        text = read_text_file(path, MAX_YAML_BYTES, "job file", readable)
        return parse_job(text, path, job_id=f"{slug(whole.stem)}-{place}", pronunciations=own)

    def job(self, job_id: str) -> JobFile:
        """A job as its file has it; raises InputError for one that is wrong or isn't there."""
        stored = self.get(job_id)
        if stored.job is None:
            raise InputError(f"{stored.name} can't be used while its file is wrong: {stored.problem}")
        return stored.job

    def source(self, job_id: str) -> str:
        """The text of a job file."""
        path = self.get(job_id).path
        with file_errors(self.shown(path)):
            return path.read_text(encoding="utf-8-sig", errors="replace")

    def check(self, text: str, job_id: str = "") -> JobFile:
        """The job that this text would be in the workspace; raises JobFileError with every problem."""
        path = self._path_of(job_id) if job_id else None
        path = path or self.folder / f"{job_id or 'job'}.yaml"
        return self._parse(text, path, job_id)

    def shown(self, path: Path) -> str:
        """A path for a person: as it is called within the workspace, where it lies in there."""
        for root in (self.workspace.root, self.workspace.root.resolve()):
            if path.is_relative_to(root):
                return readable(path.relative_to(root).as_posix())
        return readable(path)

    def save(self, job_id: str, text: str) -> StoredJob:
        """Put a text into a job's file, made where it is missing; JobFileError where it is wrong, and nothing changes then.

        The text is read once, however long the job: the next `find` has it.
        """
        own = self._own_stamp()
        job = self.check(text, job_id)
        path = self._path_of(job_id) or self.folder / f"{job_id}.yaml"
        self.disk.write(path, text.encode())
        stored = StoredJob(job_id, path, job)
        self._read[path] = (file_stamp(path), own), stored
        return stored

    def add(self, job_id: str, text: str) -> StoredJob:
        """A new job, behind all others."""
        before = self.ids()
        stored = self.save(job_id, text)
        self.set_order([*before, job_id])
        return stored

    def new_id(self, name: str) -> str:
        """An id that is free, from a name."""
        taken, base, number = set(self.ids()), slug(name), 1
        while (job_id := base if number == 1 else f"{base}-{number}") in taken or (self.folder / job_id).exists():
            number += 1
        return job_id

    def delete(self, job_id: str) -> None:
        """Take away a job's file and its folder with the finals; its runs stay in Results."""
        stored = self.get(job_id)
        with file_errors(str(stored.path)):
            stored.path.unlink()
        self.disk.remove_folder(self.job_folder(job_id))
        self.set_draft(job_id, None)
        self._read.pop(stored.path, None)

    def set_order(self, ids: list[str]) -> None:
        """Remember the order of the jobs."""
        self.disk.write(self.folder / ORDER, json.dumps(ids).encode())

    def job_folder(self, job_id: str) -> Path:
        """Where a job's finals are, a folder a task; it may not be there yet."""
        if not is_slug(job_id):
            raise InputError(f"{shorten(job_id)} isn't the id of a job.")
        return self.folder / job_id

    def task_folder(self, task_id: str) -> Path:
        """A task's finals and choices; it may not be there yet. `task_id` is "job/task"."""
        job_id, _, key = task_id.partition("/")
        if not is_slug(key):
            raise InputError(f"{shorten(task_id)} isn't the id of a task.")
        return self.job_folder(job_id) / key

    def choices(self, task_id: str) -> dict[str, Choice]:
        """What a person decided about a task's pieces, by the piece's digest."""
        path = self.task_folder(task_id) / CHOICES
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return {piece: Choice(int(choice["extra"]), str(choice["run_id"])) for piece, choice in told.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise UnavailableError(
                f"{self.shown(path)} can't be read ({reason}); delete it to let the best takes be used."
            ) from error

    def set_choice(self, task_id: str, piece: str, choice: Choice) -> None:
        """Remember a decision about a piece."""
        folder = self.task_folder(task_id)
        self.disk.make_folder(folder)
        with self._lock(f"choices-{task_id}"):
            choices: Mapping[str, Choice] = {**self.choices(task_id), piece: choice}
            text = json.dumps({key: asdict(value) for key, value in choices.items()}, indent=1)
            self.disk.write(folder / CHOICES, text.encode())

    def draft(self, job_id: str) -> Draft | None:
        """What of a job isn't saved; None where everything is, or where the draft was damaged."""
        try:
            return Draft(**json.loads(self._draft_path(job_id).read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def set_draft(self, job_id: str, draft: Draft | None) -> None:
        """Keep what of a job isn't saved, or forget it: neither another job, a reload nor a restart loses it."""
        path = self._draft_path(job_id)
        if draft is None:
            with file_errors("The unsaved changes"):
                path.unlink(missing_ok=True)
            return
        self.disk.make_folder(path.parent)
        self.disk.write(path, json.dumps(asdict(draft)).encode())

    def drafts(self) -> list[str]:
        """The jobs of which something isn't saved."""
        return [path.stem for path in (self.folder / DRAFTS).glob("*.json")]

    def take_in(self, source: Path, name: str) -> None:
        """Put a copy of a file beside the jobs, for them to name; raises InputError for a name that can't be used here."""
        target = inside(self.folder, name, "the folder of jobs")
        if name.startswith((".", "_")) or not is_name_everywhere(name) or target.parent != self.folder.resolve():
            raise InputError(f"{shorten(name)} can't be a file's name here; rename it.")
        if target.is_dir():
            raise InputError(f"{shorten(name)} is the name of a folder here; rename the file.")
        with file_errors(name):
            if target.exists() and target.read_bytes() != source.read_bytes():
                raise InputError(f"There is another file {shorten(name)} already; rename yours.")
            free = shutil.disk_usage(target.parent).free
            if free < source.stat().st_size:
                raise UnavailableError(f"{name} can't be written: the disk is full; free some space and try again.")
        self.disk.copy(source, target)

    def job_lock(self, job_id: str) -> FileLock:
        """A lock, not yet held, for whoever runs or assembles a job: page and command line share it."""
        return self._lock(f"job-{job_id}")

    @contextmanager
    def held_now(self, job_id: str, name: str) -> Iterator[None]:
        """A job's lock, got at once; raises UnavailableError, with the job's name, while somebody has it."""
        try:
            held = self.job_lock(job_id).acquire(timeout=GLANCE)
        except Timeout:
            raise UnavailableError(f"The job {name} is running; stop it first, or wait until it is done.") from None
        with held:
            yield

    def is_held(self, job_id: str) -> bool:
        """Whether some program is running or assembling a job at this moment."""
        try:
            with self.job_lock(job_id).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _own_stamp(self) -> tuple[int, ...]:
        return file_stamp(self.pronunciations.path(self.owner))

    def _load(self, path: Path, job_id: str) -> JobFile:
        return self._parse(read_text_file(path, MAX_YAML_BYTES, "job file", self.shown), path, job_id)

    def _parse(self, text: str, path: Path, job_id: str) -> JobFile:
        own = self.pronunciations.of(self.owner)
        return parse_job(text, path, job_id=job_id, root=self.folder, shown=self.shown, pronunciations=own)

    def _lock(self, name: str) -> FileLock:
        mark = hashlib.sha256(f"{self.owner}/{name}".encode()).hexdigest()[:12]
        return FileLock(self.workspace.locks / f"{slug(name)}-{mark}.lock", thread_local=False)

    def _draft_path(self, job_id: str) -> Path:
        return self.folder / DRAFTS / f"{self.job_folder(job_id).name}.json"

    def _path_of(self, job_id: str) -> Path | None:
        for ending in ENDINGS:
            path = self.folder / f"{job_id}{ending}"
            if is_slug(job_id) and path.is_file():
                return path
        return next(
            (path for path in self.folder.iterdir() if path.suffix in ENDINGS and self._id_in_folder(path) == job_id), None
        )

    def _id_in_folder(self, path: Path) -> str:
        # A file that somebody put there by hand may have any name.
        plain = is_slug(path.stem) and (path.suffix == ENDINGS[0] or not path.with_suffix(ENDINGS[0]).exists())
        return path.stem if plain else f"{slug(path.stem)}-{path_digest(path.name)[:6]}"

    def _order(self) -> list[str]:
        try:
            order = json.loads((self.folder / ORDER).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return []  # without an order they are sorted by name
        return [job_id for job_id in order if isinstance(job_id, str)] if isinstance(order, list) else []
