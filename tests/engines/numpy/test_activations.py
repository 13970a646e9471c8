"""Activations, SOFTMAX and changes of type: byte for byte as TFLite's reference kernels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy.operators import softmax
from edge_agent.errors import ModelError
from tests.engines.numpy import oracle
from tests.engines.numpy.random_graphs import (
    KINDS,
    check,
    every_number,
    needs_reference,
    numbers,
    ours,
    quantised,
    scale,
)
from tests.support import reference
from tests.support.tflite_writer import GraphDef, Table, TensorDef, model

_SHAPE = (1, 16, 16)
_LEAKY, _SOFTMAX = 75, 9
_LIMITED = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"]
_needs_runtime = pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)


def _unary(name: str, kind: str, seed: int) -> GraphDef:
    random = np.random.default_rng(seed)
    step = scale(random, 1e-3, 1.5)
    x = quantised(random, "x", _SHAPE, kind, step)
    y = quantised(random, "y", _SHAPE, kind, step * random.choice([1.0, random.uniform(0.4, 7)]))
    fixed = {"LOGISTIC": (1 / 256, 0), "TANH": (1 / 128, 128)}
    if name in fixed:
        step, zero = fixed[name]
        y = quantised(random, "y", _SHAPE, kind, step, zero - 128 if kind == "INT8" else zero)
    alpha: Table = {0: ("<f", float(random.uniform(-0.5, 1.2)))}
    options: tuple[int, Table] = (_LEAKY, alpha) if name == "LEAKY_RELU" else (0, {})
    return reference.one_operator(name, [x, y], options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [*_LIMITED, "LEAKY_RELU", "HARD_SWISH", "LOGISTIC", "TANH"])
@pytest.mark.parametrize("seed", range(15))
def test_tables(tmp_path: Path, name: str, kind: str, seed: int) -> None:
    """All 256 numbers give what the reference gives, for any scales and zero points."""
    check(tmp_path, _unary(name, kind, seed), [every_number(kind)], oracle.unary)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(8))
def test_prelu(tmp_path: Path, kind: str, seed: int) -> None:
    """Each channel has its own alpha."""
    random = np.random.default_rng(seed)
    alphas = numbers(random, (1, 1, 16), kind)
    alpha = quantised(random, "alpha", alphas.shape, kind, data=alphas)
    x = quantised(random, "x", _SHAPE, kind)
    y = quantised(random, "y", _SHAPE, kind, x.scale[0] * random.uniform(0.6, 4))
    graph = reference.one_operator("PRELU", [x, alpha, y])
    check(tmp_path, graph, [every_number(kind)], lambda g, p: oracle.pairs(g, p, alphas))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize("seed", range(10))
def test_requantize(tmp_path: Path, kind: str, target: str, seed: int) -> None:
    """8-bit numbers of one scale and type become those of another; the same ones stay."""
    random = np.random.default_rng(seed)
    step = scale(random)
    zero = int(random.integers(256)) if seed % 2 else 128
    first, second = (zero - 128 if each == "INT8" else zero for each in (kind, target))
    x = quantised(random, "x", _SHAPE, kind, step, first)
    other = step if seed % 3 else step * random.uniform(0.3, 3)
    y = quantised(random, "y", _SHAPE, target, other, second)
    check(tmp_path, reference.one_operator("QUANTIZE", [x, y]), [every_number(kind)], oracle.unary)


@pytest.mark.parametrize("kind", KINDS)
def test_quantize(tmp_path: Path, kind: str) -> None:
    """Halves go away from zero, the number before one half does not, large ones are limited."""
    random = np.random.default_rng(1)
    x = TensorDef("x", (2, 30))
    y = quantised(random, "y", (2, 30), kind, 0.25)
    halves = (np.arange(30, dtype=np.float32) - np.float32(14.5)) * np.float32(0.25)
    values = np.stack([halves, np.nextafter(halves, np.float32(0))]).astype(np.float32)
    values[1, :2] = 1e6, -1e6
    zero = y.zero_point[0]

    def answer(_: GraphDef, v: Any) -> Any:
        steps = np.vectorize(oracle.half_away)(v / np.float32(0.25)) + zero
        return np.clip(steps, *oracle.limits(y)).astype(every_number(kind).dtype)

    check(tmp_path, reference.one_operator("QUANTIZE", [x, y]), [values], answer)


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_and_infinity_are_quantized(tmp_path: Path, kind: str) -> None:
    """What C leaves undefined is defined here: NaN is the lowest number, infinity the highest."""
    x = TensorDef("x", (3,))
    y = quantised(np.random.default_rng(1), "y", (3,), kind)
    graph = reference.one_operator("QUANTIZE", [x, y])
    found = ours(tmp_path, graph, [np.array([np.nan, np.inf, -np.inf], np.float32)])
    low, high = oracle.limits(y)
    assert found.tolist() == [low, high, low]


@_needs_runtime
@pytest.mark.parametrize("kind", KINDS)
def test_dequantize(tmp_path: Path, kind: str) -> None:
    """Each number times the scale, rounded once."""
    for seed in range(10):
        x = quantised(np.random.default_rng(seed), "x", _SHAPE, kind)
        graph = reference.one_operator("DEQUANTIZE", [x, TensorDef("y", _SHAPE)])
        check(tmp_path, graph, [every_number(kind)])


@_needs_runtime
@pytest.mark.parametrize("target", [*KINDS, "FLOAT32", "INT32", "INT64", "BOOL"])
@pytest.mark.parametrize("kind", ["INT8", "FLOAT32", "INT32", "INT64", "BOOL"])
def test_cast(tmp_path: Path, kind: str, target: str) -> None:
    """Numbers keep their value, or are cut off; 8-bit ones stay what is stored."""
    random = np.random.default_rng(2)
    tensors = [
        quantised(random, name, (40,), each) if each in KINDS else TensorDef(name, (40,), each)
        for name, each in (("x", kind), ("y", target))
    ]
    values = numbers(random, (40,), kind)
    if target in KINDS:  # what is out of range is left undefined by C
        values = np.clip(values, 0, 127).astype(values.dtype)
    check(tmp_path, reference.one_operator("CAST", tensors), [values])


def _softmax(kind: str, shape: tuple[int, ...], step: float, beta: float) -> GraphDef:
    zero = {"INT8": -128, "UINT8": 0}.get(kind)
    random = np.random.default_rng(0)
    tensors = [TensorDef("x", shape), TensorDef("y", shape)]
    if zero is not None:
        tensors = [
            quantised(random, "x", shape, kind, step),
            quantised(random, "y", shape, kind, 1 / 256, zero),
        ]
    return reference.one_operator("SOFTMAX", tensors, (_SOFTMAX, {0: ("<f", beta)}))


@_needs_runtime
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 10), (3, 7), (2, 5, 91), (40, 2), (1, 400)])
def test_softmax(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    """Any number of rows, scales from flat to steep, several betas."""
    for seed in range(8):
        random = np.random.default_rng(seed)
        graph = _softmax(kind, shape, scale(random, 3e-3, 3), random.choice([0.5, 1.0, 2.0]))
        check(tmp_path, graph, [numbers(random, shape, kind)])


@pytest.mark.parametrize("kind", KINDS)
def test_softmax_is_near_the_real_one(tmp_path: Path, kind: str) -> None:
    """It is within one step of the softmax of real numbers, 1001 equal classes included."""
    for step, shape in ((0.1, (4, 50)), (0.03, (1, 1001))):
        x = numbers(np.random.default_rng(3), shape, kind)
        found = ours(tmp_path, _softmax(kind, shape, step, 1.0), [x]).astype(float)
        power = np.exp((x.astype(float) - x.max(axis=-1, keepdims=True)) * step)
        wanted = 256 * power / power.sum(axis=-1, keepdims=True)
        low = -128 if kind == "INT8" else 0
        assert np.abs(found - low - np.minimum(wanted, 255)).max() <= 1


def test_softmax_of_one_row() -> None:
    """The short way for a single sum is the long one, for every length that a sum may have."""
    random = np.random.default_rng(5)
    sums = np.concatenate([2 ** np.arange(32), (2 ** random.uniform(0, 32, 3000)).astype(np.int64)])
    several = np.stack(softmax.reciprocals(sums), axis=1)
    assert several.tolist() == [list(softmax.reciprocal(each)) for each in sums.tolist()]


@pytest.mark.parametrize("name", ["LOGISTIC", "TANH", "ELU", "SOFTMAX"])
def test_float_functions(tmp_path: Path, name: str) -> None:
    """Float32 results are the reference's in every bit, but for the tanhf of older C libraries."""
    x = numbers(np.random.default_rng(4), (3, 70), "FLOAT32")
    graph = _softmax("", x.shape, 0, 1.0)
    if name != "SOFTMAX":
        graph = reference.one_operator(name, [TensorDef("x", x.shape), TensorDef("y", x.shape)])
    found = ours(tmp_path, graph, [x])
    wide = x.astype(np.float64)
    power = np.exp(wide - wide.max(axis=-1, keepdims=True))
    wanted = {
        "LOGISTIC": 1 / (1 + np.exp(-wide)),
        "TANH": np.tanh(wide),
        "ELU": np.where(wide < 0, np.expm1(wide), wide),
        "SOFTMAX": power / power.sum(axis=-1, keepdims=True),
    }
    np.testing.assert_allclose(found, wanted[name], rtol=1e-6, atol=1e-30)
    if reference.IS_HERE and name != "ELU":  # which has no reference kernel
        (theirs,) = reference.run_reference(model(graph), [x])
        off = 4e-7 if name == "TANH" else 0.0
        np.testing.assert_allclose(found, theirs, rtol=off, atol=0.0)


