"""Text to speech tokens, many lines at once: what `T3.inference` does for one.

The lines that are being spoken together have rows of the cache, and each gets one more token at every step. Those that finish
leave, and waiting ones take their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosmos_workflow.engines.chatterbox.admission import Admission, Admitted, FixedAdmission
from cosmos_workflow.engines.chatterbox.backbone import Spy
from cosmos_workflow.engines.chatterbox.cache import GROWTH, KeyValueCache
from cosmos_workflow.engines.chatterbox.sampling import Sampler
from cosmos_workflow.engines.chatterbox.speech_model import Line, SpeechModel
from cosmos_workflow.engines.chatterbox.static import StaticStep, row_bucket


@dataclass(slots=True)
class _Member:
    """A line in the batch, and its rows of the cache; `plain` is the row without text, `row` itself where it has none."""

    line: Line
    row: int
    plain: int


@dataclass(slots=True)
class _OnDevice:
    """What a step needs to know of the members and their rows, where it needs it; made anew when the members change.

    `owners` [rows] are indices of members; `texts` and `plain` [members] rows, `weights` [members, 1] their CFG weights.
    `tokens` and `places` [members] are the last tokens and how many there are, `positions` [rows] where the next one stands:
    they go on from step to step.
    """

    owners: Tensor
    texts: Tensor
    plain: Tensor
    weights: Tensor
    tokens: Tensor
    places: Tensor
    positions: Tensor
    guided: bool
    sampler: Sampler

    @classmethod
    def of(cls, members: Sequence[_Member], lengths: Sequence[int], model: SpeechModel) -> _OnDevice:
        device, lines = model.backbone.shape.device, [member.line for member in members]
        owners = [0] * len(lengths)
        for index, member in enumerate(members):
            owners[member.row] = owners[member.plain] = index

        def there(numbers: Sequence[int]) -> Tensor:
            return torch.tensor(numbers, dtype=torch.long, device=device)

        return cls(
            owners=there(owners),
            texts=there([member.row for member in members]),
            plain=there([member.plain for member in members]),
            weights=torch.tensor([line.cfg_weight for line in lines], device=device)[:, None],
            tokens=there([line.tokens[-1] if line.tokens else 0 for line in lines]),
            places=there([len(line.tokens) for line in lines]),
            positions=there(lengths),
            guided=any(line.guided for line in lines),
            sampler=Sampler.of([line.params for line in lines], device, turbo=model.turbo),
        )

    def guide(self, scores: Tensor) -> Tensor:
        """Scores of rows [rows, ids] to those of members: classifier-free guidance."""
        text = scores[self.texts]
        return text + self.weights * (text - scores[self.plain]) if self.guided else text


class Batch:
    """The lines that are being spoken, their rows, and the next token's scores."""

    def __init__(self, model: SpeechModel, lines: Sequence[Line], max_lines: int) -> None:
        self._model = model
        self._fixed = model.static and not any(line.watched for line in lines)
        self._admission = FixedAdmission(model) if self._fixed else Admission(model, lines)
        self.members: list[_Member] = []
        self._lengths: list[int] = []
        self._seen = model.new_seen(0)
        self._cache = _static_cache(model, lines, max_lines) if self._fixed else KeyValueCache(model.backbone.shape, 0, 0)
        self._static: StaticStep | None = None
        self._now: _OnDevice | None = None

    @torch.inference_mode()
    def step(self, new: Sequence[Line]) -> None:
        """One more token for every member, and the first for each new line."""
        if not self.members and not new:
            return
        scores, looks = [], []
        if self.members:
            watched = [index for index, member in enumerate(self.members) if member.line.watched]
            spy = self._model.spy([self.members[index].row for index in watched])
            scores.append(self._advance(spy))
            looks.append((watched, spy))
        for group in self._admission.groups(new):
            first = len(self.members)
            admitted = self._admission.admit(group, self._cache, len(self._lengths))
            self._take_in(admitted)
            scores.append(admitted.scores)
            looks.append(([first + row for row, line in enumerate(group) if line.watched], admitted.spy))
        now = self._here()
        chances = now.guide(torch.cat(scores) if len(scores) > 1 else scores[0])
        for watched, spy in looks:
            if spy is not None:
                self._check_alignment(watched, chances, spy)
        lines = [member.line for member in self.members]
        chosen = now.sampler.choose(chances, self._seen, [line.generator for line in lines])
        if self._model.turbo and new:
            self._seen[[not line.tokens for line in lines], self._model.start_token] = False
        self._seen.scatter_(1, chosen[:, None], True)
        now.tokens = chosen
        now.places += 1
        for line, token in zip(lines, chosen.tolist(), strict=True):
            line.tokens.append(token)

    @torch.inference_mode()
    def leave(self, done: Sequence[bool]) -> list[Line]:
        """Take members out and return their lines; the last rows move into the holes, so that rows in use stay side by side."""
        if not any(done):
            return []
        kept = [index for index, over in enumerate(done) if not over]
        leaving = [member for member, over in zip(self.members, done, strict=True) if over]
        self.members = [self.members[index] for index in kept]
        self._seen = self._seen[kept]
        self._now = None
        for hole in sorted({row for member in leaving for row in (member.row, member.plain)}, reverse=True):
            self._close(hole)
        return [member.line for member in leaving]

    def _close(self, hole: int) -> None:
        last = len(self._lengths) - 1
        if hole != last:
            self._cache.move(last, hole, self._lengths[last])
            self._lengths[hole] = self._lengths[last]
            for member in self.members:
                member.row = hole if member.row == last else member.row
                member.plain = hole if member.plain == last else member.plain
        self._lengths.pop()

    def _here(self) -> _OnDevice:
        if self._now is None:
            self._now = _OnDevice.of(self.members, self._lengths, self._model)
        return self._now

    def _advance(self, spy: Spy | None) -> Tensor:
        """Scores [rows, ids] after each member's last token."""
        now, model = self._here(), self._model
        inputs = model.embed_tokens(now.tokens, now.places)[now.owners][:, None]
        end = max(self._lengths) + 1
        self._cache.reserve(end)
        if self._fixed:
            if self._static is None or not self._static.fits():
                self._static = StaticStep(model, self._cache, inputs.shape[-1])
            scores = self._static.scores(inputs, now.positions)
        else:
            rows = slice(0, len(self._lengths))
            scores = model.scores(model.backbone.run(inputs, now.positions[:, None], self._cache, rows, end, spy)[:, 0])
        self._lengths = [length + 1 for length in self._lengths]
        now.positions += 1
        return scores

    def _take_in(self, admitted: Admitted) -> None:
        first = len(self._lengths)
        plain = iter(range(first + len(admitted.lines), first + len(admitted.lengths)))
        for row, line in enumerate(admitted.lines, first):
            self.members.append(_Member(line, row, next(plain) if line.guided else row))
            line.alignment = self._model.align(line)
        self._lengths += admitted.lengths
        self._seen = torch.cat([self._seen, self._model.new_seen(len(admitted.lines))])
        self._now = None

    def _check_alignment(self, watched: Sequence[int], scores: Tensor, spy: Spy) -> None:
        """The look at watched members' alignment, one at a time; changes their scores."""
        attention = [head.cpu() for head in spy.seen]
        for row, index in enumerate(watched):
            line = self.members[index].line
            if line.alignment is not None:
                last = line.tokens[-1] if line.tokens else self._model.start_token
                seen = [head[row] for head in attention]
                scores[index] = line.alignment.check(scores[index], last, seen, first=not line.tokens)


