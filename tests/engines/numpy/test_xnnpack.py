"""The rounding "xnnpack": byte for byte what LiteRT answers by default on x86-64."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from scripts.verify_numpy_engine import verify
from tests.engines.numpy.random_graphs import KINDS, alike, every_number, numbers, quantised, scale
from tests.support import data
from tests.support.reference import one_operator
from tests.support.tflite_writer import GraphDef, TensorDef, model, write_model

INPUTS = 2
"""Random and real ones, of each; `scripts/verify_numpy_engine.py` takes as many as one likes."""

Numbers = NDArray[Any]
Example = tuple[GraphDef, list[Numbers]]

_CONV, _DEPTHWISE, _DENSE, _SOFTMAX, _LEAKY, _REDUCER, _RESIZE = 1, 4, 8, 9, 75, 27, 15
_ARITHMETIC = {"ADD": 11, "MUL": 21, "SUB": 28}
_FOLDER = data.test_data()
_MODELS = sorted((_FOLDER / "models").rglob("*.tflite")) if _FOLDER else []
_CHECKED = [path for path in _MODELS if "robustness" not in path.parts]
_REFUSED = {
    "coral_movenet_single_pose_lightning_ptq.tflite": "SQRT.*last bits depend on the machine",
    "coral_posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite": "PosenetDecoderOp",
    "yamnet_wavin_quantized_mel_relu6.tflite": "RFFT2D.*last bits depend on the machine",
}

_HAS_LITERT = find_spec("ai_edge_litert") is not None and platform.machine() == "x86_64"
_needs_litert = pytest.mark.skipif(
    not _HAS_LITERT, reason="what is compared with is ai_edge_litert on x86-64, absent here"
)
_kinds = pytest.mark.parametrize("kind", KINDS)


def _theirs(graph: GraphDef, inputs: Iterable[Numbers]) -> Numbers:
    interpreter = import_module("ai_edge_litert.interpreter").Interpreter(
        model_content=model(graph)
    )
    interpreter.allocate_tensors()
    for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], array)
    interpreter.invoke()
    return np.array(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))


def _ours(folder: Path, graph: GraphDef, inputs: Iterable[Numbers]) -> Numbers:
    engine = NumpyEngine(write_model(folder / "model.tflite", graph), rounding="xnnpack")
    return np.array(engine.run(*inputs)[0])


def _check(folder: Path, examples: Iterable[Example]) -> None:
    for graph, inputs in examples:
        np.testing.assert_array_equal(_ours(folder, graph, inputs), _theirs(graph, inputs))


def _weights(
    random: np.random.Generator, x: TensorDef, shape: tuple[int, ...], dimension: int, large: bool
) -> tuple[TensorDef, TensorDef]:
    """Random weights, for int8 with scales per channel, and biases, which may be `large`."""
    count = shape[dimension]
    values = numbers(random, shape, x.dtype)
    scales = [scale(random, 1e-3, 0.02) for _ in range(count if x.dtype == "INT8" else 1)]
    zeros = [0 if x.dtype == "INT8" else 131] * len(scales)
    axis = dimension if x.dtype == "INT8" else 0
    w = TensorDef("w", shape, x.dtype, values, scales, zeros, axis)
    limit = 2**31 - 2**20 if large else 9999
    bias = random.integers(-limit, limit, count).astype(np.int32)
    product = [x.scale[0] * each for each in scales]
    return w, TensorDef("b", (count,), "INT32", bias, product, [0] * len(product))


def _convolution(
    random: np.random.Generator, kind: str, depthwise: bool, large: bool, activation: int
) -> Example:
    depth, filters = (int(each) for each in random.integers(1, 9, 2))
    tall, wide = (int(each) for each in random.integers(1, 4, 2))
    x = quantised(random, "x", (1, 7, 6, depth), kind)
    shape = (1, tall, wide, depth) if depthwise else (filters, tall, wide, depth)
    w, b = _weights(random, x, shape, 3 if depthwise else 0, large)
    count = depth if depthwise else filters
    step = max(b.scale) * (2.0 ** random.integers(17, 25) if large else scale(random, 30, 3000))
    y = quantised(random, "y", (1, 7, 6, count), kind, step)
    last = 4 if depthwise else 3
    options: dict[int, Any] = {0: ("<b", 0), 1: ("<i", 1), 2: ("<i", 1), last: ("<b", activation)}
    if depthwise:
        options[3] = ("<i", 1)
    name, number = ("DEPTHWISE_CONV_2D", 2) if depthwise else ("CONV_2D", _CONV)
    return one_operator(name, [x, w, b, y], (number, options)), [numbers(random, x.shape, kind)]


@_needs_litert
@_kinds
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("activation", range(4))
def test_convolutions(tmp_path: Path, kind: str, depthwise: bool, activation: int) -> None:
    """Sums are rounded once, in float32, with any activation."""
    random = np.random.default_rng(activation)
    _check(tmp_path, (_convolution(random, kind, depthwise, False, activation) for _ in range(12)))


@_needs_litert
@_kinds
@pytest.mark.parametrize("depthwise", [False, True])
def test_sums_beyond_float32(tmp_path: Path, kind: str, depthwise: bool) -> None:
    """From 2**24 on a sum becomes the nearest float32 before it is scaled."""
    random = np.random.default_rng(9)
    _check(tmp_path, (_convolution(random, kind, depthwise, True, 0) for _ in range(12)))


def _dense(random: np.random.Generator, kind: str) -> Example:
    rows, depth, count = (int(each) for each in random.integers(1, 70, 3))
    x = quantised(random, "x", (rows, depth), kind)
    w, b = _weights(random, x, (count, depth), 0, False)
    y = quantised(random, "y", (rows, count), kind, max(b.scale) * scale(random, 50, 5000))
    graph = one_operator("FULLY_CONNECTED", [x, w, b, y], (_DENSE, {0: ("<b", 1)}))
    return graph, [numbers(random, x.shape, kind)]


@_needs_litert
@_kinds
def test_matrix_products(tmp_path: Path, kind: str) -> None:
    """FULLY_CONNECTED rounds as convolutions do."""
    random = np.random.default_rng(3)
    _check(tmp_path, (_dense(random, kind) for _ in range(20)))


def _pair(random: np.random.Generator, name: str, kind: str, least: float, most: float) -> Example:
    shape = (1, 3, 16, 4)
    a, b = (quantised(random, each, shape, kind) for each in "ab")
    base = a.scale[0] * b.scale[0] if name == "MUL" else max(a.scale[0], b.scale[0])
    y = quantised(random, "y", shape, kind, base * scale(random, least, most))
    options = (_ARITHMETIC[name], {0: ("<b", int(random.integers(4)))})
    inputs = [numbers(random, shape, kind) for _ in range(2)]
    return one_operator(name, [a, b, y], options), inputs


@_needs_litert
@_kinds
@pytest.mark.parametrize("name", _ARITHMETIC)
@pytest.mark.parametrize("limits", [(0.01, 1), (1, 90), (90, 1e6)], ids=str)
def test_arithmetic(tmp_path: Path, name: str, kind: str, limits: tuple[float, float]) -> None:
    """Sums, differences and products, also of scales that XNNPACK leaves to TFLite."""
    random = np.random.default_rng(4)
    _check(tmp_path, (_pair(random, name, kind, *limits) for _ in range(20)))


@_needs_litert
@_kinds
@pytest.mark.parametrize("name", ["LEAKY_RELU", "QUANTIZE", "LOGISTIC", "TANH", "HARD_SWISH"])
@pytest.mark.parametrize("limits", [(0.05, 20), (50, 300)], ids=str)
def test_tables(tmp_path: Path, name: str, kind: str, limits: tuple[float, float]) -> None:
    """All 256 numbers, for any scales and zero points."""
    random = np.random.default_rng(5)
    for _ in range(12):
        x = quantised(random, "x", (1, 16, 16), kind)
        y = quantised(random, "y", x.shape, kind, x.scale[0] * scale(random, *limits))
        slope = float(random.choice([0.1, 0.3, random.uniform(-2, 2)]))
        options: Any = (_LEAKY, {0: ("<f", slope)}) if name == "LEAKY_RELU" else (0, {})
        _check(tmp_path, [(one_operator(name, [x, y], options), [every_number(kind)])])


@_needs_litert
@_kinds
def test_changes_of_type(tmp_path: Path, kind: str) -> None:
    """From one 8-bit type to the other TFLite's own kernel rounds halves up, twice."""
    random = np.random.default_rng(6)
    other = KINDS[1 - KINDS.index(kind)]
    for _ in range(20):
        x = quantised(random, "x", (1, 16, 16), kind)
        y = quantised(random, "y", x.shape, other, x.scale[0] * random.uniform(0.3, 9))
        _check(tmp_path, [(one_operator("QUANTIZE", [x, y]), [every_number(kind)])])


