"""The engine in its worker: items become control clips, control clips become calls of the pipeline, calls become files."""

from __future__ import annotations

import gc
import logging
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, cast

import torch

from cosmos_workflow.engines.base import Cancelled, Context, Device, Dropped, Engine, ItemOutcome, Output, Request, failure
from cosmos_workflow.engines.cosmos_transfer import SPEC
from cosmos_workflow.engines.cosmos_transfer.annotators import Annotators
from cosmos_workflow.engines.cosmos_transfer.controls import prepare as prepare_item
from cosmos_workflow.engines.cosmos_transfer.controls import write_clip
from cosmos_workflow.engines.cosmos_transfer.guardrail import REFUSED_CLIP, REFUSED_PROMPT, Guardrail, SafetyChecker, load_checker
from cosmos_workflow.engines.cosmos_transfer.loader import Model, go_offline, load_model
from cosmos_workflow.engines.cosmos_transfer.sampling import READ_TOKENS, Clip, Prepared, make_clips
from cosmos_workflow.engines.cosmos_transfer.shapes import CLIPS, count_chunks
from cosmos_workflow.engines.video import active_controls
from cosmos_workflow.errors import InputError, UnavailableError, is_out_of_memory

log = logging.getLogger(__name__)


class CosmosTransferEngine(Engine):
    """Keeps the pipeline loaded, with the controlnets and annotators that were used so far.

    `checker` takes the guardrail's place in a test; the program never gives one.
    """

    def __init__(self, checker: SafetyChecker | None = None) -> None:
        self._checker = checker
        self._model: Model | None = None
        self._annotators: Annotators | None = None
        self._fitting: dict[Hashable, int] = {}
        """The most items of a kind at once, found when more ran out of memory."""

    def load(self, device: Device) -> None:
        """Load the pipeline; its controlnets come with the first batch that uses them."""
        if self._checker is None and not (available := SPEC.availability()).available:
            raise UnavailableError(str(available))
        go_offline()
        place = torch.device("cuda:0" if device.is_gpu else "cpu")
        self._model = load_model(place, Guardrail(self._checker or load_checker()))
        self._annotators = Annotators(place)

    def generate(self, requests: Sequence[Request], context: Context) -> Iterator[ItemOutcome]:
        """A cancelled item's neighbours go on: it is left out of the calls that haven't begun, and of one that has, its clip is
        thrown away. A call all of whose items are cancelled ends within a layer."""
        try:
            kinds: dict[Hashable, list[Prepared]] = {}
            for request in requests:
                item = self.prepare(request, context)
                if isinstance(item, Prepared):
                    # Lengths may differ within a chunk: a shorter one's last picture stays on, as it does when it is made alone.
                    kind = (item.size, tuple(item.controls), count_chunks(item.frames, self.model.chunk))
                    kinds.setdefault(kind, []).append(item)
                else:
                    yield item
            for kind, group in kinds.items():
                yield from self._make(group, kind, context)
        except Exception as error:
            self._free()
            if is_out_of_memory(error) and not isinstance(error, MemoryError | torch.OutOfMemoryError):
                raise MemoryError(str(error)) from error
            raise

    def close(self) -> None:
        self._model = self._annotators = None
        self._free()

    @property
    def model(self) -> Model:
        """The loaded pipeline."""
        return cast("Model", self._model)

    def prepare(self, request: Request, context: Context) -> Prepared | ItemOutcome:
        """The item with its control clips, or the outcome of one that can't be made."""
        model, annotators = self.model, cast("Annotators", self._annotators)
        try:
            context.report(request.id, "load")
            SPEC.check(request)
            if not model.guardrail.check_text_safety(request.text):
                raise InputError(f"cosmos-transfer: {REFUSED_PROMPT}")
            model.use_controls(active_controls(request.weights))
            return prepare_item(request, context, annotators, model.max_side)
        except Cancelled:
            return Dropped(request.id)
        except (InputError, UnavailableError) as error:
            return failure(request.id, error)

    def _make(self, group: Sequence[Prepared], kind: Hashable, context: Context) -> Iterator[ItemOutcome]:
        """Make items of one kind, as many at once as fit."""
        rest = list(group)
        while rest:
            for item in [item for item in rest if context.is_cancelled(item.request.id)]:
                rest.remove(item)
                yield Dropped(item.request.id)
            part = rest[: self._fitting.get(kind)]
            clips = self._call(part, context, kind) if part else []
            if clips is None:
                continue
            rest = rest[len(part) :]
            for item, clip in zip(part, clips, strict=True):
                yield self._finish(item, clip, len(part), context)

    def _call(self, items: Sequence[Prepared], context: Context, kind: Hashable) -> Sequence[Clip | Dropped | None] | None:
        """The clips of a call; None where it ran out of memory, and fewer at once may fit."""
        model = self.model
        watch = _Watch(items, context)
        model.check = watch.check
        try:
            watch.report("text", 0.0, "")
            return make_clips(model, items, watch.after_step)
        except Cancelled:
            return [Dropped(item.request.id) for item in items]
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            self._fitting[kind] = max(1, len(items) // 2)
            if len(items) == 1:
                raise
        finally:
            model.check = lambda: None  # between calls there is nothing to end
        # Out of the handler: the error's traceback would keep the tensors.
        self._free()
        log.warning("%d items at once don't fit; going on with %d", len(items), self._fitting[kind])
        return None

    def _finish(self, item: Prepared, clip: Clip | Dropped | None, batch: int, context: Context) -> ItemOutcome:
        request = item.request
        if isinstance(clip, Dropped):
            return clip
        if clip is None:
            return failure(request.id, InputError(f"cosmos-transfer: {REFUSED_CLIP}"))
        try:
            context.report(request.id, "finishing")
            write_clip(request.folder / "video.mp4", clip, item.params.fps, "made by Cosmos Transfer 2.5")
            context.report(request.id, "completed")
        except Cancelled:
            return Dropped(request.id)
        files = {f"control_{name}": f"control_{name}.mp4" for name in item.controls}
        return Output(request.id, {"video": "video.mp4", **files}, self._describe(item, batch))

    def _describe(self, item: Prepared, batch: int) -> dict[str, Any]:
        model, params = self.model, item.params
        tokens = len(cast("Any", model.pipeline.tokenizer)(item.request.text)["input_ids"])
        source = CLIPS.usable(item.request.inputs["video"])
        notes = [*item.notes, *([str(item.fit)] if str(item.fit) else [])]
        if item.approximate:
            notes.append(f"{' and '.join(item.approximate)} approximate: made without a model, as chosen.")
        if (total := sum(item.request.weights[name] for name in item.controls)) > 1:
            notes.append(f"The weights add up to {total:g}; they were scaled down to 1.")
        if tokens > READ_TOKENS:
            notes.append(f"The model reads {READ_TOKENS} tokens; this prompt has {tokens}, and its end wasn't read.")
        if abs(source.fps - params.fps) > 0.01:
            notes.append(f"The clip has {source.fps:g} frames a second and the result {params.fps}, for the same duration.")
        return {
            "frames": item.frames,
            "fps": params.fps,
            "seconds": round(item.frames / params.fps, 3),
            "width": item.size[0],
            "height": item.size[1],
            "chunks": count_chunks(item.frames, model.chunk),
            "controls": item.weights,
            "approximate": list(item.approximate),
            "precision": str(model.dtype).removeprefix("torch."),
            "placement": model.placement,
            "made_at_once": batch,
            "notes": notes,
        }

    def _free(self) -> None:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


class _Watch:
    """Tells the app where the items of a call are, and ends the call when none of them is wanted any more."""

    def __init__(self, items: Sequence[Prepared], context: Context) -> None:
        self._ids = [item.request.id for item in items]
        self._steps = items[0].params.num_steps
        self._context = context

    def check(self) -> None:
        if all(self._context.is_cancelled(item_id) for item_id in self._ids):
            raise Cancelled(", ".join(self._ids))

    def report(self, stage: str, share: float, message: str) -> None:
        for item_id in self._ids:
            try:
                self._context.report(item_id, stage, share, message)
            except Cancelled:
                # Its neighbours go on; the call ends only when nobody wants it.
                self.check()

    def after_step(self, chunk: int, chunks: int, done: int) -> None:
        steps = f"step {done} of {self._steps}"
        message = steps if chunks == 1 else f"chunk {chunk + 1} of {chunks}, {steps}"
        self.report("denoising", (chunk + done / self._steps) / chunks, message)
