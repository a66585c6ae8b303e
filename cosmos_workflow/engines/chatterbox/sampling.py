"""Choosing the next token of every row at once, each row with parameters and random numbers of its own.

The same arithmetic in the same order as the package's serial loop: Llama variants penalise repetition first, then
temperature, min_p, top_p; Turbo has temperature, top_k, top_p, and the penalty last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosmos_workflow.engines.chatterbox.params import ChatterboxParams


@dataclass(slots=True)
class Sampler:
    """The sampling parameters of a batch as columns, `rest` being 1 - top_p; rebuilt when the batch's members change.

    A filter that no row needs is None, and `most` is the largest top_k, known without asking the device.
    """

    temperature: Tensor
    min_p: Tensor | None
    rest: Tensor | None
    top_k: Tensor | None
    penalty: Tensor
    turbo: bool
    most: int

    @classmethod
    def of(cls, rows: Sequence[ChatterboxParams], device: torch.device, *, turbo: bool) -> Sampler:
        """Of the parameters of each row. What a variant takes no notice of is there and isn't looked at."""

        def column(values: list[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

        most = max(row.top_k for row in rows)
        return cls(
            temperature=column([row.temperature for row in rows]),
            min_p=column([row.min_p for row in rows]) if any(row.min_p > 0 for row in rows) else None,
            rest=column([1 - row.top_p for row in rows]) if any(row.top_p < 1 for row in rows) else None,
            top_k=torch.tensor([row.top_k for row in rows], device=device)[:, None] if most else None,
            penalty=column([row.repetition_penalty for row in rows]),
            turbo=turbo,
            most=most,
        )

    def choose(self, scores: Tensor, seen: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """The next token of each row, [rows].

        `scores` [rows, ids] in float32; `seen` [rows, ids] says which ids the penalty concerns. Each row draws from its own
        generator what `torch.multinomial` would draw from it alone: the largest of p / exponential is a sample from p.
        """
        scores = self._turbo_scores(scores, seen) if self.turbo else self._llama_scores(scores, seen)
        chances = torch.softmax(scores, dim=-1)
        noise = torch.empty_like(chances)
        for row, generator in zip(noise, generators, strict=True):
            row.exponential_(generator=generator)
        return (chances / noise).argmax(dim=-1)

    def _llama_scores(self, scores: Tensor, seen: Tensor) -> Tensor:
        scores = penalise(scores, seen, self.penalty) / self.temperature
        if self.min_p is not None:
            scores = keep_min_p(scores, self.min_p)
        return scores if self.rest is None else keep_top_p(scores, self.rest)

    def _turbo_scores(self, scores: Tensor, seen: Tensor) -> Tensor:
        scores = scores / self.temperature
        if self.top_k is not None:
            scores = keep_top_k(scores, self.top_k, self.most)
        if self.rest is not None:
            scores = keep_top_p(scores, self.rest)
        return penalise(scores, seen, self.penalty)


def penalise(scores: Tensor, seen: Tensor, penalty: Tensor) -> Tensor:
    """Scores of seen ids moved down: divided by the penalty above 0, multiplied below."""
    return torch.where(seen, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def keep_min_p(scores: Tensor, min_p: Tensor) -> Tensor:
    """Only ids at least `min_p` times as likely as the likeliest, which always stays."""
    chances = torch.softmax(scores, dim=-1)
    unlikely = chances < min_p * chances.amax(dim=-1, keepdim=True)
    unlikely.scatter_(-1, chances.argmax(dim=-1, keepdim=True), False)
    return scores.masked_fill(unlikely, float("-inf"))


def keep_top_p(scores: Tensor, rest: Tensor) -> Tensor:
    """Only the likeliest ids that together have the chance `1 - rest`, at least one; rows with rest 0 keep all."""
    ordered, order = torch.sort(scores, descending=False)
    unlikely = ordered.softmax(dim=-1).cumsum(dim=-1) <= rest
    unlikely[..., -1:].fill_(False)
    unlikely &= rest > 0
    return scores.masked_fill(unlikely.scatter(1, order, unlikely), float("-inf"))


def keep_top_k(scores: Tensor, top_k: Tensor, most: int) -> Tensor:
    """Only the `top_k` likeliest ids of each row, at most `most`; rows with 0 keep all."""
    most = min(most, scores.shape[-1])
    best = torch.topk(scores, most).values
    last = best.gather(1, (top_k.clamp(1, most) - 1))
    return scores.masked_fill((scores < last) & (top_k > 0), float("-inf"))
