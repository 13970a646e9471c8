"""Weights and biases of one operator as whole numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.quantize.ranges import Parameters

Array = NDArray[Any]

_LARGEST_BIAS = float(1 << 30)  # leaves the sums of an int32 as much room again


class Weights(NamedTuple):
    """`stored` is int8, `bias` int32 of scale `bias_scale`; scales are float32, one or several."""

    stored: Array
    scale: Array
    bias: Array
    bias_scale: Array


def quantize_weights(
    weights: Array,
    bias: Array,
    x: Parameters,
    dimension: int | None,
    mean: Array | None = None,
) -> Weights:
    """Symmetric int8 weights with a scale for each index of `dimension`, one where it is None.

    Where the mean of each input channel is given, the bias is changed by what rounding the weights
    does to the mean of each output. A scale is never so small that the bias does not fit.
    """
    count = bias.size
    if dimension is None:
        largest = np.full(count, np.abs(weights).max(initial=0.0), np.float64)
    else:
        others = tuple(axis for axis in range(weights.ndim) if axis != dimension)
        largest = np.abs(weights).max(axis=others, initial=0.0).astype(np.float64)
    least = np.abs(bias) / (np.float64(x.scale) * _LARGEST_BIAS)
    scale = np.maximum(largest / 127.0, least)
    if dimension is None:
        scale[:] = scale.max(initial=0.0)
    scale[scale < np.finfo(np.float32).tiny] = 1.0
    scale = scale.astype(np.float32)
    along = [1] * weights.ndim
    along[0 if dimension is None else dimension] = count
    steps = scale.astype(np.float64).reshape(along)
    stored = np.clip(np.rint(weights / steps), -127, 127)
    if mean is not None:
        bias = bias - _drift(stored * steps - weights, mean, count)
    bias_scale = scale * x.scale
    whole = np.rint(bias / bias_scale.astype(np.float64)).astype(np.int32)
    one = slice(1) if dimension is None else slice(None)
    return Weights(stored.astype(np.int8), scale[one], whole, bias_scale[one])


def _drift(error: Array, mean: Array, count: int) -> Array:
    """By how much the mean of each output channel moves with an error of the weights.

    Every tap of a window sees the same mean, which leaves out the padding at the border.
    """
    if error.shape[0] == 1 and error.ndim == 4 and error.shape[3] == count:
        taps = error.sum(axis=(0, 1, 2))
        drift: Array = taps * np.repeat(mean, count // mean.size)
    else:
        drift = error.reshape(count, -1, mean.size).sum(axis=1) @ mean
    return drift
