"""Mel spectrogram to waveform on the layers of the package's HiFT, which is waited for nowhere.

The package makes the voice's tone on the CPU and copies it over, as it does the window of the Fourier transform, whose inverse
looks at every call whether the window is fit. On a CPU the residual blocks have channels last: their convolutions take a third
less time than the package's. They stay in float32 in every mode: what the vocoder rounds is heard as noise.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - the name everybody knows it by
from torch import Tensor, nn

from cosmos_workflow.engines.chatterbox.randomness import Randomness


class Vocoder:
    """One HiFT, whose inverse transform is ours from now on."""

    def __init__(self, hift: Any, device: torch.device) -> None:
        self._hift = hift
        hift.stft_window = hift.stft_window.to(device)
        hift._istft = self._inverse

    def __call__(self, mel: Tensor, randomness: Randomness) -> Tensor:
        """Samples [1, samples] of a mel spectrogram [1, 80, frames]."""
        hift = self._hift
        pitch = hift.f0_upsamp(hift.f0_predictor(mel)[:, None])
        return hift.decode(x=mel, s=self._tone(pitch, randomness))

    def _tone(self, pitch: Tensor, randomness: Randomness) -> Tensor:
        """The tone [1, 1, samples] of a pitch of that shape, in Hz: its harmonics, and noise where nothing is voiced."""
        source = self._hift.m_source
        sine = source.l_sin_gen
        harmonics = torch.arange(1, sine.harmonic_num + 2, device=pitch.device)[:, None]
        angles = 2 * math.pi * (torch.cumsum(pitch * harmonics / sine.sampling_rate, dim=-1) % 1)
        phases = randomness.phases(len(harmonics))
        voiced = (pitch > sine.voiced_threshold).float()
        waves = sine.sine_amp * torch.sin(angles + phases) * voiced
        loudness = voiced * sine.noise_std + (1 - voiced) * sine.sine_amp / 3
        mixed = waves + loudness * randomness.normal(*waves.shape)
        return source.l_tanh(source.l_linear(mixed.transpose(1, 2))).transpose(1, 2)

    def _inverse(self, magnitude: Tensor, phase: Tensor) -> Tensor:
        """Samples [rows, samples] of spectra [rows, frequencies, frames], as `torch.istft` gives them."""
        size, hop = self._hift.istft_params["n_fft"], self._hift.istft_params["hop_len"]
        window, frames = self._hift.stft_window, magnitude.shape[-1]
        magnitude = torch.clip(magnitude, max=1e2)
        spectrum = torch.complex(magnitude * torch.cos(phase), magnitude * torch.sin(phase))
        pieces = torch.fft.irfft(spectrum, n=size, dim=1) * window[:, None]
        weights = window.square()[None, :, None].expand(1, -1, frames)
        whole = (1, size + hop * (frames - 1))
        samples, weight = (F.fold(part, whole, (1, size), stride=(1, hop))[:, 0, 0] for part in (pieces, weights))
        inside = slice(size // 2, whole[1] - size // 2)
        return samples[:, inside] / weight[:, inside]


def keep_channels_last(vocoder: Any) -> None:
    """Put blocks of ours in the places of a HiFTGenerator's, with its weights."""
    for blocks in (vocoder.resblocks, vocoder.source_resblocks):
        for index, block in enumerate(blocks):
            blocks[index] = _ResidualBlock(block)


class _ResidualBlock(nn.Module):
    """`ResBlock.forward` of the package: [1, channels, samples] to the same."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self._parts = [
            (_Snake(first), _Convolution(wide), _Snake(second), _Convolution(narrow))
            for first, wide, second, narrow in zip(
                block.activations1, block.convs1, block.activations2, block.convs2, strict=True
            )
        ]

    def forward(self, x: Tensor) -> Tensor:
        """The height of 1 is there because torch keeps channels last in pictures only."""
        x = x[:, :, None].contiguous(memory_format=torch.channels_last)
        for snake, wide, next_snake, narrow in self._parts:
            x = narrow(next_snake(wide(snake(x)))).add_(x)
        return x[:, :, 0]


class _Snake:
    """`x + sin(a x)^2 / a`, with an `a` for each channel."""

    def __init__(self, layer: Any) -> None:
        alpha = torch.exp(layer.alpha) if layer.alpha_logscale else layer.alpha
        self._alpha = alpha.detach()[:, None, None]
        self._inverse = 1.0 / (self._alpha + layer.no_div_by_zero)

    def __call__(self, x: Tensor) -> Tensor:
        wave = (x * self._alpha).sin_()
        return torch.addcmul(x, wave, wave * self._inverse)


class _Convolution:
    def __init__(self, layer: Any) -> None:
        self._weight = layer.weight.detach()[:, :, None].contiguous(memory_format=torch.channels_last)
        self._bias = layer.bias.detach()
        self._padding, self._dilation = (0, *layer.padding), (1, *layer.dilation)

    def __call__(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self._weight, self._bias, padding=self._padding, dilation=self._dilation)
