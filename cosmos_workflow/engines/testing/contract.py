"""The contract that every engine keeps, as checks: each takes a subject and an empty folder, and fails with what is wrong.

A new engine's tests make a `Subject` of it and call every function of `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cosmos_workflow.engines.base import Dropped, Engine, Output, Request
from cosmos_workflow.engines.spec import EngineSpec, Recipe
from cosmos_workflow.engines.testing.harness import RecordingContext, run_engine
from cosmos_workflow.errors import InputError
from cosmos_workflow.files import sha256_of


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files are equal."""
    return sha256_of(one) == sha256_of(other)


@dataclass(frozen=True, slots=True)
class Subject:
    """A loaded engine, and what it can be asked for.

    `recipes` are three different ones of one batch key, `wrong` one that the spec refuses. `equal` compares an item's file
    made alone with the one made in a batch; only an engine that promises less than the same bytes has another one.
    """

    spec: EngineSpec
    engine: Engine
    recipes: Sequence[Recipe]
    wrong: Recipe
    equal: Callable[[Path, Path], bool] = same_bytes

    def requests(self, folder: Path) -> list[Request]:
        """The recipes as a batch, each with a folder of its own below `folder`."""
        made = []
        for number, recipe in enumerate(self.recipes):
            own = folder / f"qi_{number}"
            own.mkdir(parents=True)
            made.append(Request.of(recipe, own.name, own))
        return made


def check_same_alone_and_in_a_batch(subject: Subject, folder: Path) -> None:
    """An item's files don't depend on the items beside it, or on their order."""
    alone = subject.requests(folder / "alone")
    for request in alone:
        _make(subject, [request])
    orders = {"forward": lambda batch: batch, "backward": lambda batch: batch[::-1]}
    for name, order in orders.items():
        together = subject.requests(folder / name)
        outputs = _make(subject, order(together))
        for one, other in zip(alone, together, strict=True):
            for file in outputs[other.id].files.values():
                assert subject.equal(one.folder / file, other.folder / file), f"{one.id}: {file} is another one in a batch"


def check_different_items_differ(subject: Subject, folder: Path) -> None:
    """What an item is made from is seen in its file."""
    requests = subject.requests(folder)
    outputs = _make(subject, requests)
    main = {sha256_of(request.folder / outputs[request.id].files[subject.spec.output]) for request in requests}
    assert len(main) == len(requests), "different items have the same file"


def check_cancelled_before_it_begins(subject: Subject, folder: Path) -> None:
    """A cancelled item is dropped and leaves nothing; its neighbours are made."""
    first, *others = subject.requests(folder)
    outcomes = run_engine(subject.engine, [first, *others], RecordingContext(subject.spec, cancelled={first.id}))
    assert isinstance(outcomes[first.id], Dropped), outcomes[first.id]
    assert not list(first.folder.iterdir()), "a dropped item left files"
    assert all(isinstance(outcomes[request.id], Output) for request in others), outcomes


def check_cancelled_on_the_way(subject: Subject, folder: Path) -> None:
    """An item that is cancelled while it is made is dropped; its neighbours are made."""
    requests = subject.requests(folder)
    gone = requests[1].id

    def cancel(context: RecordingContext, item_id: str) -> None:
        if item_id == gone:
            context.cancelled.add(gone)

    outcomes = run_engine(subject.engine, requests, RecordingContext(subject.spec, on_report=cancel))
    assert isinstance(outcomes.pop(gone), Dropped)
    assert all(isinstance(outcome, Output) for outcome in outcomes.values()), outcomes


def check_a_cancelled_batch_is_dropped(subject: Subject, folder: Path) -> None:
    """When the whole batch is cancelled, every item is dropped."""
    requests = subject.requests(folder)
    ids = {request.id for request in requests}

    def cancel(context: RecordingContext, item_id: str) -> None:
        context.cancelled.update(ids)

    outcomes = run_engine(subject.engine, requests, RecordingContext(subject.spec, on_report=cancel))
    assert all(isinstance(outcome, Dropped) for outcome in outcomes.values()), outcomes


def check_stages_fire_in_order_and_end_at_one(subject: Subject, folder: Path) -> None:
    """Every item goes through stages of the spec's table, in its order, and the last report is its end."""
    requests = subject.requests(folder)
    context = RecordingContext(subject.spec)
    run_engine(subject.engine, requests, context)
    order = [stage.name for stage in subject.spec.stages]
    for request in requests:
        fired = [order.index(stage) for item_id, stage, _, _ in context.reports if item_id == request.id]
        assert fired, f"{request.id} was never reported on"
        assert fired == sorted(fired), f"{request.id} went back: {[order[stage] for stage in fired]}"
        assert context.trackers[request.id].fraction == 1.0, f"{request.id} ended at {context.trackers[request.id].fraction}"


def check_bad_input_is_one_sentence(subject: Subject, folder: Path) -> None:
    """What can't be made is refused before anything is queued, with a sentence that begins with the engine's name."""
    try:
        subject.spec.check(subject.wrong)
    except InputError as error:
        sentence = str(error)
    else:
        raise AssertionError("nothing was refused")
    assert sentence.startswith(f"{subject.spec.name}: "), sentence
    assert sentence.endswith("."), sentence
    assert "\n" not in sentence, sentence
    for recipe in subject.recipes:
        subject.spec.check(recipe)


def check_no_file_is_outside_the_folder(subject: Subject, folder: Path) -> None:
    """An item's folder holds the files that its output names, and nothing else is written or changed."""
    requests = subject.requests(folder)
    given = [path for recipe in subject.recipes for path in recipe.inputs.values()]
    with _unchanged(folder, given, own=[request.folder for request in requests]):
        outputs = _make(subject, requests)
    for request in requests:
        assert {path.name for path in request.folder.iterdir()} == set(outputs[request.id].files.values())


CHECKS = (
    check_same_alone_and_in_a_batch,
    check_different_items_differ,
    check_cancelled_before_it_begins,
    check_cancelled_on_the_way,
    check_a_cancelled_batch_is_dropped,
    check_stages_fire_in_order_and_end_at_one,
    check_bad_input_is_one_sentence,
    check_no_file_is_outside_the_folder,
)


def _make(subject: Subject, requests: Sequence[Request]) -> dict[str, Output]:
    outcomes = run_engine(subject.engine, list(requests), RecordingContext(subject.spec))
    made = {item_id: outcome for item_id, outcome in outcomes.items() if isinstance(outcome, Output)}
    assert len(made) == len(outcomes), outcomes
    return made


@contextmanager
def _unchanged(folder: Path, given: Sequence[Path], own: Sequence[Path]) -> Iterator[None]:
    """Fails where a file below `folder` that is in none of the `own` folders, or one that was given, is another one after."""

    def seen() -> dict[Path, str]:
        below = [path for path in folder.rglob("*") if path.is_file() and not any(path.is_relative_to(one) for one in own)]
        return {path: sha256_of(path) for path in (*below, *given)}

    before = seen()
    yield
    assert seen() == before, "files outside the items' folders were written"