@_needs_litert
@_kinds
def test_float_to_eight_bits(tmp_path: Path, kind: str) -> None:
    """Halves go to the even number; NaN and infinities are as XNNPACK has them."""
    random = np.random.default_rng(7)
    y = quantised(random, "y", (1, 64), kind, 0.5)
    x = np.linspace(-80, 80, 64, dtype=np.float32).reshape(1, 64)
    x[0, :8] = [0.25, 0.75, -0.25, -0.75, np.nan, np.inf, -np.inf, 1e30]
    _check(tmp_path, [(one_operator("QUANTIZE", [TensorDef("x", (1, 64)), y]), [x])])


@_needs_litert
@_kinds
@pytest.mark.parametrize("axes", [[1, 2], [3], [0, 1, 2, 3], [-1, 1]], ids=str)
def test_means(tmp_path: Path, kind: str, axes: list[int]) -> None:
    """Means along any axes, with the zero points in the float32 arithmetic."""
    random = np.random.default_rng(8)
    left = [1 if side in {axis % 4 for axis in axes} else n for side, n in enumerate((1, 5, 6, 3))]
    for _ in range(12):
        x = quantised(random, "x", (1, 5, 6, 3), kind)
        y = quantised(random, "y", left, kind, x.scale[0] * scale(random, 0.05, 3))
        axis = TensorDef("axis", (len(axes),), "INT32", np.array(axes, np.int32))
        graph = one_operator("MEAN", [x, axis, y], (_REDUCER, {0: ("<?", True)}))
        _check(tmp_path, [(graph, [numbers(random, x.shape, kind)])])