@_needs_runtime
@pytest.mark.parametrize("name", [*_LIMITED, "LEAKY_RELU", "HARD_SWISH"])
def test_float_limits(tmp_path: Path, name: str) -> None:
    """Float32 activations without a maths library are equal in every bit."""
    x = numbers(np.random.default_rng(5), (3, 70), "FLOAT32")
    options: tuple[int, Table] = (_LEAKY, {0: ("<f", 0.2)}) if name == "LEAKY_RELU" else (0, {})
    tensors = [TensorDef("x", x.shape), TensorDef("y", x.shape)]
    check(tmp_path, reference.one_operator(name, tensors, options), [x])


@_needs_runtime
def test_float_prelu(tmp_path: Path) -> None:
    """Alphas of float32, one for each channel."""
    random = np.random.default_rng(6)
    alpha = numbers(random, (1, 1, 7), "FLOAT32")
    shape = (1, 5, 6, 7)
    tensors = [TensorDef("x", shape), TensorDef("a", (1, 1, 7), data=alpha), TensorDef("y", shape)]
    check(tmp_path, reference.one_operator("PRELU", tensors), [numbers(random, shape, "FLOAT32")])


def test_scales_per_channel_are_refused(tmp_path: Path) -> None:
    """Activations with several scales are no operators of TFLite's."""
    tensor = TensorDef("x", (1, 2), "INT8", None, [0.5, 0.25], [0, 0], 1)
    one = quantised(np.random.default_rng(0), "y", (1, 2), "INT8")
    with pytest.raises(ModelError, match="scales per channel"):
        ours(tmp_path, reference.one_operator("QUANTIZE", [tensor, one]), [])
