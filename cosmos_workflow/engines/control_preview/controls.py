"""Control signals of a frame: pictures in, pictures out.

Every picture is uint8 RGB of shape (height, width, 3). `vis` and `edge` follow the presets of NVIDIA's cosmos-transfer1
(its control-input augmentors), which cosmos-transfer2.5 shares but for one bilateral setting; the constants are theirs.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from functools import cache
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cosmos_workflow.engines.video import Strength

Picture = NDArray[np.uint8]

CANNY_THRESHOLDS: Mapping[Strength, tuple[int, int]] = {
    "very_low": (20, 50),
    "low": (50, 100),
    "medium": (100, 200),
    "high": (200, 300),
    "very_high": (300, 400),
}
"""Lower and upper hysteresis threshold of the edge detector."""


BLURS: Mapping[Strength, tuple[int, int, int, float, float]] = {
    "very_low": (1, 4, 15, 100, 50),
    "low": (4, 4, 15, 100, 50),
    "medium": (2, 10, 30, 150, 100),
    "high": (1, 16, 50, 300, 150),
    "very_high": (4, 16, 50, 300, 150),
}
"""How `vis` blurs: shrink, a bilateral filter of a diameter and two sigmas, restore, then down and up again. In order: shrink,
down and up, diameter, sigma of colours, sigma of space."""


def make_control(name: str, picture: Picture, blur_strength: Strength, canny_threshold: Strength) -> Picture:
    """The control signal `name` ("vis", "edge", "depth" or "seg") of a picture; depth and seg are only approximate."""
    if name == "vis":
        return vis(picture, blur_strength)
    if name == "edge":
        return edge(picture, canny_threshold)
    return {"depth": approximate_depth, "seg": approximate_seg}[name](picture)


def vis(picture: Picture, strength: Strength) -> Picture:
    """The picture without its detail: colours and coarse shapes stay.

    The down-and-up step is bicubic with antialiasing and rounds to bytes after each half, as torchvision's resize does;
    Pillow's resize over floats gives the same numbers without torch.
    """
    shrink, down_up, diameter, sigma_color, sigma_space = BLURS[strength]
    height, width = picture.shape[:2]
    blurred = picture
    if shrink > 1:
        small = (max(1, width // shrink), max(1, height // shrink))
        blurred = cv2.resize(blurred, small, interpolation=cv2.INTER_AREA)
    blurred = cv2.bilateralFilter(blurred, diameter, sigma_color, sigma_space)
    if shrink > 1:
        blurred = cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR)
    coarse = (max(1, width // down_up), max(1, height // down_up))
    return _bicubic(_bicubic(cast("Picture", blurred), *coarse), width, height)


def edge(picture: Picture, threshold: Strength) -> Picture:
    """White edges on black, by Canny over the three colour channels."""
    lower, upper = CANNY_THRESHOLDS[threshold]
    return _three_channels(cv2.Canny(picture, lower, upper))


def approximate_depth(picture: Picture) -> Picture:
    """A crude guess at nearness (white is near): what is low in the picture and what has fine contrast counts as near.

    No model has seen the picture; it only shows where a depth control would act.
    """
    height, width = picture.shape[:2]
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    reach = max(3, min(height, width) // 12) | 1
    mean = cv2.GaussianBlur(grey, (reach, reach), 0)
    contrast = np.sqrt(np.maximum(cv2.GaussianBlur(grey * grey, (reach, reach), 0) - mean * mean, 0))
    contrast = cv2.GaussianBlur(contrast, (reach, reach), 0)
    # 64 is half the largest deviation that 8 bits can have.
    low_down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    nearness = 0.6 * low_down + 0.4 * np.minimum(contrast / 64, 1)
    return _three_channels((255 * nearness).astype(np.uint8))


def approximate_seg(picture: Picture) -> Picture:
    """A crude guess at regions: one flat colour for each band of hue and brightness after smoothing.

    The colours depend on the band alone, so a region keeps its colour from frame to frame. No model has seen the picture.
    """
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    smooth = cv2.medianBlur(cv2.bilateralFilter(small, 9, 60, 9), 7)
    hue, saturation, value = cv2.split(cv2.cvtColor(smooth, cv2.COLOR_RGB2HSV))
    # OpenCV's hue runs from 0 to 179: eight bands of 22.5. Below a saturation of a fifth a colour counts as grey.
    band = np.where(saturation < 51, 0, 1 + np.minimum(hue.astype(np.int32) * 8 // 180, 7))
    region = (band * 3 + np.minimum(value // 86, 2)).astype(np.uint8)
    region = cv2.medianBlur(region, 7)
    full = cast("Picture", cv2.resize(region, (width, height), interpolation=cv2.INTER_NEAREST))
    return _palette()[full]


def composite(controls: Mapping[str, Picture], weights: Mapping[str, float]) -> Picture:
    """The weighted sum of control signals; weights that add up to more than 1 are scaled down to 1."""
    scale = 1 / max(1.0, sum(weights[name] for name in controls))
    total = sum(picture.astype(np.float32) * (weights[name] * scale) for name, picture in controls.items())
    return np.clip(np.rint(total), 0, 255).astype(np.uint8)


def fit(name: str, picture: Picture, width: int, height: int) -> Picture:
    """A given control picture at the clip's size; regions keep their exact colours."""
    if picture.shape[:2] == (height, width):
        return picture
    shrinks = picture.shape[0] > height
    smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    how = cv2.INTER_NEAREST if name == "seg" else smooth
    return cast("Picture", cv2.resize(picture, (width, height), interpolation=how))


def label(picture: Picture, text: str) -> Picture:
    """A copy with a line of text in its lower left corner."""
    marked = picture.copy()
    scale = max(0.35, picture.shape[0] / 720)
    (width, height), base = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    bottom = picture.shape[0]
    cv2.rectangle(marked, (0, bottom - height - 2 * base), (width + 2 * base, bottom), (0, 0, 0), cv2.FILLED)
    cv2.putText(marked, text, (base, bottom - base), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return marked


def _bicubic(picture: Picture, width: int, height: int) -> Picture:
    channels = [Image.fromarray(channel.astype(np.float32)) for channel in cv2.split(picture)]
    resized = [np.asarray(channel.resize((width, height), Image.Resampling.BICUBIC)) for channel in channels]
    return np.clip(np.rint(np.stack(resized, axis=-1)), 0, 255).astype(np.uint8)


def _three_channels(grey: NDArray[np.generic]) -> Picture:
    return cast("Picture", cv2.cvtColor(cast("Picture", grey), cv2.COLOR_GRAY2RGB))


@cache
def _palette() -> Picture:
    # Hues a golden angle apart are far from each other for any number of regions.
    colours = [colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.55 + 0.15 * (index % 3), 0.95) for index in range(27)]
    return (255 * np.array(colours)).astype(np.uint8)
