"""Speech tokens to waveforms on the package's S3Gen: the flow for several items at once, the vocoder row by row.

The package's encoder pads without a mask before its look-ahead convolution, which lets padding into a short row's last
frames; here the mask is put. The vocoder runs one row at a time, because its output then is exactly what it is alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from cosmos_workflow.engines.chatterbox.estimator import Estimator
from cosmos_workflow.engines.chatterbox.randomness import Randomness
from cosmos_workflow.engines.chatterbox.vocoder import Vocoder

SAMPLE_RATE = 24_000
FRAMES_A_TOKEN = 2
SAMPLES_A_TOKEN = 960


@dataclass(slots=True, eq=False)
class Sound:
    """One item's speech tokens, [tokens], and the voice they are to be spoken with, as the package's `embed_ref` gives it.

    `drops_last`: the waveform ends before the last token, which is made just before the end of speech and sounds of noise.
    """

    id: str
    tokens: Tensor
    voice: Mapping[str, Any]
    randomness: Randomness
    drops_last: bool = False

    @property
    def frames(self) -> int:
        """Mel frames of prompt and output, which is what the flow pays for."""
        return FRAMES_A_TOKEN * (self.voice["prompt_token"].shape[-1] + len(self.tokens))


class SoundModel:
    """S3Gen with `steps` CFM steps, and its flow's estimator."""

    def __init__(self, s3gen: Any, estimator: Estimator, steps: int) -> None:
        self._s3gen = s3gen
        self._flow = s3gen.flow
        self._vocoder = Vocoder(s3gen.mel2wav, s3gen.device)
        self._estimator = estimator
        self._steps = steps

    @torch.inference_mode()
    def mels(
        self,
        sounds: Sequence[Sound],
        on_step: Callable[[Sound, float], object],
        is_cancelled: Callable[[Sound], bool],
    ) -> list[tuple[Sound, Tensor]]:
        """The mel spectrogram [1, 80, frames] of each sound, all in one batch; a cancelled one leaves within a step.

        `on_step` is told each sound's share of the steps that is done.
        """
        state = self._begin(sounds)
        times = self._times(state.noise)
        for index, (now, then) in enumerate(pairwise(times)):
            kept = [row for row, sound in enumerate(state.sounds) if not is_cancelled(sound)]
            if len(kept) < len(state.sounds):
                state = state.keep(kept)
            if not kept:
                return []
            state.noise = state.noise + (then - now) * self._slope(state, now, then)
            for sound in state.sounds:
                on_step(sound, (index + 1) / self._steps)
        return [
            (sound, state.noise[row : row + 1, sound.voice["prompt_feat"].shape[1] : sound.frames].transpose(1, 2))
            for row, sound in enumerate(state.sounds)
        ]

    @torch.inference_mode()
    def waveform(self, sound: Sound, mel: Tensor) -> Tensor:
        """Samples at 24 kHz, on the device; the first 20 ms are silent and the next fade in, as the package does it."""
        wave = self._vocoder(mel.contiguous(), sound.randomness)
        fade = self._s3gen.trim_fade
        wave[:, : len(fade)] *= fade
        kept = max(1, len(sound.tokens) - 1) * SAMPLES_A_TOKEN if sound.drops_last else None
        return wave[0, :kept]

    def _begin(self, sounds: Sequence[Sound]) -> _FlowState:
        flow = self._flow
        whole = [torch.cat([sound.voice["prompt_token"][0].long(), sound.tokens.long()]) for sound in sounds]
        lengths = torch.tensor([len(tokens) for tokens in whole], device=whole[0].device)
        token_mask = _mask(lengths)
        embedded = flow.input_embedding(pad_sequence(whole, batch_first=True)) * token_mask[..., None]
        hidden = flow.encoder_proj(self._encode(embedded, lengths))
        frames = self._estimator.frames(hidden.shape[1], hidden.device)
        hidden = F.pad(hidden, (0, 0, 0, frames - hidden.shape[1]))
        conditions, noise = torch.zeros_like(hidden), torch.zeros_like(hidden)
        for row, sound in enumerate(sounds):
            prompt = sound.voice["prompt_feat"][0]
            conditions[row, : len(prompt)] = prompt
            noise[row, : sound.frames] = self._noise(sound).T
        speaker = torch.cat([torch.atleast_2d(sound.voice["embedding"]) for sound in sounds])
        voice = flow.spk_embed_affine_layer(F.normalize(speaker, dim=1))[:, None].expand(-1, frames, -1)
        bias = self._estimator.bias(_mask(FRAMES_A_TOKEN * lengths, frames))
        return _FlowState(list(sounds), noise, torch.cat([hidden, voice, conditions], dim=2), bias)

    def _noise(self, sound: Sound) -> Tensor:
        """[80, frames]; drawn in the package's order, which for a mean flow is the output's part first."""
        if not self._s3gen.meanflow:
            return sound.randomness.normal(1, 80, sound.frames)[0]
        output = sound.randomness.normal(1, 80, FRAMES_A_TOKEN * len(sound.tokens))[0]
        whole = sound.randomness.normal(1, 80, sound.frames)[0]
        whole[:, sound.frames - output.shape[1] :] = output
        return whole

    def _encode(self, embedded: Tensor, lengths: Tensor) -> Tensor:
        """The package's encoder on rows of different lengths: [rows, tokens, width] to [rows, frames, width]."""
        encoder = self._flow.encoder
        x, places, mask = encoder.embed(embedded, _mask(lengths)[:, None])
        x = encoder.pre_lookahead_layer(x * mask.transpose(1, 2))
        x = encoder.forward_layers(x, mask, places, mask)
        x, lengths = encoder.up_layer(x.transpose(1, 2).contiguous(), lengths)
        x, places, mask = encoder.up_embed(x.transpose(1, 2).contiguous(), _mask(lengths)[:, None])
        x = encoder.forward_up_layers(x, mask, places, mask)
        return encoder.after_norm(x) if encoder.normalize_before else x

    def _times(self, like: Tensor) -> Tensor:
        times = torch.linspace(0, 1, self._steps + 1, device=like.device, dtype=like.dtype)
        cosine = not self._s3gen.meanflow and self._flow.decoder.t_scheduler == "cosine"
        return 1 - torch.cos(times * 0.5 * torch.pi) if cosine else times

    def _slope(self, state: _FlowState, now: Tensor, then: Tensor) -> Tensor:
        """One call of the estimator: for a mean flow as it is, else guided by a second row of each without conditions."""
        if self._s3gen.meanflow:
            return self._estimator(state.noise, state.given, state.bias, now[None], until=then[None])
        rate = self._flow.decoder.inference_cfg_rate
        guided, plain = self._estimator(
            _twice(state.noise), torch.cat([state.given, torch.zeros_like(state.given)]), _twice(state.bias), now[None]
        ).chunk(2)
        return (1.0 + rate) * guided - rate * plain


@dataclass(slots=True)
class _FlowState:
    """Rows of the flow: `noise` [rows, frames, 80] becomes the mel spectrogram, the rest stays as it is."""

    sounds: list[Sound]
    noise: Tensor
    given: Tensor
    bias: Tensor

    def keep(self, rows: list[int]) -> _FlowState:
        return _FlowState([self.sounds[row] for row in rows], self.noise[rows], self.given[rows], self.bias[rows])


def _mask(lengths: Tensor, size: int | None = None) -> Tensor:
    """[rows, size], true where a row has a value."""
    return torch.arange(size or int(lengths.max()), device=lengths.device) < lengths[:, None]


def _twice(part: Tensor) -> Tensor:
    return torch.cat([part, part])
