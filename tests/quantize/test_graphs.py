"""What is done to a float graph: fusing, folding, evening out, scales that operators share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Graph, Program
from edge_agent.quantize import Dense, Model, Options, quantize
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.equalize import equalize
from edge_agent.quantize.prepare import simplify

Array = NDArray[Any]
CONV = {"padding": 0, "stride_w": 1, "stride_h": 1, "dilation_w": 1, "dilation_h": 1,
        "activation": 0}  # fmt: skip


def answers(program: Program, *inputs: Array) -> list[Array]:
    """Outputs of one run."""
    return [np.array(each) for each in NumpyEngine(program).run(*inputs)]


def normed(rng: np.random.Generator) -> Program:
    """A convolution without bias, a product, a sum, a difference and ReLU6, as five operators."""
    draft = Draft()
    x = draft.tensor("x", (1, 6, 6, 3))
    weights = draft.constant("w", rng.normal(0, 1, (4, 3, 3, 3)).astype(np.float32))
    last = draft.tensor("conv", (1, 6, 6, 4))
    draft.apply("CONV_2D", (x, weights), (last,), CONV)
    for name in ("MUL", "ADD", "SUB"):
        row = draft.constant(f"{name}_row", rng.normal(1, 0.3, (1, 1, 1, 4)).astype(np.float32))
        result = draft.tensor(name, (1, 6, 6, 4))
        draft.apply(
            name, (last, row) if name == "SUB" else (row, last), (result,), {"activation": 0}
        )
        last = result
    y = draft.tensor("relu", (1, 6, 6, 4))
    draft.apply("RELU6", (last,), (y,))
    return Program("normed", (draft.finish((x,), (y,)),))


def test_five_operators_become_one() -> None:
    """Batch norm and activation go into the convolution, and the numbers stay."""
    rng = np.random.default_rng(0)
    program = normed(rng)
    smaller = simplify(program)
    assert [op.name for op in smaller.main.operators] == ["CONV_2D"]
    assert smaller.main.operators[0].options["activation"] == 3
    x = rng.normal(0, 1, (1, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(answers(smaller, x)[0], answers(program, x)[0], atol=1e-5)


def test_what_others_read_stays() -> None:
    """A tensor that is an output of the model, too, is not fused away."""
    graph = normed(np.random.default_rng(0)).main
    conv = graph.operators[0].outputs[0]
    watched = Graph(graph.tensors, graph.inputs, (*graph.outputs, conv), graph.operators)
    names = [op.name for op in simplify(Program("watched", (watched,))).main.operators]
    assert names[:2] == ["CONV_2D", "MUL"]


def test_weights_in_float16_are_widened() -> None:
    """A DEQUANTIZE of a constant is worked out once."""
    draft = Draft()
    x = draft.tensor("x", (1, 3))
    half = draft.constant("half", np.eye(3, dtype=np.float16))
    whole = draft.tensor("whole", (3, 3))
    y = draft.tensor("y", (1, 3))
    draft.apply("DEQUANTIZE", (half,), (whole,))
    draft.apply("FULLY_CONNECTED", (x, whole, -1), (y,), {"activation": 0})
    smaller = simplify(Program("half", (draft.finish((x,), (y,)),)))
    assert [op.name for op in smaller.main.operators] == ["FULLY_CONNECTED"]
    row = np.array([[1.0, 2.0, 3.0]], np.float32)
    np.testing.assert_array_equal(answers(smaller, row)[0], row)


def uneven(rng: np.random.Generator) -> Program:
    """Two dense layers between which one channel is a thousand times larger than another."""
    sizes = np.logspace(0, 3, 8)
    first = rng.normal(0, 1, (6, 8)) * sizes
    second = rng.normal(0, 1, (8, 4)) / sizes[:, np.newaxis]
    bias = rng.normal(0, 1, 8) * sizes
    return program_of_layers([Dense(first, bias, "relu"), Dense(second)], (6,))


def test_equalising_changes_the_weights_and_not_the_answers() -> None:
    """The float model stays the same; its int8 form is more than 10 dB nearer to it."""
    rng = np.random.default_rng(0)
    program = uneven(rng)
    samples = [(row[np.newaxis],) for row in rng.normal(0, 1, (50, 6)).astype(np.float32)]
    for sample in samples[:5]:
        expected = answers(program, *sample)[0]
        np.testing.assert_allclose(answers(equalize(program), *sample)[0], expected, atol=1e-4)
    plain = quantize(Model(program), samples).report.layers[-1].sqnr_db
    even = quantize(Model(program), samples, Options(equalize=True)).report.layers[-1].sqnr_db
    assert even > plain + 10


def joined(middle: str) -> Program:
    """One input beside the LOGISTIC of another one, or of itself."""
    draft = Draft()
    a, b = draft.tensor("a", (1, 4)), draft.tensor("b", (1, 4))
    s, t = draft.tensor("s", (1, 4)), draft.tensor("t", (1, 4))
    y = draft.tensor("y", (1, 8))
    draft.apply("LOGISTIC", (a,), (s,))
    draft.apply(middle, (b,), (t,), {})
    draft.apply("CONCATENATION", (s, t), (y,), {"axis": 1, "activation": 0})
    return Program("joined", (draft.finish((a, b), (y,)),))


@pytest.mark.parametrize(
    ("middle", "operators", "scale"),
    [
        ("LOGISTIC", ["LOGISTIC", "LOGISTIC", "CONCATENATION"], 1 / 256),
        ("RELU", ["LOGISTIC", "QUANTIZE", "RELU", "CONCATENATION"], 5 / 255),
    ],
)
def test_scales_that_are_fixed_meet_scales_that_are_not(
    middle: str, operators: list[str], scale: float
) -> None:
    """What is joined has one scale: the fixed one, or a range into which the other is rescaled."""
    rng = np.random.default_rng(0)
    rows = rng.uniform(-5, 5, (40, 2, 1, 4)).astype(np.float32)
    rows[0, 1, 0, 0] = 5.0
    made = quantize(Model(joined(middle)), [tuple(row) for row in rows])
    main = made.program.main
    assert [op.name for op in main.operators] == operators
    assert main.tensors[main.outputs[0]].step == pytest.approx(scale)
    assert made.report.layers[-1].sqnr_db > 40


def test_operators_without_an_int8_form_stay() -> None:
    """Between two int8 operators a SQRT works on float32, and is named."""
    draft = Draft()
    x, r, s, y = (draft.tensor(name, (1, 4)) for name in ("x", "r", "s", "y"))
    draft.apply("RELU", (x,), (r,))
    draft.apply("SQRT", (r,), (s,))
    draft.apply("ADD", (s, r), (y,), {"activation": 0})
    program = Program("root", (draft.finish((x,), (y,)),))
    rows = np.random.default_rng(0).uniform(0, 4, (30, 1, 1, 4)).astype(np.float32)
    made = quantize(Model(program), [tuple(row) for row in rows])
    names = [op.name for op in made.program.main.operators]
    assert names == ["RELU", "DEQUANTIZE", "SQRT", "QUANTIZE", "ADD"]
    assert made.report.kept == {1: "SQRT: there is no int8 form of it here"}
    assert made.report.layers[-1].sqnr_db > 35
