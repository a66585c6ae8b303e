"""The workspace, its settings, and its locks. Built once by whoever starts the program; importing this does no I/O."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cosmos_workflow.errors import InputError, UnavailableError, list_choices, shorten
from cosmos_workflow.files import Disk, file_errors, readable

HOME_VARIABLE = "COSMOS_WORKFLOW_HOME"
SETTINGS_FILE = "settings.yaml"
DATABASE_FILE = "workflow.sqlite3"


_CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]"


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the day, in minutes from midnight; one that ends before it begins goes over midnight."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """From "22:00-07:00"; None for an empty text."""
        if not text:
            return None
        begin, end = ((int(clock[:2]), int(clock[3:])) for clock in text.split("-"))
        return cls(60 * begin[0] + begin[1], 60 * end[0] + end[1])

    def contain(self, minute: int) -> bool:
        """Whether a minute of the day is among them."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


class Notify(BaseModel):
    """Who is told what has ended: a URL that takes a POST, with the secret by which it knows us.

    `private` allows a name that means an address of one's own network.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://[^\s/]+(/\S*)?$")
    secret: str = ""
    private: bool = False


class Settings(BaseModel):
    """What a person may set in `settings.yaml` of the workspace; every key has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    startup: Literal["stay_paused", "resume", "ask"] = "stay_paused"
    """What happens at start to a queue that an earlier life left behind."""
    live_interval: float = Field(default=5.0, ge=0.5, le=3600)
    """Seconds between two live updates of the page while nothing runs."""
    max_upload_mb: int = Field(default=2048, ge=1, le=1_000_000)
    """The largest file that may be uploaded, in units of 1,000,000 bytes."""
    max_user_mb: int = Field(default=20_000, ge=1, le=1_000_000_000)
    """What a user's input files and recent uploads may take together, in the same unit."""
    batch_size: int | None = Field(default=None, ge=1, le=1024)
    """At most this many items in a batch; without it, as many as the engine takes."""
    task_timeout: float | None = Field(default=None, gt=0)
    """Seconds after which an item that reports nothing is given up; without it, never."""
    background_hours: str = Field(default="", pattern=rf"^({_CLOCK}-{_CLOCK})?$")
    """When background queues may run, such as 22:00-07:00 in local time; without it, at any time."""
    notify: Notify | None = None
    """Who is told what has ended; without it, nobody."""
    unload_after: float | None = Field(default=600.0, gt=0)
    """Seconds without work after which the models leave the memory, until they are needed again; null for never."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The one folder where everything is kept: database, input files, runs, jobs, locks."""

    root: Path
    settings: Settings = field(default_factory=Settings)
    scratch: Path | None = None
    """Where locks and a copy of the database are, for a workspace that can only be read."""

    @staticmethod
    def open(root: Path | str | None = None, *, reads: bool = False) -> Workspace:
        """The workspace at `root`, made where it is missing: by default `$COSMOS_WORKFLOW_HOME`, else the user's data folder.

        Raises UnavailableError where the folder can't be used, InputError where its settings are wrong. With `reads`, one that is
        there and can't be written is opened all the same: what is read then is a copy of its database.
        """
        try:
            folder = Path(root or os.environ.get(HOME_VARIABLE) or _default_root()).expanduser().absolute()
        except RuntimeError as error:
            raise InputError(f"The workspace {root}: {error} Give the folder's whole path.") from error
        if readable(folder) != str(folder):
            raise InputError(f"The workspace {readable(folder)} has a name, or lies below one, that isn't UTF-8; choose another.")
        try:
            with file_errors(f"The workspace {folder}"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder = folder.resolve()
                for name in ("runs", "inputs", "jobs", "locks"):
                    (folder / name).mkdir(exist_ok=True)
                probe = folder / "locks" / f".probe-{os.getpid()}-{time.monotonic_ns()}"
                probe.write_bytes(b"x")
                probe.unlink()
        except UnavailableError:
            if not reads or not (folder / "jobs").is_dir():
                raise
            return Workspace(folder, read_settings(folder / SETTINGS_FILE), _scratch(folder))
        return Workspace(folder, read_settings(folder / SETTINGS_FILE))

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return (self.scratch or self.root) / DATABASE_FILE

    @property
    def runs(self) -> Path:
        """A folder a run, named by its id."""
        return self.root / "runs"

    @property
    def inputs(self) -> Path:
        """Input files by owner, named by their content."""
        return self.root / "inputs"

    @property
    def jobs(self) -> Path:
        """Job files and what belongs to them."""
        return self.root / "jobs"

    @property
    def locks(self) -> Path:
        """Lock files, one a device and one a living process."""
        return (self.scratch or self.root) / "locks"

    @property
    def uploads(self) -> Path:
        """What a browser has just sent; what is used of it is copied, and the folder is emptied when a page starts."""
        return self.root / "uploads"

    @property
    def aside(self) -> Path:
        """What `repair` put aside; made when it is needed."""
        return self.root / "aside"

    @contextlib.contextmanager
    def app_lock(self, url: str) -> Iterator[None]:
        """Held by the one page of this workspace, which is at `url`; raises UnavailableError, naming another that has it."""
        lock, note = FileLock(self.locks / "app.lock", thread_local=False), self.locks / "app.json"
        try:
            with file_errors(f"The workspace {self.root}"):
                lock.acquire(timeout=0)
        except Timeout:
            try:
                told = json.loads(note.read_text(encoding="utf-8"))
                holder = f", pid {told['pid']}, at {told['url']}"
            except (OSError, ValueError, KeyError, TypeError):
                holder = ""  # The other one is just starting, or just leaving.
            raise UnavailableError(
                f"The workspace {self.root} is already open{holder}; use that page, or give another folder with --workspace."
            ) from None
        try:
            Disk().write(note, json.dumps({"pid": os.getpid(), "url": url}).encode())
            yield
        finally:
            note.unlink(missing_ok=True)
            lock.release()


def read_settings(path: Path) -> Settings:
    """The settings in `path`, or the defaults where there is no such file; raises InputError with file, line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise UnavailableError(f"{path} can't be read: {error.strerror}; check its permissions.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the text isn't UTF-8; save the file as UTF-8.") from error
    from cosmos_workflow.yaml_places import JobFileError, read_yaml

    try:
        tree = read_yaml(text, may_be_empty=True)
    except JobFileError as error:
        raise InputError(f"{path}, {error} Write lines such as 'startup: resume'.") from error
    known = list_choices(list(Settings.model_fields))
    if tree.problems:
        raise InputError("; ".join(f"{path}, {problem}" for problem in tree.problems))
    if not isinstance(tree.value, dict | None):
        raise InputError(f"{path}, line 1: settings are lines of 'key: value'; use {known}.")
    try:
        return Settings.model_validate(tree.value or {}, strict=True)
    except ValidationError as error:
        wrong: list[str] = []
        for detail in error.errors():
            where = f"{path}, line {tree.place(detail['loc'], of_key=True).line}, {detail['loc'][0]}"
            unknown = detail["type"] == "extra_forbidden"
            reason = f"{shorten(detail['input'])} isn't right: {detail['msg']}"
            wrong.append(f"{where}: {f'unknown setting; use {known}' if unknown else reason}")
        raise InputError("; ".join(wrong) + ".") from error


def assets_dir() -> Path:
    """The samples: in the package where it was installed from a wheel, else in the repository."""
    packaged = Path(__file__).parent / "_assets"
    return packaged if packaged.is_dir() else Path(__file__).parent.parent / "assets"


def _scratch(folder: Path) -> Path:
    """A temporary folder with a copy of a workspace's database, gone at the end of the program."""
    scratch = Path(tempfile.mkdtemp(prefix="cosmos-workflow-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    (scratch / "locks").mkdir()
    with file_errors(f"The workspace {folder}"):
        for part in folder.glob(f"{DATABASE_FILE}*"):  # what isn't in the database yet is in its log
            if not part.name.endswith("-shm"):
                shutil.copyfile(part, scratch / part.name)
    return scratch


def _default_root() -> str:
    from platformdirs import user_data_dir

    return user_data_dir("cosmos-workflow", appauthor=False)
