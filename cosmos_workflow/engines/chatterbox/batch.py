"""The lines that are being spoken together: their rows of the cache, and one more token for each at every step.

A line has one row of the cache for the text and, where it has a CFG weight, one without it. What depends on the voice alone is
computed once a voice: the conditioning, and behind it the row without text, whose text positions hold nothing but their place,
so that a longer line's contains a shorter one's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cosmos_workflow.engines.chatterbox.backbone import Spy
from cosmos_workflow.engines.chatterbox.cache import KeyValueCache
from cosmos_workflow.engines.chatterbox.sampling import Sampler
from cosmos_workflow.engines.chatterbox.speech_model import Line, SpeechModel
from cosmos_workflow.engines.chatterbox.static import POSITIONS, StaticStep, row_bucket

SIMILAR = 0.75
"""Lines are read in one pass when the shortest text has at least this share of the longest one's tokens."""


@dataclass(slots=True)
class _Member:
    """A line in the batch, and its rows of the cache; `plain` is the row without text, -1 where it has none."""

    line: Line
    row: int
    plain: int = -1


@dataclass(slots=True)
class _Prefix:
    cache: KeyValueCache
    waiting: int


class Batch:
    """The lines that are being spoken, their rows, and the next token's scores."""

    def __init__(self, model: SpeechModel, lines: Sequence[Line], max_lines: int) -> None:
        self._model = model
        self._device = model.backbone.shape.device
        self._fixed = model.static and not any(line.watched for line in lines)
        self.members: list[_Member] = []
        self._lengths: list[int] = []
        self._seen = model.new_seen(0)
        self._cache = _static_cache(model, lines, max_lines) if self._fixed else KeyValueCache(model.backbone.shape, 0, 0)
        self._static: StaticStep | None = None
        self._sampler: Sampler | None = None
        self._prefixes: dict[Hashable, _Prefix] = {}
        self._voices = Counter(self._prefix_name(line) for line in lines)
        self._longest: dict[Hashable, Line] = {}
        for line in lines:
            name = self._prefix_name(line)
            known = self._longest.get(name)
            if line.guided and (known is None or len(line.text) > len(known.text)):
                self._longest[name] = line

    @torch.inference_mode()
    def step(self, new: Sequence[Line]) -> None:
        """One more token for every member, and the first for each new line."""
        scores = [self._advance()] if self.members else []
        scores.extend(self._admit(group) for group in self._groups(new))
        if not scores:
            return
        lines = [member.line for member in self.members]
        if self._sampler is None:
            self._sampler = Sampler.of([line.params for line in lines], self._device, turbo=self._model.turbo)
        chosen = self._sampler.choose(torch.cat(scores), self._seen, [line.generator for line in lines])
        if self._model.turbo:
            self._seen[[not line.tokens for line in lines], self._model.start_token] = False
        self._seen.scatter_(1, chosen[:, None], True)
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
        self._sampler = None
        holes = sorted(row for member in leaving for row in (member.row, member.plain) if row >= 0)
        for hole in reversed(holes):
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

    def _advance(self) -> Tensor:
        """Scores [members, ids] after each member's last token."""
        lines = [member.line for member in self.members]
        tokens = torch.tensor([line.tokens[-1] for line in lines], device=self._device)
        places = torch.tensor([len(line.tokens) for line in lines], device=self._device)
        owners = [0] * len(self._lengths)
        for index, member in enumerate(self.members):
            owners[member.row] = index
            if member.plain >= 0:
                owners[member.plain] = index
        embedded = self._model.embed_tokens(tokens, places)[owners][:, None]
        spy = self._model.spy([member.row for member in self.members if member.line.watched])
        if self._fixed:
            scores = self._static_step(embedded.shape[-1]).scores(embedded, self._lengths)
        else:
            scores = self._model.scores(self._forward(embedded, self._lengths, 0, spy)[:, 0])
        self._lengths = [length + 1 for length in self._lengths]
        plain = [scores[member.plain] if member.plain >= 0 else None for member in self.members]
        return self._combine(self.members, scores[[member.row for member in self.members]], plain, spy)

    def _static_step(self, width: int) -> StaticStep:
        self._cache.reserve(max(self._lengths) + 1)
        if self._static is None or not self._static.fits():
            self._static = StaticStep(self._model, self._cache, width)
        return self._static

    def _groups(self, lines: Sequence[Line]) -> Iterator[list[Line]]:
        """Lines that are read in one pass: with fixed shapes each alone, so that none depends on another's length."""
        return ([line] for line in lines) if self._fixed else _similar(lines)

    def _admit(self, lines: Sequence[Line]) -> Tensor:
        """Read the texts of new lines; scores [lines, ids] of their first token."""
        model = self._model
        self._make_room(lines)
        first = len(self._lengths)
        members = [_Member(line, first + index) for index, line in enumerate(lines)]
        starts = [len(line.conditioning) for line in lines]
        texts = [torch.cat([model.embed_text(line), model.embed_start()]) for line in lines]
        for member, start in zip(members, starts, strict=True):
            self._put_prefix(member.line, member.row, start)
        spy = model.spy([index for index, line in enumerate(lines) if line.watched])
        states = self._forward(pad_sequence(texts, batch_first=True), starts, first, spy)
        last = torch.stack([state[len(text) - 1] for state, text in zip(states, texts, strict=True)])
        self._lengths += [start + len(text) for start, text in zip(starts, texts, strict=True)]
        plain = self._admit_plain(members)
        for member in members:
            self._drop_prefix(member.line)
            member.line.alignment = model.align(member.line)
        scores = self._combine(members, model.scores(last), plain, spy)
        self.members += members
        self._seen = torch.cat([self._seen, model.new_seen(len(lines))])
        self._sampler = None
        return scores

    def _admit_plain(self, members: Sequence[_Member]) -> list[Tensor | None]:
        """The rows without text: only the start of speech is left to read. Scores a member, None where it has no such row."""
        guided = [member for member in members if member.line.guided]
        if not guided:
            return [None] * len(members)
        first = len(self._lengths)
        starts = [len(member.line.conditioning) + len(member.line.text) for member in guided]
        for index, (member, start) in enumerate(zip(guided, starts, strict=True)):
            member.plain = first + index
            self._put_prefix(member.line, member.plain, start)
        begin = self._model.embed_start()
        states = self._forward(begin.expand(len(guided), -1, -1), starts, first, None)
        self._lengths += [start + len(begin) for start in starts]
        scores = iter(self._model.scores(states[:, -1]))
        return [next(scores) if member.plain >= 0 else None for member in members]

    def _combine(self, members: Sequence[_Member], scores: Tensor, plain: Sequence[Tensor | None], spy: Spy | None) -> Tensor:
        """Classifier-free guidance, then the look at the alignment of watched lines, one at a time."""
        guided = [index for index, other in enumerate(plain) if other is not None]
        if guided:
            weights = torch.tensor([members[index].line.cfg_weight for index in guided], device=self._device)[:, None]
            others = torch.stack([other for other in plain if other is not None])
            scores[guided] = scores[guided] + weights * (scores[guided] - others)
        if spy is not None:
            self._check_alignment(members, scores, spy)
        return scores

    def _check_alignment(self, members: Sequence[_Member], scores: Tensor, spy: Spy) -> None:
        attention = [head.cpu() for head in spy.seen]
        watched = [index for index, member in enumerate(members) if member.line.watched]
        for row, index in enumerate(watched):
            line = members[index].line
            if line.alignment is not None:
                last = line.tokens[-1] if line.tokens else self._model.start_token
                seen = [head[row] for head in attention]
                scores[index] = line.alignment.check(scores[index], last, seen, first=not line.tokens)

    def _forward(self, inputs: Tensor, starts: Sequence[int], first: int, spy: Spy | None) -> Tensor:
        return self._model.backbone.forward(inputs, starts, self._cache, first, spy)

    def _make_room(self, lines: Sequence[Line]) -> None:
        """Rows for more lines; a line's positions come in steps, as it gets longer."""
        rows = len(self._lengths) + sum(2 if line.guided else 1 for line in lines)
        positions = max(len(line.conditioning) + len(line.text) for line in lines) + 2
        self._cache.reserve_rows(rows)
        self._cache.reserve(positions)

    def _put_prefix(self, line: Line, row: int, length: int) -> None:
        """Copy what the voice alone decides into a row."""
        name = self._prefix_name(line)
        prefix = self._prefixes.get(name)
        if prefix is None:
            prefix = self._prefixes[name] = _Prefix(self._read_prefix(line), self._voices[name])
        self._cache.put(row, prefix.cache, length)

    def _read_prefix(self, line: Line) -> KeyValueCache:
        longest = self._longest.get(self._prefix_name(line))
        parts = [line.conditioning] if longest is None else [line.conditioning, self._model.embed_text(longest, blank=True)]
        inputs = torch.cat(parts)[None]
        cache = KeyValueCache(self._model.backbone.shape, 1, inputs.shape[1])
        self._model.backbone.forward(inputs, [0], cache)
        return cache

    def _drop_prefix(self, line: Line) -> None:
        name = self._prefix_name(line)
        prefix = self._prefixes[name]
        prefix.waiting -= 1
        if prefix.waiting <= 0:
            del self._prefixes[name]

    def _prefix_name(self, line: Line) -> Hashable:
        """Lines of one name share what their voice alone decides."""
        return (line.voice, len(line.text)) if self._fixed else line.voice


def _static_cache(model: SpeechModel, lines: Sequence[Line], max_lines: int) -> KeyValueCache:
    """Room for as many lines as there will be at once, each with all of its rows."""
    rows = sorted((2 if line.guided else 1 for line in lines), reverse=True)[:max_lines]
    return KeyValueCache(model.backbone.shape, row_bucket(sum(rows)), 1, growth=POSITIONS)


def _similar(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines in groups of similar length, so that a pass spends little on padding."""
    group: list[Line] = []
    for line in sorted(lines, key=lambda line: len(line.text)):
        if group and len(group[0].text) < SIMILAR * len(line.text):
            yield group
            group = []
        group.append(line)
    if group:
        yield group