@_needs_litert
@_kinds
def test_softmax(tmp_path: Path, kind: str) -> None:
    """TFLite's optimised kernel: a table of float32, added up one after the other."""
    random = np.random.default_rng(9)
    for classes in (2, 10, 91, 1001):
        x = quantised(random, "x", (50, classes), kind, scale(random, 3e-3, 1))
        y = quantised(random, "y", x.shape, kind, 1 / 256, -128 if kind == "INT8" else 0)
        graph = one_operator("SOFTMAX", [x, y], (_SOFTMAX, {0: ("<f", 1.0)}))
        _check(tmp_path, [(graph, [numbers(random, x.shape, kind)])])


@_needs_litert
@_kinds
@pytest.mark.parametrize("mode", [(False, False), (True, False), (False, True)], ids=str)
def test_bilinear(tmp_path: Path, kind: str, mode: tuple[bool, bool]) -> None:
    """Positions in float32, then 11 binary places."""
    random = np.random.default_rng(10)
    for _ in range(20):
        shape = (1, *(int(each) for each in random.integers(1, 9, 3)))
        size = random.integers(1, 30, 2).astype(np.int32)
        x = quantised(random, "x", shape, kind)
        y = alike("y", (1, *size.tolist(), shape[3]), x)
        options = (_RESIZE, {2: ("<?", mode[0]), 3: ("<?", mode[1])})
        graph = one_operator(
            "RESIZE_BILINEAR", [x, TensorDef("s", (2,), "INT32", size), y], options
        )
        _check(tmp_path, [(graph, [numbers(random, shape, kind)])])


def _refused(folder: Path, graph: GraphDef) -> str:
    with pytest.raises(ModelError) as caught:
        _ours(folder, graph, [])
    return str(caught.value)


def test_what_is_refused(tmp_path: Path) -> None:
    """What LiteRT leaves to kernels that round in yet another way, and inexact float32."""
    random = np.random.default_rng(11)
    graph, _ = _convolution(random, "INT8", False, False, 0)
    graph.tensors[2].scale = []
    assert "one without a scale" in _refused(tmp_path, graph)
    graph, _ = _convolution(random, "UINT8", True, False, 0)
    graph.tensors[1].dimension = 3
    assert "along dimension 3" in _refused(tmp_path, graph)
    graph, _ = _pair(random, "ADD", "INT8", 1e-4, 2e-4)
    assert "output scale so small" in _refused(tmp_path, graph)
    floats = [TensorDef("x", (1, 4)), TensorDef("y", (1, 4))]
    assert "last bits depend on the machine" in _refused(tmp_path, one_operator("SQRT", floats))
    x, y = quantised(random, "x", (17,), "INT8", 0.1), quantised(random, "y", (17,), "UINT8", 0.34)
    assert "by their place" in _refused(tmp_path, one_operator("QUANTIZE", [x, y]))


@_needs_litert
@pytest.mark.data
@pytest.mark.usefixtures("shared_plans")
@pytest.mark.parametrize("path", _CHECKED, ids=lambda path: path.stem)
def test_no_element_of_a_real_model_differs(path: Path) -> None:
    """Zero differing elements in all tensors, on random and on real inputs, or a refusal."""
    if path.name in _REFUSED:
        with pytest.raises(ModelError, match=_REFUSED[path.name]):
            NumpyEngine(path, rounding="xnnpack")
        return
    report = verify(path, INPUTS, rounding="xnnpack")
    assert report.elements > 0
    assert not report.differing, report.row()
