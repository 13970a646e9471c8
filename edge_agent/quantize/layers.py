"""Layers as arrays, for those who trained elsewhere; the layouts are those of Keras.

Shapes leave out the batch: a window of 128 samples of 3 axes is (128, 3), a picture (height, width,
channels). `activation` is one of `ACTIVATIONS`. `padding` is "valid", "same" (as TensorFlow pads)
or a number of zeros on each side (as PyTorch pads).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]
Padding = str | int
Size = int | tuple[int, int]

ACTIVATIONS = ("none", "relu", "relu6", "softmax", "sigmoid", "tanh")


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """x @ weights + bias; `weights` is inputs x outputs, as `coefs_` of scikit-learn.

    The weight of a PyTorch Linear is its transpose.
    """

    weights: Array
    bias: Array | None = None
    activation: str = "none"


@dataclass(frozen=True, slots=True, eq=False)
class Conv1D:
    """Along time; `weights` is length x inputs x outputs.

    That of a PyTorch Conv1d becomes it by `.transpose(2, 1, 0)`.
    """

    weights: Array
    bias: Array | None = None
    activation: str = "none"
    stride: int = 1
    padding: Padding = "valid"
    dilation: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Conv2D:
    """Over pictures; `weights` is height x width x inputs x outputs.

    That of a PyTorch Conv2d becomes it by `.transpose(2, 3, 1, 0)`.
    """

    weights: Array
    bias: Array | None = None
    activation: str = "none"
    stride: Size = 1
    padding: Padding = "valid"
    dilation: Size = 1


@dataclass(frozen=True, slots=True, eq=False)
class DepthwiseConv1D:
    """Each channel by itself along time; `weights` is length x channels x multiplier."""

    weights: Array
    bias: Array | None = None
    activation: str = "none"
    stride: int = 1
    padding: Padding = "valid"
    dilation: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class DepthwiseConv2D:
    """Each channel by itself; `weights` is height x width x channels x multiplier.

    That of a PyTorch Conv2d with `groups` = channels becomes it by `.transpose(2, 3, 0, 1)` where
    the multiplier is 1.
    """

    weights: Array
    bias: Array | None = None
    activation: str = "none"
    stride: Size = 1
    padding: Padding = "valid"
    dilation: Size = 1


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool:
    """The largest of each window; `stride` is `size` where it is None."""

    size: Size
    stride: Size | None = None
    padding: str = "valid"


@dataclass(frozen=True, slots=True, eq=False)
class AveragePool:
    """The mean of each window; `stride` is `size` where it is None."""

    size: Size
    stride: Size | None = None
    padding: str = "valid"


@dataclass(frozen=True, slots=True, eq=False)
class GlobalAveragePool:
    """The mean over time, or over a picture: one number for each channel."""


@dataclass(frozen=True, slots=True, eq=False)
class Flatten:
    """All numbers in one row. With `channels_first` in the order of PyTorch's Flatten."""

    channels_first: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, each with a number for each channel.

    Folded into the layer in front of it where that is a Dense or a convolution without activation.
    """

    gamma: Array
    beta: Array
    mean: Array
    variance: Array
    epsilon: float = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """One of `ACTIVATIONS` as a layer."""

    name: str


Layer = (
    Dense
    | Conv1D
    | Conv2D
    | DepthwiseConv1D
    | DepthwiseConv2D
    | MaxPool
    | AveragePool
    | GlobalAveragePool
    | Flatten
    | BatchNorm
    | Activation
)
