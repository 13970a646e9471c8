"""Arithmetic number by number: byte for byte what TFLite's reference kernels give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy.operators import pairs as engine_pairs
from edge_agent.errors import ModelError
from tests.engines.numpy import oracle
from tests.engines.numpy.random_graphs import (
    KINDS,
    Random,
    alike,
    check,
    needs_reference,
    numbers,
    ours,
    quantised,
    scale,
)
from tests.support import reference
from tests.support.tflite_writer import GraphDef, TensorDef

_OPTIONS = {"ADD": 11, "MUL": 21, "SUB": 28, "DIV": 29}
_SHAPES = (
    ((1, 3, 5, 8), (1, 3, 5, 8)),
    ((2, 8, 4), (4,)),
    ((5, 1, 6), (1, 7, 1)),
    ((3,), (2, 4, 3)),
)


def _two(random: Random, name: str, kind: str, constant: bool) -> tuple[GraphDef, list[Any]]:
    """A graph of two 8-bit inputs, the second one a constant at times, and numbers for it."""
    one, two = _SHAPES[random.integers(len(_SHAPES))]
    first, second = scale(random), scale(random)
    output = first * second * random.uniform(1.1, 90)
    if name != "MUL":
        second = first * random.choice([0.25, 1.0, 2.0, random.uniform(0.3, 3)])
        output = first * random.choice([0.5, 1.0, 2.0, random.uniform(0.5, 3)])
    values = numbers(random, two, kind)
    a = quantised(random, "a", one, kind, first)
    b = quantised(random, "b", two, kind, second, data=values if constant else None)
    y = quantised(random, "y", np.broadcast_shapes(one, two), kind, output)
    options = (_OPTIONS[name], {0: ("<b", int(random.integers(4)))})
    inputs = [numbers(random, one, kind), *([] if constant else [values])]
    return reference.one_operator(name, [a, b, y], options), inputs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
@pytest.mark.parametrize("seed", range(25))
def test_quantised_arithmetic(tmp_path: Path, name: str, kind: str, seed: int) -> None:
    """Sums, differences and products of two inputs, broadcast, with any fused activation."""
    graph, inputs = _two(np.random.default_rng(seed), name, kind, constant=False)
    check(tmp_path, graph, inputs, oracle.pairs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_quantised_arithmetic_with_a_constant(tmp_path: Path, name: str, kind: str) -> None:
    """A constant is proven with the numbers that it has and gives the same answers."""
    random = np.random.default_rng(7)
    for _ in range(20):
        graph, inputs = _two(random, name, kind, constant=True)
        constant = graph.tensors[1].data
        assert constant is not None

        def answer(graph: GraphDef, a: Any, b: Any = constant) -> Any:
            return oracle.pairs(graph, a, b)

        check(tmp_path, graph, inputs, answer)


@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL"])
def test_table_where_no_arithmetic_is_proven(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a proven chain the table of all pairs gives the same answers."""
    monkeypatch.setattr(engine_pairs, "_proven", lambda *_: None)
    random = np.random.default_rng(3)
    for _ in range(8):
        graph, inputs = _two(random, name, "INT8", constant=False)
        check(tmp_path, graph, inputs, oracle.pairs)


def test_wrong_chains_are_not_proven() -> None:
    """A candidate that is wrong for a single pair is refused, the next right one is taken."""
    from edge_agent.engines.numpy.program import Tensor  # noqa: PLC0415

    one = np.ones(1, np.float32)
    tensor = Tensor(0, "x", (1,), np.dtype(np.int8), one, np.zeros(1, np.int64))
    right = engine_pairs.PairChain("sum", np.float32(1), np.float32(1))
    wrong = engine_pairs.PairChain("sum", np.float32(1.00392), np.float32(1))

    def add(a: Any, b: Any) -> Any:
        return a + b

    args = ((tensor, tensor), (-128, 127), add)
    assert engine_pairs._proven(*args, [wrong]) is None
    assert engine_pairs._proven(*args, [wrong, right]) is right


@pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)
@pytest.mark.parametrize("kind", ["FLOAT32", "INT32", "INT64"])
@pytest.mark.parametrize("name", ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"])
def test_plain_arithmetic(tmp_path: Path, name: str, kind: str) -> None:
    """Float32 and whole numbers, broadcast, infinities cut to the largest number as there."""
    random = np.random.default_rng(1)
    for one, two in _SHAPES * 3:
        shapes = (one, two, np.broadcast_shapes(one, two))
        tensors = [TensorDef(str(place), shape, kind) for place, shape in enumerate(shapes)]
        options = (_OPTIONS.get(name, 0), {0: ("<b", int(random.integers(4)))})
        inputs = [numbers(random, shape, kind) for shape in shapes[:2]]
        if kind == "FLOAT32":
            inputs[0].flat[0] = np.inf
        check(tmp_path, reference.one_operator(name, tensors, options), inputs)


@pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)
@pytest.mark.parametrize("kind", ["FLOAT32", "INT32"])
@pytest.mark.parametrize("name", ["DIV", "FLOOR_DIV", "FLOOR_MOD"])
def test_quotients(tmp_path: Path, name: str, kind: str) -> None:
    """Quotients and remainders of numbers of either sign."""
    random = np.random.default_rng(2)
    for one, two in _SHAPES:
        shapes = (one, two, np.broadcast_shapes(one, two))
        tensors = [TensorDef(str(place), shape, kind) for place, shape in enumerate(shapes)]
        a, b = numbers(random, one, kind), numbers(random, two, kind)
        b[b == 0] = 3
        graph = reference.one_operator(name, tensors, (_OPTIONS.get(name, 0), {}))
        check(tmp_path, graph, [a, b])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "function"), [("MAXIMUM", np.maximum), ("MINIMUM", np.minimum)])
def test_quantised_choice(tmp_path: Path, name: str, kind: str, function: Any) -> None:
    """The larger and the smaller of 8-bit numbers of one scale."""
    random = np.random.default_rng(4)
    a = quantised(random, "a", (3, 1, 5), kind)
    graph = reference.one_operator(name, [a, alike("b", (4, 5), a), alike("y", (3, 4, 5), a)])
    inputs = [numbers(random, (3, 1, 5), kind), numbers(random, (4, 5), kind)]
    check(tmp_path, graph, inputs, lambda _, a, b: function(a, b))


@pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)
@pytest.mark.parametrize("name", ["SQRT", "RSQRT", "SQUARE", "ABS", "NEG"])
def test_functions_of_one_number(tmp_path: Path, name: str) -> None:
    """Functions that float32 computes without error in the last bit."""
    x = np.abs(numbers(np.random.default_rng(5), (3, 50), "FLOAT32"))
    x = x if "SQRT" in name else -x
    tensors = [TensorDef("x", x.shape), TensorDef("y", x.shape)]
    check(tmp_path, reference.one_operator(name, tensors), [x])


def test_logarithm(tmp_path: Path) -> None:
    """Results are rounded correctly, which the C library's own are not always."""
    x = np.abs(numbers(np.random.default_rng(6), (200,), "FLOAT32"))
    graph = reference.one_operator("LOG", [TensorDef("x", x.shape), TensorDef("y", x.shape)])
    found = ours(tmp_path, graph, [x])
    np.testing.assert_array_equal(found, np.log(x.astype(np.float64)).astype(np.float32))


def test_exponential(tmp_path: Path) -> None:
    """From nothing to infinity, to the last bit what the C library gives."""
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, 88.7, 88.8, 200.0, -87.4, -103.9, -104.1, -1e30]
    x = np.array([*ends, *np.linspace(-20, 20, 3000)], np.float32)
    graph = reference.one_operator("EXP", [TensorDef("x", x.shape), TensorDef("y", x.shape)])
    check(tmp_path, graph, [x])
    with np.errstate(over="ignore"):
        wanted = np.exp(x.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(ours(tmp_path, graph, [x]), wanted, rtol=1.3e-7)


@pytest.mark.parametrize(
    ("name", "kind", "activation", "said"),
    [
        ("ADD", "INT16", 0, "numbers of type int16"),
        ("ADD", "FLOAT32", 4, "fused activation 4"),
        ("DIV", "INT64", 0, "quotients of int64"),
    ],
)
def test_what_is_not_known(
    tmp_path: Path, name: str, kind: str, activation: int, said: str
) -> None:
    """Types and activations that no kernel here knows are refused with the reason."""
    tensors = [TensorDef(each, (4,), kind) for each in "aby"]
    options = (_OPTIONS[name], {0: ("<b", activation)})
    with pytest.raises(ModelError, match=said):
        ours(tmp_path, reference.one_operator(name, tensors, options), [])
