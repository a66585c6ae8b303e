"""New lines' texts read into the cache, up to the scores of their first token.

A line has one row of the cache for its text and, where it has a CFG weight, a plain one, in which the text's tokens are only
places. What depends on the voice alone, the conditioning that both begin with, is read once a voice and kept.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cosmos_workflow.engines.chatterbox.backbone import Spy
from cosmos_workflow.engines.chatterbox.cache import GROWTH, KeyValueCache, rounded

if TYPE_CHECKING:
    from cosmos_workflow.engines.chatterbox.speech_model import Line, SpeechModel

SIMILAR = 0.75
"""Lines are read in one pass when the shortest text has at least this share of the longest one's tokens."""

PASS_LINES, PASS_TOKENS = 8, 32
"""A pass of fixed shape: so many lines, with both of their rows, and so many tokens of each."""

KEPT_BYTES = 256 * 2**20
"""Of voices' keys and values: 30 of Llama's in float32, 3 of Turbo's."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """New lines in the order of their rows: first each one's text, then the plain rows of those that are guided.

    `scores` [rows, ids], `lengths` the positions that each row has.
    """

    lines: list[Line]
    scores: Tensor
    lengths: list[int]
    spy: Spy | None = None


class Voices:
    """Keys and values of the conditioning, by a line's `voice`; kept from batch to batch. Of a model whose steps have fixed
    shapes, voices are read in passes of one shape, whoever is read with them."""

    def __init__(self, model: SpeechModel) -> None:
        self._model = model
        self._kept: OrderedDict[Hashable, list[Tensor]] = OrderedDict()

    def of(self, lines: Sequence[Line]) -> list[list[Tensor]]:
        """For each line, a layer's [positions, 2, heads, dim]; those that aren't known are read together."""
        new = {line.voice: line for line in lines if line.voice not in self._kept}
        for length in {len(line.conditioning) for line in new.values()}:
            same = [line for line in new.values() if len(line.conditioning) == length]
            for first in range(0, len(same), PASS_LINES):
                self._read(same[first : first + PASS_LINES], length)
        found = [self._kept[line.voice] for line in lines]
        for line in lines:
            self._kept.move_to_end(line.voice)
        size = self._model.backbone.shape.bytes_a_position
        while len(self._kept) > 1 and sum(size * len(voice[0]) for voice in self._kept.values()) > KEPT_BYTES:
            self._kept.popitem(last=False)
        return found

    def _read(self, lines: Sequence[Line], length: int) -> None:
        inputs = torch.stack([line.conditioning for line in lines])
        if self._model.static:
            inputs = _padded(inputs, PASS_LINES, length)
        cache = KeyValueCache(self._model.backbone.shape, len(inputs), length, growth=0)
        self._model.backbone.forward(inputs, [0] * len(inputs), cache)
        for row, line in enumerate(lines):
            self._kept[line.voice] = list(torch.stack([block[row] for block in cache.blocks]).unbind())


class Admission:
    """How the lines of a batch come into its cache, each at the shape that fits it: for a CPU, which pays for padding."""

    def __init__(self, model: SpeechModel, lines: Sequence[Line]) -> None:
        self._model = model
        self._plain: dict[Hashable, KeyValueCache] = {}
        self._waiting = Counter(line.voice for line in lines if line.guided)
        self._longest: dict[Hashable, Line] = {}
        for line in lines:
            known = self._longest.get(line.voice)
            if line.guided and (known is None or len(line.text) > len(known.text)):
                self._longest[line.voice] = line

    def groups(self, lines: Sequence[Line]) -> Iterator[list[Line]]:
        """Lines that are read together: of similar length, so that a pass spends little on padding."""
        group: list[Line] = []
        for line in sorted(lines, key=lambda line: len(line.text)):
            if group and len(group[0].text) < SIMILAR * len(line.text):
                yield group
                group = []
            group.append(line)
        if group:
            yield group

    def admit(self, lines: Sequence[Line], cache: KeyValueCache, first: int) -> Admitted:
        """Read the texts of one group into the cache's rows from `first` on."""
        model, guided = self._model, [line for line in lines if line.guided]
        cache.reserve_rows(first + len(lines) + len(guided))
        cache.reserve(max(len(line.conditioning) + len(line.text) for line in lines) + 2)
        begin = model.embed_start()
        starts = [len(line.conditioning) for line in lines]
        cache.put([first + row for row in range(len(lines))], model.voices.of(lines))
        texts = [torch.cat([model.embed_text(line.text), begin]) for line in lines]
        spy = model.spy([row for row, line in enumerate(lines) if line.watched])
        states = model.backbone.forward(pad_sequence(texts, batch_first=True), starts, cache, first, spy)
        last = [state[len(text) - 1] for state, text in zip(states, texts, strict=True)]
        lengths = [start + len(text) for start, text in zip(starts, texts, strict=True)]
        if guided:
            read = [len(line.conditioning) + len(line.text) for line in guided]
            for row, (line, length) in enumerate(zip(guided, read, strict=True), first + len(lines)):
                cache.put([row], [[block[0, :length] for block in self._read_plain(line).blocks]])
            states = model.backbone.forward(begin.expand(len(guided), -1, -1), read, cache, first + len(lines))
            last += list(states[:, -1])
            lengths += [length + len(begin) for length in read]
            self._forget(guided)
        return Admitted(list(lines), model.scores(torch.stack(last)), lengths, spy)

    def _read_plain(self, line: Line) -> KeyValueCache:
        """What every plain row of this voice begins with: a longer text's contains a shorter one's."""
        known = self._plain.get(line.voice)
        if known is None:
            longest, start = self._longest[line.voice], len(line.conditioning)
            known = KeyValueCache(self._model.backbone.shape, 1, start + len(longest.text))
            known.put([0], self._model.voices.of([line]))
            self._model.backbone.forward(self._model.embed_text(longest.text, blank=True)[None], [start], known)
            self._plain[line.voice] = known
        return known

    def _forget(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._waiting[line.voice] -= 1
            if self._waiting[line.voice] <= 0:
                del self._plain[line.voice]


class FixedAdmission:
    """As `Admission`, in passes of one shape, so that what a line gets doesn't depend on who comes in with it, and eight lines
    cost a GPU hardly more to start than one."""

    def __init__(self, model: SpeechModel) -> None:
        self._model = model
        self._rows = PASS_LINES * (1 if model.turbo else 2)

    def groups(self, lines: Sequence[Line]) -> Iterator[list[Line]]:
        """Eight lines at most, whose conditioning takes as much room."""
        for room in sorted({_room(line) for line in lines}):
            same = sorted((line for line in lines if _room(line) == room), key=lambda line: len(line.text))
            for first in range(0, len(same), PASS_LINES):
                yield same[first : first + PASS_LINES]

    def admit(self, lines: Sequence[Line], cache: KeyValueCache, first: int) -> Admitted:
        """Read the texts of one group into the cache's rows from `first` on."""
        model, guided = self._model, [index for index, line in enumerate(lines) if line.guided]
        owners = [lines[index] for index in [*range(len(lines)), *guided]]
        inputs = self._inputs(lines, guided)
        starts = [len(line.conditioning) for line in owners]
        steps = inputs.shape[1]
        apart = KeyValueCache(model.backbone.shape, self._rows, _room(lines[0]) + steps, growth=0)
        apart.put(range(len(owners)), model.voices.of(owners))
        padded = starts + [0] * (self._rows - len(starts))
        positions = torch.tensor(padded, device=inputs.device)[:, None] + torch.arange(steps, device=inputs.device)
        states = [
            model.backbone.run(
                inputs[:, begin : begin + PASS_TOKENS],
                positions[:, begin : begin + PASS_TOKENS],
                apart,
                slice(0, self._rows),
                _room(lines[0]) + begin + PASS_TOKENS,
            )
            for begin in range(0, steps, PASS_TOKENS)
        ]
        read = [len(line.text) + model.start_tokens for line in owners]
        last = torch.tensor(read + [1] * (self._rows - len(read)), device=inputs.device) - 1
        scores = model.scores(torch.cat(states, dim=1)[torch.arange(self._rows, device=inputs.device), last])
        lengths = [start + length for start, length in zip(starts, read, strict=True)]
        cache.reserve_rows(first + len(owners))
        cache.reserve(max(lengths))
        rows = [[block[row, :length] for block in apart.blocks] for row, length in enumerate(lengths)]
        cache.put(range(first, first + len(owners)), rows)
        return Admitted(list(lines), scores[: len(owners)], lengths)

    def _inputs(self, lines: Sequence[Line], guided: Sequence[int]) -> Tensor:
        """[rows, steps, width]: texts, then places of the guided ones' texts, each followed by the start of speech."""
        model = self._model
        texts = pad_sequence([line.text for line in lines], batch_first=True)
        embedded = model.embed_text(texts)
        if guided:
            embedded = torch.cat([embedded, model.embed_text(texts[: len(guided)], blank=True)])
        steps = rounded(texts.shape[1] + model.start_tokens, PASS_TOKENS)
        inputs = _padded(embedded, self._rows, steps)
        ends = [len(lines[index].text) for index in [*range(len(lines)), *guided]]
        rows = torch.arange(len(ends), device=inputs.device)[:, None]
        behind = torch.tensor(ends, device=inputs.device)[:, None] + torch.arange(model.start_tokens, device=inputs.device)
        inputs[rows, behind] = model.embed_start()
        return inputs


def _room(line: Line) -> int:
    """Positions that are kept for the conditioning."""
    return rounded(len(line.conditioning), GROWTH)


def _padded(inputs: Tensor, rows: int, steps: int) -> Tensor:
    """Inputs [some rows, some steps, width] in the corner of larger ones."""
    larger = inputs.new_zeros(rows, steps, inputs.shape[-1])
    larger[: inputs.shape[0], : inputs.shape[1]] = inputs
    return larger
