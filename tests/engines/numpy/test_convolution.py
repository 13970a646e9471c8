"""Convolutions and matrix products against sums in Python's own integers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.engines.numpy.arithmetic import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edge_agent.engines.numpy.engine import NumpyEngine
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model

CONV, DEPTHWISE, DENSE = 1, 2, 8
"""Numbers of the options' types in the schema."""

LAYER = st.fixed_dictionaries(
    {
        "height": st.integers(1, 9),
        "width": st.integers(1, 9),
        "depth": st.sampled_from([1, 2, 3, 8]),
        "filters": st.sampled_from([1, 3, 4, 8]),
        "kernel": st.sampled_from([(1, 1), (3, 3), (2, 1), (5, 3)]),
        "stride": st.sampled_from([(1, 1), (2, 2), (2, 1), (3, 2)]),
        "dilation": st.sampled_from([(1, 1), (1, 1), (2, 2), (1, 3)]),
        "same": st.booleans(),
        "signed": st.booleans(),
        "activation": st.sampled_from([0, 1, 3]),
        "depthwise": st.booleans(),
        "seed": st.integers(0, 2**31),
    }
)


class Layer:
    """A random layer with its numbers."""

    def __init__(self, choice: dict[str, Any]) -> None:
        self.choice = choice
        self.noise = np.random.default_rng(choice["seed"])
        self.dtype = np.dtype(np.int8 if choice["signed"] else np.uint8)
        low, high = np.iinfo(self.dtype).min, np.iinfo(self.dtype).max
        self.zero_x, self.zero_y = (int(self.noise.integers(low, high + 1)) for _ in range(2))
        depth, filters = choice["depth"], choice["filters"]
        self.count = depth * filters if choice["depthwise"] else filters
        kernel = choice["kernel"]
        shape = (1, *kernel, self.count) if choice["depthwise"] else (self.count, *kernel, depth)
        self.weights = self.noise.integers(low, high + 1, shape).astype(self.dtype)
        self.zero_w = 0 if choice["signed"] else int(self.noise.integers(0, 256))
        scales = self.noise.uniform(0.001, 0.02, self.count if choice["signed"] else 1)
        self.scales = scales.astype(np.float32)
        self.bias = self.noise.integers(-9999, 9999, self.count).astype(np.int32)
        self.scale_x, self.scale_y = np.float32(0.02), np.float32(self.noise.uniform(0.02, 0.5))
        self.x = self.noise.integers(
            low, high + 1, (1, choice["height"], choice["width"], depth)
        ).astype(self.dtype)

    def output_shape(self) -> tuple[int, int]:
        """Rows and columns, as TFLite has them."""
        sides = []
        for size, kernel, stride, dilation in zip(
            self.x.shape[1:3], self.choice["kernel"], self.choice["stride"],
            self.choice["dilation"], strict=True,
        ):  # fmt: skip
            reach = (kernel - 1) * dilation + 1
            sides.append(
                -(-size // stride) if self.choice["same"] else (size - reach) // stride + 1
            )
        return sides[0], sides[1]

    def graph(self) -> GraphDef:
        """The layer as a model."""
        kind = "INT8" if self.choice["signed"] else "UINT8"
        dimension = 3 if self.choice["depthwise"] else 0
        zeros = [self.zero_w] * len(self.scales)
        rows, columns = self.output_shape()
        tensors = [
            TensorDef("x", self.x.shape, kind, None, [float(self.scale_x)], [self.zero_x]),
            TensorDef(
                "w", self.weights.shape, kind, self.weights, self.scales.tolist(), zeros, dimension
            ),
            TensorDef("b", self.bias.shape, "INT32", self.bias),
            TensorDef(
                "y",
                (1, rows, columns, self.count),
                kind,
                None,
                [float(self.scale_y)],
                [self.zero_y],
            ),
        ]
        return GraphDef(tensors, [self._operator()], (0,), (3,))

    def _operator(self) -> OpDef:
        is_depthwise = self.choice["depthwise"]
        (stride_h, stride_w), (dilation_h, dilation_w) = (
            self.choice["stride"], self.choice["dilation"],
        )  # fmt: skip
        first = 4 if is_depthwise else 3
        options = {
            0: ("<b", 0 if self.choice["same"] else 1),
            1: ("<i", stride_w),
            2: ("<i", stride_h),
            first: ("<b", self.choice["activation"]),
            first + 1: ("<i", dilation_w),
            first + 2: ("<i", dilation_h),
        }
        if is_depthwise:
            return OpDef("DEPTHWISE_CONV_2D", (0, 1, 2), (3,), DEPTHWISE, {**options, 3: ("<i", 1)})
        return OpDef("CONV_2D", (0, 1, 2), (3,), CONV, options)

    def expected(self) -> NDArray[Any]:
        """The output, pixel by pixel in int64."""
        rows, columns = self.output_shape()
        out = np.zeros((1, rows, columns, self.count), np.int64)
        for row in range(rows):
            for column in range(columns):
                out[0, row, column] = self._requantized(self._sums(row, column, (rows, columns)))
        return out

    def _sums(self, row: int, column: int, size: tuple[int, int]) -> NDArray[np.int64]:
        """Bias and products of one window; what lies outside counts as the zero point."""
        total: NDArray[np.int64] = self.bias.astype(np.int64)
        (stride_h, stride_w), dilation = self.choice["stride"], self.choice["dilation"]
        top, left = (self._before(axis, size[axis]) for axis in (0, 1))
        for i, j in np.ndindex(*self.choice["kernel"]):
            y, x = (
                row * stride_h + i * dilation[0] - top,
                column * stride_w + j * dilation[1] - left,
            )
            if not (0 <= y < self.x.shape[1] and 0 <= x < self.x.shape[2]):
                continue
            pixel = self.x[0, y, x].astype(np.int64) - self.zero_x
            if self.choice["depthwise"]:
                taps = self.weights[0, i, j].astype(np.int64) - self.zero_w
                total += taps * np.repeat(pixel, self.choice["filters"])
            else:
                total += (self.weights[:, i, j].astype(np.int64) - self.zero_w) @ pixel
        return total

    def _before(self, axis: int, outputs: int) -> int:
        if not self.choice["same"]:
            return 0
        reach = (self.choice["kernel"][axis] - 1) * self.choice["dilation"][axis] + 1
        needed = (outputs - 1) * self.choice["stride"][axis] + reach - self.x.shape[1 + axis]
        return int(max(needed, 0) // 2)

    def _requantized(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        real: Any
        if self.choice["signed"]:
            real = np.float64(self.scale_x) * self.scales.astype(np.float64)
        else:
            real = (self.scale_x * self.scales[:1]).astype(np.float64)
        pairs = [quantize_multiplier(float(r)) for r in real / np.float64(self.scale_y)]
        multiplier, shift = (np.array(part, np.int64) for part in zip(*pairs, strict=True))
        scaled = multiply_by_quantized_multiplier(sums, multiplier, shift) + self.zero_y
        info = np.iinfo(self.dtype)
        low = self.zero_y if self.choice["activation"] else info.min
        six = self.zero_y + int(np.floor(np.float32(6.0) / self.scale_y + np.float32(0.5)))
        high = min(info.max, six) if self.choice["activation"] == 3 else info.max
        clipped: NDArray[np.int64] = np.minimum(np.maximum(scaled, low), high)
        return clipped


@settings(max_examples=150)
@given(LAYER)
def test_layers(tmp_path_factory: pytest.TempPathFactory, choice: dict[str, Any]) -> None:
    """Every shape, stride, dilation, padding, type and activation gives the exact integers."""
    layer = Layer(choice)
    if min(layer.output_shape()) < 1:
        return
    path = write_model(tmp_path_factory.mktemp("m") / "layer.tflite", layer.graph())
    engine = NumpyEngine(path)
    np.testing.assert_array_equal(engine.run(layer.x)[0], layer.expected())


def dense(depth: int, filters: int, seed: int) -> tuple[GraphDef, NDArray[Any]]:
    """A FULLY_CONNECTED layer with the largest weights that there are, and its weights."""
    noise = np.random.default_rng(seed)
    weights = noise.choice(np.array([-127, 127], np.int8), (filters, depth))
    tensors = [
        TensorDef("x", (2, depth), "INT8", None, [0.1], [-128]),
        TensorDef("w", weights.shape, "INT8", weights, [0.01], [0]),
        TensorDef("y", (2, filters), "INT8", None, [40.0], [3]),
    ]
    return GraphDef(
        tensors, [OpDef("FULLY_CONNECTED", (0, 1, -1), (2,), DENSE, {})], (0,), (2,)
    ), weights


@pytest.mark.parametrize("depth", [7, 2048])
def test_sums_beyond_float32(tmp_path: Path, depth: int) -> None:
    """A layer whose sums can pass 2**24 is summed in float64 and is exact all the same."""
    graph, weights = dense(depth, 5, seed=depth)
    engine = NumpyEngine(write_model(tmp_path / "dense.tflite", graph))
    x = np.full((2, depth), 127, np.int8)
    x[1] = np.where(weights[0] > 0, 127, -128)
    sums = (x.astype(np.int64) + 128) @ weights.T.astype(np.int64)
    multiplier, shift = quantize_multiplier(
        float(np.float64(np.float32(0.1) * np.float32(0.01)) / 40.0)
    )
    wanted = multiply_by_quantized_multiplier(sums, multiplier, shift) + 3
    np.testing.assert_array_equal(engine.run(x)[0], np.clip(wanted, -128, 127))


def test_scales_of_a_dense_layer_are_multiplied_in_float32(tmp_path: Path) -> None:
    """A sum of a real model (ToyADMOS) whose last step hangs on how the scales are multiplied."""
    tensors = [
        TensorDef("x", (1, 1), "INT8", None, [0.024790890514850616], [0]),
        TensorDef("w", (1, 1), "INT8", np.ones((1, 1), np.int8), [0.0195566825568676], [0]),
        TensorDef("b", (1,), "INT32", np.array([-88337], np.int32)),
        TensorDef("y", (1, 1), "INT8", None, [0.36449846625328064], [96]),
    ]
    graph = GraphDef(tensors, [OpDef("FULLY_CONNECTED", (0, 1, 2), (3,), DENSE, {})], (0,), (3,))
    engine = NumpyEngine(write_model(tmp_path / "dense.tflite", graph))
    assert engine.run(np.zeros((1, 1), np.int8))[0][0, 0] == -22