def _static_cache(model: SpeechModel, lines: Sequence[Line], max_lines: int) -> KeyValueCache:
    """Room for as many lines as there will be at once, each with all of its rows."""
    rows = sorted((2 if line.guided else 1 for line in lines), reverse=True)[:max_lines]
    return KeyValueCache(model.backbone.shape, row_bucket(sum(rows)), 1, growth=GROWTH)


@dataclass(frozen=True, slots=True)
class Step:
    """What a step leaves behind: the lines still being spoken, and those that left it, complete or cancelled."""

    active: list[Line]
    left: list[Line]


def decode(model: SpeechModel, lines: Sequence[Line], max_lines: int, is_cancelled: Callable[[Line], bool]) -> Iterator[Step]:
    """One step after another until no line is left; at most `max_lines` are in the batch at a time.

    A cancelled line leaves within a step. What was taken is given back when the iterator is closed.
    """
    batch = Batch(model, lines, max_lines)
    waiting = list(lines)
    while waiting or batch.members:
        left = [line for line in waiting if is_cancelled(line)]
        waiting = [line for line in waiting if line not in left]
        left += batch.leave([is_cancelled(member.line) for member in batch.members])
        places = max_lines - len(batch.members)
        batch.step(waiting[:places])
        waiting = waiting[places:]
        left += batch.leave([model.is_complete(member.line) for member in batch.members])
        yield Step([member.line for member in batch.members], left)
