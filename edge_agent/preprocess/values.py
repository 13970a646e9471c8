"""What number of the tensor a pixel value 0..255 becomes.

Every model is served by a table of 256 entries (one for each channel where they differ); the two
tables that nearly all quantised models have, `px` and `px - 128`, are recognised and done faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.model import TensorSpec

_PIXELS = np.arange(256, dtype=np.float64)
_DTYPES = ("uint8", "int8", "int16", "int32", "float32")
# The ranges that models are trained on: Keras Rescaling and Ultralytics, TF-Slim, raw pixels.
_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0))


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Real value = (px - mean) / std, in pixel units; arrays of one or `channels` numbers."""

    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    @classmethod
    def read(cls, mean: Any, std: Any, channels: int) -> Normalisation:
        """From numbers or lists; raises ValueError with what is wrong with them."""
        both = (_numbers("mean", mean, channels), _numbers("std", std, channels))
        if (both[1] <= 0.0).any():
            raise ValueError(f"std must be above 0, not {_text(both[1])}")
        return cls(*both)

    @property
    def text(self) -> str:
        """The formula, for people."""
        top = f"(px - {_text(self.mean)})" if self.mean.any() else "px"
        return f"{top} / {_text(self.std)}" if (self.std != 1.0).any() else top


class PixelValues:
    """Turns uint8 pixels into the tensor's numbers.

    `tables` is 1 x 256 or channels x 256 in the tensor's dtype; `text` is the formula;
    `unchanged` is true where the pixels themselves are the tensor's numbers.
    """

    def __init__(self, text: str, tables: NDArray[Any]) -> None:
        if (tables == tables[0]).all():
            tables = tables[:1]
        self.text = text
        self.tables = tables
        single = len(tables) == 1
        self.unchanged = tables.dtype == np.uint8 and single and bool((tables[0] == _PIXELS).all())
        self._flips = (
            tables.dtype == np.int8 and single and bool((tables[0] == _PIXELS - 128).all())
        )
        self._interleaved = np.ascontiguousarray(tables.T[None])

    def interleaved(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Fill `out` (H x W or H x W x C) from pixels of the same shape."""
        if self._flips:
            np.bitwise_xor(pixels, 0x80, out=out.view(np.uint8))
        else:
            cv2.LUT(pixels, self._interleaved, dst=out)

    def planes(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Fill `out` (C x H x W) from pixels of the same shape."""
        for channel, plane in enumerate(pixels):
            if self._flips:
                np.bitwise_xor(plane, 0x80, out=out[channel].view(np.uint8))
            else:
                cv2.LUT(plane, self.tables[channel % len(self.tables)], dst=out[channel])


def pixel_values(
    spec: TensorSpec, channels: int, metadata: Mapping[str, Any], wanted: Normalisation | None
) -> PixelValues:
    """Work the table out: from what the user wants, else the metadata, else the tensor itself.

    uint8 takes pixels as they are. int8 takes px - 128, which is right for every model trained on
    0..1, -1..1 or raw pixels and quantised over the whole range; where the quantisation covers
    somewhat more or less than one of these ranges, the pixel is quantised exactly. Floats, and
    16 bit integers (whose range tells nothing, being symmetric), take 0..1. Raises ModelError.
    """
    if spec.dtype.name not in _DTYPES:
        raise ModelError(
            f"input {spec.name!r} is {spec.dtype.name}: pixels cannot be written to it",
            f"convert the model with one of the input types {', '.join(_DTYPES)}",
        )
    if wanted is None and spec.dtype != np.uint8:
        wanted = _from_metadata(metadata, channels)
    quantised = spec.scale is not None and spec.zero_point is not None
    if wanted is not None or spec.dtype == np.float32:
        return _normalised(spec, channels, wanted or _over_range(0.0, 1.0))
    if spec.dtype == np.int8:
        return _int8(spec, channels) if quantised else _shifted()
    if spec.dtype == np.uint8 or not quantised:
        return PixelValues(f"{spec.dtype.name} = px", _PIXELS.astype(spec.dtype)[None])
    return _normalised(spec, channels, _over_range(0.0, 1.0))


def _shifted() -> PixelValues:
    return PixelValues("int8 = px - 128", (_PIXELS - 128).astype(np.int8)[None])


def _int8(spec: TensorSpec, channels: int) -> PixelValues:
    """Take px - 128 where it agrees within one step, else quantise over the likeliest range."""
    scale, zero_point = _quantisation(spec, channels)
    low, high = (
        float(((-128 - zero_point) * scale).min()),
        float(((127 - zero_point) * scale).max()),
    )

    def misfit(range_: tuple[float, float]) -> float:
        return (abs(low - range_[0]) + abs(high - range_[1])) / (range_[1] - range_[0])

    likeliest = min(_RANGES, key=misfit)
    if misfit(likeliest) > 0.25:  # some other normalisation: its range stands for black to white
        return _shifted()
    exact = _normalised(spec, channels, _over_range(*likeliest))
    off = np.abs(exact.tables.astype(np.int16) - (_PIXELS - 128).astype(np.int16)).max()
    return _shifted() if off <= 1 else exact


def _normalised(spec: TensorSpec, channels: int, norm: Normalisation) -> PixelValues:
    """Table of the formula, quantised where the tensor is: q = round(real / scale) + zero point."""
    real = (_PIXELS - norm.mean[:, None]) / norm.std[:, None]
    text = f"{spec.dtype.name} = {norm.text}"
    if spec.dtype == np.float32:
        return PixelValues(text, real.astype(np.float32))
    scale, zero_point = _quantisation(spec, channels)
    limits = np.iinfo(spec.dtype)
    steps = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max)
    text = f"{spec.dtype.name} = round(({norm.text}) / {_text(scale)}) + {_text(zero_point)}"
    return PixelValues(text, steps.astype(spec.dtype))


