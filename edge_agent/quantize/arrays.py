"""From layers as arrays to a program of float32 numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import Graph, Option, Program
from edge_agent.errors import ModelError
from edge_agent.quantize import layers as kinds
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.fitting import PADDINGS, DoesNotFit, array_of, counts
from edge_agent.quantize.layers import ACTIVATIONS, Layer

Array = NDArray[Any]

_FUSED = {"none": 0, "relu": 1, "relu6": 3}
_OPERATORS = {
    "relu": "RELU", "relu6": "RELU6", "softmax": "SOFTMAX", "sigmoid": "LOGISTIC", "tanh": "TANH",
}  # fmt: skip


def program_of_layers(
    layers: Sequence[Layer], shape: Sequence[int], name: str = "model"
) -> Program:
    """The layers for an input of this shape, without the batch, as a float32 program.

    Raises ModelError that names the layer that does not fit, with what it is given.
    """
    if not layers:
        raise ModelError("there are no layers", "give at least one")
    chain = _Chain(shape)
    for place, layer in enumerate(layers):
        what = f"layer {place} ({type(layer).__name__})"
        try:
            chain.add(layer, what)
        except DoesNotFit as error:
            raise ModelError(f"{what}: {error}") from error
    return Program(name, (chain.finish(),))


class _Chain:
    """Layers one behind the other: `shape` is what the last one gives, batch and all.

    Time is a picture of one row: a window of 128 x 3 runs as 1 x 1 x 128 x 3.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        if not 1 <= len(shape) <= 3 or min(shape) < 1:
            raise ModelError(
                f"an input of shape {tuple(shape)}",
                "give features, time x channels or height x width x channels",
            )
        self._draft = Draft()
        self._input = self._last = self._draft.tensor("input", (1, *shape))
        self._shape: tuple[int, ...] = (1, *map(int, shape))
        self._is_time = len(shape) == 2
        self._order: NDArray[np.intp] | None = None
        self._label = ""
        self._foldable: tuple[str, int, int] | None = None
        if self._is_time:
            self._reshape((1, 1, *self._shape[1:]), "time")

    def finish(self) -> Graph:
        """The graph."""
        if self._order is not None:
            raise ModelError("Flatten(channels_first=True) must have a Dense behind it")
        return self._draft.finish((self._input,), (self._last,))

    def add(self, layer: Layer, what: str) -> None:
        """Append a layer."""
        self._label = what.replace("layer ", "").replace(" ", "")
        _ADDERS[type(layer)](self, layer)

    def dense(self, layer: kinds.Dense) -> None:
        weights = array_of(layer.weights, 2, "inputs x outputs")
        if len(self._shape) != 2:
            raise DoesNotFit(f"it is given {self._given()}; put Flatten() in front of it")
        if self._shape[1] != weights.shape[0]:
            raise DoesNotFit(f"weights for {weights.shape[0]} inputs, {self._shape[1]} come in")
        if self._order is not None:
            weights, self._order = weights[self._order], None
        self._weighted("FULLY_CONNECTED", weights.T, layer, (1, weights.shape[1]), {}, 0)

    def conv(self, layer: kinds.Conv1D | kinds.Conv2D) -> None:
        weights = self._window_weights(layer, "inputs x outputs")
        if weights.shape[2] != self._shape[3]:
            raise DoesNotFit(f"weights for {weights.shape[2]} channels, {self._given()} come in")
        options, shape = self._slide(layer, weights.shape[:2])
        filters = weights.transpose(3, 0, 1, 2)
        self._weighted("CONV_2D", filters, layer, (*shape, weights.shape[3]), options, 0)

    def depthwise(self, layer: kinds.DepthwiseConv1D | kinds.DepthwiseConv2D) -> None:
        weights = self._window_weights(layer, "channels x multiplier")
        height, width, channels, multiplier = weights.shape
        if channels != self._shape[3]:
            raise DoesNotFit(f"weights for {channels} channels, {self._given()} come in")
        options, shape = self._slide(layer, (height, width))
        count = channels * multiplier
        taps = weights.reshape(1, height, width, count)
        more = {**options, "multiplier": multiplier}
        self._weighted("DEPTHWISE_CONV_2D", taps, layer, (*shape, count), more, 3)

    def pool(self, layer: kinds.MaxPool | kinds.AveragePool) -> None:
        if len(self._shape) != 4:
            raise DoesNotFit(f"it is given {self._given()}, which has no windows")
        size = self._pair(layer.size)
        stride = size if layer.stride is None else self._pair(layer.stride)
        if layer.padding not in PADDINGS:
            raise DoesNotFit(f"padding is {layer.padding!r}, it must be 'same' or 'valid'")
        shape = counts(self._shape[1:3], size, stride, layer.padding)
        name = "MAX_POOL_2D" if isinstance(layer, kinds.MaxPool) else "AVERAGE_POOL_2D"
        options: dict[str, Option] = {
            "padding": PADDINGS[layer.padding],
            "stride_h": stride[0],
            "stride_w": stride[1],
            "filter_h": size[0],
            "filter_w": size[1],
            "activation": 0,
        }
        self._apply(name, (), (*shape, self._shape[3]), options)

    def global_average(self, layer: kinds.GlobalAveragePool) -> None:
        del layer
        if len(self._shape) != 4:
            raise DoesNotFit(f"it is given {self._given()}, which has one row already")
        axes = self._draft.constant(f"{self._label}/axes", np.array([1, 2], np.int32))
        self._apply("MEAN", (axes,), (1, self._shape[3]), {"keep_dims": False})

    def flatten(self, layer: kinds.Flatten) -> None:
        if layer.channels_first and len(self._shape) == 4:
            # Row i of a following Dense is for the i-th number in PyTorch's order.
            numbers = np.arange(np.prod(self._shape)).reshape(self._shape[3], *self._shape[1:3])
            self._order = numbers.transpose(1, 2, 0).reshape(-1)
        self._reshape((1, int(np.prod(self._shape))), self._label)

    def batch_norm(self, layer: kinds.BatchNorm) -> None:
        channels = self._shape[-1]
        parts = (layer.gamma, layer.beta, layer.mean, layer.variance)
        gamma, beta, mean, variance = (np.asarray(part, np.float64).reshape(-1) for part in parts)
        if any(part.size != channels for part in (gamma, beta, mean, variance)):
            raise DoesNotFit(f"it must have {channels} numbers of each kind")
        factor = gamma / np.sqrt(variance + layer.epsilon)
        offset = beta - mean * factor
        if self._order is not None:
            raise DoesNotFit("put it in front of Flatten, or behind the Dense")
        if self._foldable is not None:
            self._fold(factor, offset)
            return
        for name, values in (("MUL", factor), ("ADD", offset)):
            row = self._draft.constant(f"{self._label}/{name}", values.astype(np.float32))
            self._apply(name, (row,), self._shape, {"activation": 0}, f"{self._label}/{name}")

    def activation(self, layer: kinds.Activation) -> None:
        self._activate(layer.name)

    def _fold(self, factor: Array, offset: Array) -> None:
        """Into the weights and the bias of the operator before: it has no activation."""
        assert self._foldable is not None
        _, weights, bias = self._foldable
        tensors = self._draft.tensors
        old, old_bias = tensors[weights].constant, tensors[bias].constant
        assert old is not None
        assert old_bias is not None
        along_last = self._foldable[0] == "DEPTHWISE_CONV_2D"
        shaped = factor if along_last else factor.reshape(-1, *[1] * (old.ndim - 1))
        self._set(weights, old * shaped)
        self._set(bias, old_bias * factor + offset)

    def _set(self, index: int, values: Array) -> None:
        fresh = self._draft.constant(self._draft.tensors[index].name, values.astype(np.float32))
        last = self._draft.operators.pop()
        inputs = tuple(fresh if each == index else each for each in last.inputs)
        self._draft.apply(last.name, inputs, last.outputs, last.options)
        assert self._foldable is not None
        name, weights, bias = self._foldable
        weights, bias = (fresh if each == index else each for each in (weights, bias))
        self._foldable = (name, weights, bias)

    def _weighted(
        self, name: str, weights: Array, layer: Any, shape: tuple[int, ...],
        options: Mapping[str, Option], dimension: int,
    ) -> None:  # fmt: skip
        count = weights.shape[dimension]
        bias = np.zeros(count) if layer.bias is None else np.asarray(layer.bias).reshape(-1)
        if bias.size != count:
            raise DoesNotFit(f"a bias of {bias.size} numbers for {count} outputs")
        label = self._label
        w = self._draft.constant(f"{label}/weights", weights.astype(np.float32))
        b = self._draft.constant(f"{label}/bias", bias.astype(np.float32))
        fused = _FUSED.get(layer.activation, 0)
        self._apply(name, (w, b), shape, {**options, "activation": fused})
        if layer.activation == "none":
            self._foldable = (name, w, b)
        elif layer.activation not in _FUSED:
            self._activate(layer.activation)

    def _activate(self, name: str) -> None:
        if name not in ACTIVATIONS:
            raise DoesNotFit(f"activation {name!r}; known: {', '.join(ACTIVATIONS)}")
        if name == "none":
            return
        options: dict[str, Option] = {"beta": 1.0} if name == "softmax" else {}
        self._apply(_OPERATORS[name], (), self._shape, options, f"{self._label}/{name}")

    def _apply(
        self, name: str, more: Sequence[int], shape: tuple[int, ...],
        options: Mapping[str, Option], label: str = "",
    ) -> None:  # fmt: skip
        result = self._draft.tensor(label or self._label, shape)
        self._draft.apply(name, (self._last, *more), (result,), options)
        self._last, self._shape, self._foldable = result, shape, None

    def _reshape(self, shape: tuple[int, ...], label: str) -> None:
        if shape == self._shape:
            return
        target = self._draft.constant(f"{label}/shape", np.array(shape, np.int32))
        self._apply("RESHAPE", (target,), shape, {"new_shape": shape}, label)

    def _window_weights(self, layer: Any, rest: str) -> Array:
        """Weights with both axes of the window; checks that there are windows."""
        is_1d = isinstance(layer, kinds.Conv1D | kinds.DepthwiseConv1D)
        if len(self._shape) != 4 or is_1d != self._is_time:
            raise DoesNotFit(f"it is given {self._given()}")
        if is_1d:
            return array_of(layer.weights, 3, f"length x {rest}")[np.newaxis]
        return array_of(layer.weights, 4, f"height x width x {rest}")

    def _slide(
        self, layer: Any, size: Sequence[int]
    ) -> tuple[dict[str, Option], tuple[int, int, int]]:
        """Options of a convolution, and batch, rows and columns of what it gives."""
        stride, dilation = self._pair(layer.stride), self._pair(layer.dilation)
        padding = layer.padding
        if isinstance(padding, int):
            self._pad(padding)
            padding = "valid"
        if padding not in PADDINGS:
            raise DoesNotFit(f"padding is {padding!r}, it must be 'same', 'valid' or a number")
        reach = ((size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1)
        options: dict[str, Option] = {
            "padding": PADDINGS[padding],
            "stride_h": stride[0],
            "stride_w": stride[1],
            "dilation_h": dilation[0],
            "dilation_w": dilation[1],
        }
        return options, counts(self._shape[1:3], reach, stride, padding)

    def _pad(self, zeros: int) -> None:
        if zeros == 0:
            return
        _, rows, columns, channels = self._shape
        above = 0 if self._is_time else zeros
        widths = np.array([(0, 0), (above, above), (zeros, zeros), (0, 0)], np.int32)
        w = self._draft.constant(f"{self._label}/zeros", widths)
        shape = (1, rows + 2 * above, columns + 2 * zeros, channels)
        self._apply("PAD", (w,), shape, {}, f"{self._label}/padded")

    def _pair(self, size: kinds.Size) -> tuple[int, int]:
        """Rows and columns; time has no rows."""
        if isinstance(size, int):
            return (1, size) if self._is_time else (size, size)
        return size[0], size[1]

    def _given(self) -> str:
        sides = self._shape[2:] if self._is_time and len(self._shape) == 4 else self._shape[1:]
        return " x ".join(map(str, sides))


_ADDERS: Mapping[type, Callable[[_Chain, Any], None]] = {
    kinds.Dense: _Chain.dense,
    kinds.Conv1D: _Chain.conv,
    kinds.Conv2D: _Chain.conv,
    kinds.DepthwiseConv1D: _Chain.depthwise,
    kinds.DepthwiseConv2D: _Chain.depthwise,
    kinds.MaxPool: _Chain.pool,
    kinds.AveragePool: _Chain.pool,
    kinds.GlobalAveragePool: _Chain.global_average,
    kinds.Flatten: _Chain.flatten,
    kinds.BatchNorm: _Chain.batch_norm,
    kinds.Activation: _Chain.activation,
}
