"""Speech engines at work: each gets its texts as they are said, and without the pauses in them, which are put in afterwards.

A text with pauses is made as several requests of one batch, and its sounds are joined.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from cosmos_workflow.engines.base import Context, Dropped, Engine, Failure, ItemOutcome, Output, Request, failure
from cosmos_workflow.engines.spec import EngineSpec
from cosmos_workflow.errors import InputError, WorkflowError
from cosmos_workflow.media import write_sound
from cosmos_workflow.progress import ProgressTracker

Files = Mapping[str, str]


@dataclass(slots=True)
class _Item:
    """A request, its parts in order, the silence behind each (before the first: `lead`), and what has become of them."""

    request: Request
    lead: float = 0.0
    parts: list[Request] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    done: dict[str, Output] = field(default_factory=dict)
    progress: dict[str, ProgressTracker] = field(default_factory=dict)
    ended: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is one part without a pause, which is made in its own name and folder."""
        return len(self.parts) == 1 and not self.lead and not self.pauses[0]


def generate(spec: EngineSpec, engine: Engine, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
    """As `engine.generate`, for any engine; texts of one that speaks are prepared first."""
    if not spec.speaks:
        yield from engine.generate(requests, context)
        return
    items: dict[str, _Item] = {}
    for request in requests:
        try:
            items[request.id] = _item(spec, request)
        except WorkflowError as error:
            yield failure(request.id, error)
    owners = {part.id: item for item in items.values() for part in item.parts}
    try:
        for outcome in engine.generate([part for item in items.values() for part in item.parts], _Parts(context, spec, owners)):
            whole = _taken(spec, owners[outcome.id], outcome)
            if whole is not None:
                yield whole
    finally:
        for item in items.values():
            for part in item.parts:
                if part.folder != item.request.folder:
                    shutil.rmtree(part.folder, ignore_errors=True)


def _item(spec: EngineSpec, request: Request) -> _Item:
    item = _Item(request)
    for segment in spec.segments(request.text, request.params):
        if any(letter.isalnum() for letter in segment.text):
            item.parts.append(replace(request, text=segment.text))
            item.pauses.append(segment.pause)
        elif item.parts:
            item.pauses[-1] += segment.pause
        else:
            item.lead += segment.pause
    if not item.parts:
        if item.lead:
            raise InputError(f"{spec.name}: the text holds pauses and no word; write words.")
        item.parts, item.pauses = [request], [0.0]
    if not item.whole:
        item.parts = [_part(part, number) for number, part in enumerate(item.parts)]
    return item


def _part(request: Request, number: int) -> Request:
    folder = request.folder / f"part-{number}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return replace(request, id=f"{request.id}~{number}", folder=folder)


def _taken(spec: EngineSpec, item: _Item, outcome: ItemOutcome) -> ItemOutcome | None:
    """The outcome of an item, once, after one of a part; None where it isn't known yet, or was before."""
    if item.ended:
        return None
    if isinstance(outcome, Dropped | Failure):
        item.ended = True
        return replace(outcome, id=item.request.id)
    item.done[outcome.id] = outcome
    if len(item.done) < len(item.parts):
        return None
    item.ended = True
    outputs = [item.done[part.id] for part in item.parts]
    if item.whole:
        return replace(outcome, metadata=_described(item, outputs[0].metadata))
    try:
        return _joined(spec, item, outputs)
    except WorkflowError as error:
        return failure(item.request.id, error)


def _joined(spec: EngineSpec, item: _Item, outputs: Sequence[Output]) -> Output:
    import numpy as np
    import soundfile

    name = outputs[0].files[spec.output]
    sounds = [
        soundfile.read(part.folder / output.files[spec.output], dtype="int16")
        for part, output in zip(item.parts, outputs, strict=True)
    ]
    rate = sounds[0][1]

    def silence(seconds: float) -> Any:
        return np.zeros(round(seconds * rate), dtype=np.int16)

    blocks = [silence(item.lead)]
    for (samples, _), pause in zip(sounds, item.pauses, strict=True):
        blocks += [samples, silence(pause)]
    form = cast("Literal['wav', 'flac']", Path(name).suffix.removeprefix("."))
    written = write_sound(item.request.folder / name, blocks, rate, form)
    metadata = {**outputs[0].metadata, "seconds": round(written / rate, 3), "parts": len(outputs)}
    if "phonemes" in metadata:
        metadata["phonemes"] = " ".join(str(output.metadata["phonemes"]) for output in outputs)
    return Output(item.request.id, {spec.output: name}, _described(item, metadata))


def _described(item: _Item, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What the item was spoken as, where that isn't its text."""
    said = " ".join(part.text for part in item.parts)
    return {**metadata, "characters": len(item.request.text), **({"spoken": said} if said != item.request.text else {})}


class _Parts:
    """The context of a batch, as the parts of its items see it."""

    def __init__(self, context: Context, spec: EngineSpec, owners: Mapping[str, _Item]) -> None:
        self.device = context.device
        self._context = context
        self._owners = owners
        self._stages = spec.stages
        self._entries = [*(stage.at for stage in spec.stages), 1.0]

    def report(self, item_id: str, stage: str, sub_progress: float = 0.0, message: str = "") -> None:
        item = self._owners[item_id]
        if item.whole:
            self._context.report(item_id, stage, sub_progress, message)
            return
        item.progress.setdefault(item_id, ProgressTracker(item_id, self._stages)).update_stage(stage, sub_progress)
        done = sum(len(part.text) * item.progress[part.id].fraction for part in item.parts if part.id in item.progress)
        fraction = min(1.0, done / sum(len(part.text) for part in item.parts) + 1e-9)
        reached = max(number for number, known in enumerate(self._stages) if known.at <= fraction)
        entry, end = self._entries[reached], self._entries[reached + 1]
        inside = min(1.0, (fraction - entry) / (end - entry)) if end > entry else 0.0
        self._context.report(item.request.id, self._stages[reached].name, inside, message)

    def is_cancelled(self, item_id: str) -> bool:
        item = self._owners[item_id]
        return item.ended or self._context.is_cancelled(item.request.id)
