"""Small untrained nets, and what plain loops say that they give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.quantize import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    MaxPool,
)
from edge_agent.quantize.layers import Layer

Array = NDArray[Any]


def random_weights(rng: np.random.Generator, *shape: int) -> Array:
    """Numbers of a size that keeps the signal's."""
    fan_in = math.prod(shape[:-1])
    return rng.normal(0, 1 / math.sqrt(fan_in), shape).astype(np.float32)


def norm(rng: np.random.Generator, channels: int) -> BatchNorm:
    """A batch norm with numbers of its own for each channel."""
    gamma, beta, mean = rng.normal(1, 0.3, (3, channels))
    return BatchNorm(gamma, beta, mean, rng.uniform(0.5, 2, channels))


def mlp(rng: np.random.Generator) -> tuple[list[Layer], tuple[int, ...]]:
    """Three dense layers."""
    w = random_weights
    return [
        Dense(w(rng, 10, 32), w(rng, 32), "relu"),
        Dense(w(rng, 32, 16), w(rng, 16), "relu6"),
        Dense(w(rng, 16, 4), None, "softmax"),
    ], (10,)


def cnn_1d(rng: np.random.Generator) -> tuple[list[Layer], tuple[int, ...]]:
    """Convolutions along time, batch norm behind and before an activation."""
    w = random_weights
    return [
        Conv1D(w(rng, 5, 3, 16), w(rng, 16), "relu", stride=2, padding="same"),
        norm(rng, 16),
        DepthwiseConv1D(w(rng, 3, 16, 1), w(rng, 16), padding=1),
        norm(rng, 16),
        Activation("relu"),
        MaxPool(2),
        Conv1D(w(rng, 3, 16, 8), dilation=2),
        norm(rng, 8),
        GlobalAveragePool(),
        Dense(w(rng, 8, 3), w(rng, 3), "sigmoid"),
    ], (64, 3)


def cnn_2d(rng: np.random.Generator) -> tuple[list[Layer], tuple[int, ...]]:
    """Convolutions over pictures, flattened as PyTorch does."""
    w = random_weights
    return [
        Conv2D(w(rng, 3, 3, 3, 8), w(rng, 8), "relu", padding=1, stride=(2, 1)),
        AveragePool(2),
        DepthwiseConv2D(w(rng, 3, 3, 8, 2), None, "relu6", padding="same", stride=2),
        Flatten(channels_first=True),
        Dense(w(rng, 2 * 4 * 16, 5), w(rng, 5), "tanh"),
    ], (16, 16, 3)


NETS = {"mlp": mlp, "cnn_1d": cnn_1d, "cnn_2d": cnn_2d}


def run_plainly(layers: Sequence[Layer], x: Array) -> Array:
    """What the layers give for one sample, window by window in float64."""
    x = np.asarray(x, np.float64)
    if x.ndim == 2:
        x = x[np.newaxis]
    for layer in layers:
        x = _layer(layer, x)
        x = _ACTIVATIONS[getattr(layer, "activation", getattr(layer, "name", "none"))](x)
    return x


_ACTIVATIONS: dict[str, Any] = {
    "none": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "softmax": lambda x: np.exp(x - x.max()) / np.exp(x - x.max()).sum(),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
}


def _layer(layer: Any, x: Array) -> Array:
    if isinstance(layer, Dense):
        return x @ layer.weights + (0 if layer.bias is None else layer.bias)
    if isinstance(layer, BatchNorm):
        scaled = (x - layer.mean) / np.sqrt(layer.variance + layer.epsilon)
        return np.asarray(scaled * layer.gamma + layer.beta)
    if isinstance(layer, GlobalAveragePool):
        return np.asarray(x.mean(axis=(0, 1)))
    if isinstance(layer, Flatten):
        return (x.transpose(2, 0, 1) if layer.channels_first else x).reshape(-1)
    if isinstance(layer, Activation):
        return x
    return _windowed(layer, x)


def _pair(value: Any, is_time: bool) -> tuple[int, int]:
    if isinstance(value, tuple):
        return value
    return (1, value) if is_time else (value, value)


def _windowed(layer: Any, x: Array) -> Array:
    is_time = x.shape[0] == 1
    is_pool = isinstance(layer, MaxPool | AveragePool)
    weights: Any = None if is_pool else layer.weights
    if weights is not None and weights.ndim == 3:
        weights = weights[np.newaxis]
    size = _pair(layer.size, is_time) if is_pool else weights.shape[:2]
    stride = _pair(layer.size if is_pool else layer.stride, is_time)
    dilation = (1, 1) if is_pool else _pair(layer.dilation, is_time)
    x = _padded(layer.padding, x, size, stride, is_time)
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    starts = [range(0, n - r + 1, s) for n, r, s in zip(x.shape, reach, stride, strict=False)]
    rows = [
        [_one(layer, weights, x[i : i + reach[0] : dilation[0], j : j + reach[1] : dilation[1]])
         for j in starts[1]] for i in starts[0]
    ]  # fmt: skip
    bias = getattr(layer, "bias", None)
    return np.array(rows) + (0 if bias is None else bias)


def _padded(padding: Any, x: Array, size: Any, stride: Any, is_time: bool) -> Array:
    if padding == "valid":
        return x
    if isinstance(padding, int):
        widths = [(0, 0) if is_time else (padding, padding), (padding, padding), (0, 0)]
    else:
        more = [max((-(-n // s) - 1) * s + k - n, 0)
                for n, k, s in zip(x.shape, size, stride, strict=False)]  # fmt: skip
        widths = [*((m // 2, m - m // 2) for m in more), (0, 0)]
    return np.pad(x, widths)


def _one(layer: Any, weights: Any, window: Array) -> Array:
    if isinstance(layer, MaxPool):
        return np.asarray(window.max(axis=(0, 1)))
    if isinstance(layer, AveragePool):
        return np.asarray(window.mean(axis=(0, 1)))
    if isinstance(layer, DepthwiseConv1D | DepthwiseConv2D):
        return np.asarray(np.einsum("ijc,ijcm->cm", window, weights).reshape(-1))
    return np.asarray(np.einsum("ijc,ijco->o", window, weights))
