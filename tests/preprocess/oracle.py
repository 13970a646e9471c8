"""What a preprocessor should write, worked out slowly and from the formulas alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import BoxMapping
from edge_agent.model import TensorSpec
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions

Picture = NDArray[np.uint8]


def every_value() -> Picture:
    """A 16 x 16 frame in which each channel takes each of its 256 values once, differently."""
    values = np.arange(256)
    channels = [values, values[::-1], (values * 37 + 11) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8).reshape(16, 16, 3)


def solid(size: tuple[int, int], bgr: Sequence[int] = (10, 20, 30)) -> Picture:
    """A frame of (width, height) in one colour."""
    return np.full((size[1], size[0], 3), bgr, np.uint8)


def noise(seed: int, size: tuple[int, int]) -> Picture:
    """A frame of (width, height) in which no pixel is like its neighbour."""
    shape = (size[1], size[0], 3)
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def number(px: int, mean: float, std: float, spec: TensorSpec) -> float:
    """The tensor's number for one pixel value: halves are rounded to even, as `np.rint` does."""
    real = (px - mean) / std
    if spec.dtype == np.float32:
        return float(np.float32(real))
    scale = 1.0 if spec.scale is None else float(spec.scale)
    zero_point = 0 if spec.zero_point is None else int(spec.zero_point)
    limits = np.iinfo(spec.dtype)
    return min(max(round(real / scale) + zero_point, int(limits.min)), int(limits.max))


def expected(
    channels: Sequence[NDArray[Any]],
    spec: TensorSpec,
    means: Sequence[float],
    stds: Sequence[float],
    *,
    planar: bool,
) -> NDArray[Any]:
    """The whole tensor from the frame's channels in the model's order, pixel by pixel."""
    planes = [
        [[number(int(px), mean, std, spec) for px in row] for row in channel]
        for channel, mean, std in zip(channels, means, stds, strict=True)
    ]
    values = np.array(planes, spec.dtype)
    return (values if planar else values.transpose(1, 2, 0)).reshape(spec.shape)


def write(
    spec: TensorSpec,
    image: NDArray[Any],
    options: PreprocessOptions | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> tuple[NDArray[Any], BoxMapping]:
    """The tensor that a new preprocessor fills, and its mapping."""
    tensor = np.full(spec.shape, 77, spec.dtype)
    preprocessor = ImagePreprocessor(spec, metadata or {}, options or PreprocessOptions())
    return tensor, preprocessor.write(image, tensor)


def bilinear(image: Picture, size: tuple[int, int]) -> NDArray[np.float64]:
    """The frame at another (width, height): between pixel centres, edges repeated."""
    rows, row_part = _neighbours(size[1], image.shape[0])
    columns, column_part = _neighbours(size[0], image.shape[1])
    across = _blend(image.astype(np.float64), columns, column_part[None, :, None], axis=1)
    return _blend(across, rows, row_part[:, None, None], axis=0)


def _neighbours(count: int, length: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    at = np.clip((np.arange(count) + 0.5) * length / count - 0.5, 0, length - 1)
    first = np.floor(at).astype(np.int64)
    return np.stack([first, np.minimum(first + 1, length - 1)]), at - first


def _blend(
    image: NDArray[np.float64], at: NDArray[np.int64], part: NDArray[np.float64], axis: int
) -> NDArray[np.float64]:
    first, second = np.take(image, at[0], axis), np.take(image, at[1], axis)
    return np.asarray(first * (1.0 - part) + second * part)