def _quantisation(
    spec: TensorSpec, channels: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and zero point as columns of one or `channels` rows; 1 and 0 where not quantised."""
    if spec.scale is None or spec.zero_point is None:
        return np.ones((1, 1)), np.zeros((1, 1))
    scale = np.asarray(spec.scale, np.float64).reshape(-1, 1)
    zero_point = np.asarray(spec.zero_point, np.float64).reshape(-1, 1)
    if not {len(scale), len(zero_point)} <= {1, channels} or not (scale > 0.0).all():
        raise ModelError(
            f"input {spec.name!r} has a quantisation that does not fit its {channels} channels",
            "convert the model again with one scale for the whole input",
        )
    return scale, zero_point


def _over_range(low: float, high: float) -> Normalisation:
    """Black is `low` and white is `high`."""
    std = 255.0 / (high - low)
    return Normalisation(np.array([-low * std]), np.array([std]))


def _from_metadata(metadata: Mapping[str, Any], channels: int) -> Normalisation | None:
    """Mean and std that the model's maker wrote into the file, None where there are none."""
    mean, std = metadata.get("mean"), metadata.get("std")
    if mean is None or std is None:
        return None
    try:
        norm = Normalisation.read(mean, std, channels)
    except ValueError as error:
        raise ModelError(f"the model's metadata: {error}", "set mean and std yourself") from error
    if (norm.std < 1.0).all():  # torch writes fractions of white: nobody spreads 255 over 1000
        return Normalisation(norm.mean * 255.0, norm.std * 255.0)
    return norm


def _numbers(name: str, value: Any, channels: int) -> NDArray[np.float64]:
    """One number, or one for each channel."""
    try:
        numbers = np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.isfinite(numbers).all() or not numbers.size:
        raise ValueError(f"{name} must be a number or a list of numbers, not {value!r}")
    if numbers.size not in (1, channels):
        raise ValueError(f"{name} has {numbers.size} numbers; the model has {channels} channels")
    return numbers


def _text(numbers: NDArray[np.float64]) -> str:
    """One number plainly, several in brackets."""
    texts = [f"{number:.5g}" for number in numbers.reshape(-1)]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"
