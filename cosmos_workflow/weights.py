"""Where model weights are, and how they get there: a folder of one's own, or the hub's cache.

A set of weights is a list of files of one hub repository. They are looked for in the folder that the environment variable
COSMOS_WORKFLOW_WEIGHTS names (one subfolder a repository, called like its last part), then in the hub's cache.
`huggingface_hub` is imported only where it is needed; nothing here unpickles anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmos_workflow.digests import Checked, digest_in_cache, digest_of, is_digest, stated_digests
from cosmos_workflow.errors import UnavailableError

FOLDER_VARIABLE = "COSMOS_WORKFLOW_WEIGHTS"
ANSWER_SECONDS = 5.0
"""How long the hub may take to answer at all, before it counts as out of reach."""


@dataclass(frozen=True, slots=True)
class WeightSet:
    """Files of one hub repository that a model needs.

    `name` is what a person types (`cosmos-workflow weights fetch NAME`); `files` are needed, `optional` are taken where they are.
    """

    name: str
    title: str
    repo: str
    files: tuple[str, ...]
    optional: tuple[str, ...] = ()
    revision: str = "main"

    @property
    def folder_name(self) -> str:
        """Name of the subfolder of COSMOS_WORKFLOW_WEIGHTS that holds it: "chatterbox" for "ResembleAI/chatterbox"."""
        return self.repo.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What a fetch would do: bytes of the whole set, bytes that aren't here yet, and the folder they go to."""

    total_bytes: int
    missing_bytes: int
    place: Path
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchProgress:
    """Where a fetch is: the file that is coming, and bytes of all files, those included that were here before."""

    file: str
    done_bytes: int
    total_bytes: int

    @property
    def fraction(self) -> float:
        return self.done_bytes / self.total_bytes if self.total_bytes else 1.0


@dataclass(frozen=True, slots=True)
class WeightState:
    """Where a set is on this machine, and its bytes there; `folder` is None where it isn't."""

    weights: WeightSet
    folder: Path | None
    size_bytes: int


def own_folder() -> Path | None:
    """The folder of weights that the user named, if any."""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(named).expanduser() if named else None


def find_weights(weights: WeightSet) -> Path | None:
    """The folder with every needed file of a set, or None. Looks only at this machine's disk."""
    root = own_folder()
    if root is not None and _has_all(root / weights.folder_name, weights):
        return root / weights.folder_name
    return _find_in_cache(weights)


def require_weights(weights: WeightSet) -> Path:
    """As `find_weights`; raises UnavailableError with what to do where they aren't there."""
    folder = find_weights(weights)
    if folder is None:
        raise UnavailableError(missing_sentence(weights))
    return folder


def missing_sentence(weights: WeightSet) -> str:
    """Why a set can't be used, and what to do about it."""
    return f"The weights of {weights.title} ({weights.repo}) aren't on this machine; {remedy(weights)}."


def remedy(weights: WeightSet) -> str:
    """How to get a set."""
    return (
        f"run `cosmos-workflow weights fetch {weights.name}`, or put them into a folder {weights.folder_name!r} and set "
        f"{FOLDER_VARIABLE} to the folder above it"
    )


def weight_state(weights: WeightSet) -> WeightState:
    """Whether a set is on this machine, where, and how large it is. Looks only at the disk."""
    folder = find_weights(weights)
    if folder is None:
        return WeightState(weights, None, 0)
    present = [folder / name for name in (*weights.files, *weights.optional) if (folder / name).is_file()]
    return WeightState(weights, folder, sum(path.stat().st_size for path in present))


def _cache_folder(weights: WeightSet) -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE) / f"models--{weights.repo.replace('/', '--')}"


def plan_fetch(weights: WeightSet, endpoint: str | None = None) -> FetchPlan:
    """Ask the hub what a fetch would do; raises UnavailableError where the hub or the repository can't be reached."""
    sizes = _sizes_on_hub(weights, endpoint)
    missing = sum(size for name, size in sizes.items() if _cached(weights, name) is None)
    return FetchPlan(sum(sizes.values()), missing, _cache_folder(weights), tuple(sizes))


def fetch_weights(
    weights: WeightSet, on_progress: Callable[[FetchProgress], None] | None = None, endpoint: str | None = None
) -> Path:
    """Fetch what is missing of a set into the hub's cache, check it, and return its folder.

    A fetch that was broken off goes on where it was. An exception of `on_progress` ends it, and leaves what has come.
    Raises UnavailableError where the hub can't be reached, the disk is full, or a file isn't what the hub says it is.
    """
    from huggingface_hub import hf_hub_download

    sizes = _sizes_on_hub(weights, endpoint)
    total, before = sum(sizes.values()), 0
    path = Path()
    for name, size in sizes.items():
        report = _Report(name, before, total, on_progress)
        report.say(0)
        with _hub_errors(weights):
            _fetch_blob(weights, name, report, endpoint)
            path = Path(
                hf_hub_download(
                    weights.repo,
                    name,
                    revision=weights.revision,
                    endpoint=endpoint,
                    etag_timeout=ANSWER_SECONDS,
                    tqdm_class=report.bar_class(),
                )
            )
        before += size
        report.say(size)
    folder = Path(str(path)[: -len(list(sizes)[-1])])
    check_weights(weights, folder)
    return folder


def check_weights(weights: WeightSet, folder: Path) -> None:
    """Compare a set's files with their digests, once for each state of a file; raises UnavailableError for a damaged one.

    In the hub's cache a file's digest is its blob's name; in a folder of one's own `SHA256SUMS` holds them, if there is one.
    """
    known = Checked.read()
    stated = stated_digests(folder)
    for name in (*weights.files, *weights.optional):
        path = folder / name
        digest = stated.get(name) or digest_in_cache(path)
        if not path.is_file() or digest is None or known.has(path, digest):
            continue
        if digest_of(path, digest) != digest:
            raise UnavailableError(_damaged(weights, name, f"delete {path.resolve()} and "))
        known.add(path, digest)
    known.write()


def _has_all(folder: Path, weights: WeightSet) -> bool:
    return all((folder / name).is_file() for name in weights.files)


def _find_in_cache(weights: WeightSet) -> Path | None:
    found = [_cached(weights, name) for name in weights.files]
    folders = {str(path)[: -len(name)] for path, name in zip(found, weights.files, strict=True) if path is not None}
    return Path(folders.pop()) if len(folders) == 1 and None not in found else None


def _cached(weights: WeightSet, name: str) -> str | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(weights.repo, name, revision=weights.revision)
    return found if isinstance(found, str) else None


def _sizes_on_hub(weights: WeightSet, endpoint: str | None) -> dict[str, int]:
    """Bytes of each file of a set that the hub has, needed ones first."""
    from huggingface_hub import HfApi

    with _hub_errors(weights):
        info = HfApi(endpoint=endpoint).model_info(
            weights.repo, revision=weights.revision, files_metadata=True, timeout=ANSWER_SECONDS
        )
    sizes = {sibling.rfilename: sibling.size or 0 for sibling in info.siblings or []}
    gone = [name for name in weights.files if name not in sizes]
    if gone:
        raise UnavailableError(f"The hub's repository {weights.repo} has no {gone[0]}; this version can't use its weights.")
    return {name: sizes[name] for name in (*weights.files, *weights.optional) if name in sizes}


def _fetch_blob(weights: WeightSet, name: str, report: _Report, endpoint: str | None) -> None:
    """Bring a large file to its place in the cache, going on with what an earlier fetch left; small ones are left to the hub's
    client, which begins a broken file anew."""
    from filelock import FileLock
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get

    url = hf_hub_url(weights.repo, name, revision=weights.revision, endpoint=endpoint)
    known = get_hf_file_metadata(url, timeout=ANSWER_SECONDS, endpoint=endpoint)
    blob = _cache_folder(weights) / "blobs" / str(known.etag)
    if known.size is None or not is_digest(blob.name, 64) or blob.exists():
        return
    blob.parent.mkdir(parents=True, exist_ok=True)
    partial = blob.with_name(f"{blob.name}.partial")
    with FileLock(f"{partial}.lock"):
        with partial.open("ab") as file:
            http_get(known.location, file, resume_size=file.tell(), expected_size=known.size, tqdm_class=report.bar_class())
        if digest_of(partial, blob.name) != blob.name:
            partial.unlink()
            raise UnavailableError(_damaged(weights, name))
        partial.replace(blob)


@contextmanager
def _hub_errors(weights: WeightSet) -> Iterator[None]:
    """Errors of the hub's client as one sentence."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except OfflineModeIsEnabled as error:
        raise UnavailableError(f"{weights.repo} can't be fetched while HF_HUB_OFFLINE is set; unset it.") from error
    except LocalEntryNotFoundError as error:
        raise _unreachable(weights) from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", "no answer")
        todo = "accept its licence on the hub and run `hf auth login`" if status in (401, 403) else "try again later"
        raise UnavailableError(f"The hub didn't give {weights.repo} (status {status}); {todo}.") from error
    except OSError as error:
        if error.errno is None:
            raise _unreachable(weights) from error
        raise UnavailableError(f"The weights of {weights.title} can't be written ({error.strerror}); make room.") from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2"}:
            raise _unreachable(weights) from error
        raise


def _unreachable(weights: WeightSet) -> UnavailableError:
    return UnavailableError(f"The hub can't be reached to fetch {weights.repo}; check the network and try again.")


class _Report:
    """Turns what the hub's client tells a progress bar into `FetchProgress`."""

    def __init__(self, file: str, before: int, total: int, on_progress: Callable[[FetchProgress], None] | None) -> None:
        self._file = file
        self._before = before
        self._total = total
        self._on_progress = on_progress

    def say(self, done: float) -> None:
        if self._on_progress is not None:
            self._on_progress(FetchProgress(self._file, self._before + int(done), self._total))

    def bar_class(self) -> Any:
        """A bar that draws nothing and reports."""
        from tqdm.std import tqdm

        say = self.say

        class Bar(tqdm):
            def __init__(self, *args: Any, **options: Any) -> None:
                options.pop("name", None)
                super().__init__(*args, **{**options, "disable": True})
                self.n = options.get("initial", 0)

            def update(self, n: float | None = 1) -> bool | None:
                self.n += n or 0
                say(self.n)
                return None

        return Bar


def _damaged(weights: WeightSet, name: str, first: str = "") -> str:
    return (
        f"{name} of {weights.title} is damaged: its content isn't what its digest says; {first}run "
        f"`cosmos-workflow weights fetch {weights.name}`."
    )
