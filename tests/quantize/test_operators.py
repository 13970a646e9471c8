"""Every operator that becomes int8: near its float form, and the same bytes in TFLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Program
from edge_agent.quantize import Model, quantize
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.measure import native_inputs
from edge_agent.quantize.rules import FIXED, FREE, TIED, WEIGHTED
from tests.support.reference import IS_HERE, run_reference

Shape = tuple[int, ...]
IN: Shape = (1, 6, 6, 4)
HALF: Shape = (1, 3, 3, 4)
NO_ACTIVATION: dict[str, Any] = {"activation": 0}
POOL: dict[str, Any] = {"padding": 1, "stride_w": 2, "stride_h": 2, "filter_w": 2, "filter_h": 2,
                        "activation": 0}  # fmt: skip


def ints(*values: Any) -> NDArray[np.int32]:
    """A constant of whole numbers."""
    return np.array(values, np.int32)


def plain(*outputs: Shape, constants: Sequence[Any] = (), **options: Any) -> Callable[..., Any]:
    """One input, these constants, these outputs."""
    return lambda: (1, constants, outputs or (IN,), options)


def two(*outputs: Shape, **options: Any) -> Callable[..., Any]:
    """Two inputs."""
    return lambda: (2, (), outputs or (IN,), options)


ROW = np.array([[[[0.1, 0.2, 0.3, 0.4]]]], np.float32)
CASES: dict[str, Callable[..., Any]] = {
    "ADD": two(**NO_ACTIVATION),
    "SUB": plain(constants=[ROW], **NO_ACTIVATION),
    "MUL": two(activation=1),
    "MAXIMUM": two(),
    "MINIMUM": plain(constants=[ROW]),
    "CONCATENATION": two((1, 6, 6, 8), axis=3, activation=0),
    "PACK": two((1, 2, 6, 6, 4), count=2, axis=1),
    "MEAN": plain((1, 4), constants=[ints(1, 2)], keep_dims=False),
    "REDUCE_MAX": plain((1, 1, 1, 4), constants=[ints(1, 2)], keep_dims=True),
    "REDUCE_MIN": plain((1, 4), constants=[ints(1, 2)], keep_dims=False),
    "AVERAGE_POOL_2D": plain(HALF, **POOL),
    "MAX_POOL_2D": plain(HALF, **POOL),
    "RESHAPE": plain((1, 144), constants=[ints(1, 144)], new_shape=(1, 144)),
    "SQUEEZE": plain((6, 6, 4), dimensions=(0,)),
    "EXPAND_DIMS": plain((1, 1, 6, 6, 4), constants=[np.array(1, np.int32)]),
    "TRANSPOSE": plain((1, 4, 6, 6), constants=[ints(0, 3, 1, 2)]),
    "PAD": plain((1, 8, 8, 4), constants=[ints((0, 0), (1, 1), (1, 1), (0, 0))]),
    "MIRROR_PAD": plain((1, 8, 8, 4), constants=[ints((0, 0), (1, 1), (1, 1), (0, 0))], mode=0),
    "RESIZE_BILINEAR": plain((1, 12, 12, 4), constants=[ints(12, 12)], align_corners=False,
                             half_pixel_centers=True),
    "RESIZE_NEAREST_NEIGHBOR": plain((1, 12, 12, 4), constants=[ints(12, 12)],
                                     align_corners=False, half_pixel_centers=False),
    "GATHER": plain((1, 2, 6, 4), constants=[ints(4, 1)], axis=1, batch_dims=0),
    "GATHER_ND": plain((2, 6, 4), constants=[ints((0, 1), (0, 3))]),
    "SLICE": plain((1, 2, 3, 4), constants=[ints(0, 1, 2, 0), ints(1, 2, 3, 4)]),
    "STRIDED_SLICE": plain(HALF, constants=[ints(0, 0, 0, 0), ints(1, 6, 6, 4), ints(1, 2, 2, 1)],
                           begin_mask=0, end_mask=0, ellipsis_mask=0, new_axis_mask=0,
                           shrink_axis_mask=0, offset=False),
    "SPACE_TO_DEPTH": plain((1, 3, 3, 16), block=2),
    "DEPTH_TO_SPACE": plain((1, 12, 12, 1), block=2),
    "UNPACK": plain((1, 6, 4), (1, 6, 4), (1, 6, 4), (1, 6, 4), (1, 6, 4), (1, 6, 4), count=6,
                    axis=1),
    "SPLIT_V": plain((1, 2, 6, 4), (1, 4, 6, 4), constants=[ints(2, 4), np.array(1, np.int32)],
                     splits=2),
    "TILE": plain((1, 12, 6, 4), constants=[ints(1, 2, 1, 1)]),
    "BROADCAST_TO": plain((2, 6, 6, 4), constants=[ints(2, 6, 6, 4)]),
    "RELU": plain(), "RELU6": plain(), "RELU_N1_TO_1": plain(), "RELU_0_TO_1": plain(),
    "HARD_SWISH": plain(), "ELU": plain(), "LEAKY_RELU": plain(alpha=0.1),
    "PRELU": plain(constants=[ROW[0]]),
    "LOGISTIC": plain(), "TANH": plain(), "SOFTMAX": plain(beta=1.0),
}  # fmt: skip
ELSEWHERE = {"SPLIT"}
"""SPLIT has its axis in front: it is built below."""


def graph_of(name: str) -> Program:
    """The operator alone, between inputs and outputs of the model."""
    inputs, constants, outputs, options = CASES[name]()
    draft = Draft()
    given = [draft.tensor(f"x{i}", IN) for i in range(inputs)]
    more = [draft.constant(f"c{i}", values) for i, values in enumerate(constants)]
    results = [draft.tensor(f"y{i}", shape) for i, shape in enumerate(outputs)]
    draft.apply(name, (*given, *more), results, options)
    return Program(name, (draft.finish(given, results),))


def split() -> Program:
    """SPLIT, whose first input is the axis."""
    draft = Draft()
    axis, x = draft.constant("axis", np.array(3, np.int32)), draft.tensor("x", IN)
    results = [draft.tensor(f"y{i}", (1, 6, 6, 2)) for i in range(2)]
    draft.apply("SPLIT", (axis, x), results, {"splits": 2})
    return Program("SPLIT", (draft.finish((x,), results),))


def test_every_operator_has_a_case() -> None:
    """Those with weights are in test_quantize_layers.py."""
    assert {*CASES, *ELSEWHERE} == {*TIED, *FIXED, *FREE}
    assert not {*WEIGHTED} & {*CASES}


@pytest.mark.parametrize("name", [*CASES, *ELSEWHERE])
def test_operator(name: str, tmp_path: Path) -> None:
    """At least 30 dB, in int8 from end to end, and TFLite's reference kernels give its bytes."""
    program = split() if name == "SPLIT" else graph_of(name)
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 2, (20, len(program.main.inputs), *IN)).astype(np.float32)
    made = quantize(Model(program), [tuple(row) for row in rows])
    assert {layer.kind for layer in made.report.layers} == {"int8"}
    assert min(layer.sqnr_db for layer in made.report.layers) > 30
    path = made.save(tmp_path / "model.tflite")
    engine = NumpyEngine(path)
    for row in rows[:5]:
        inputs = native_inputs(made.program, tuple(row))
        ours = engine.run(*inputs)
        if IS_HERE and name != "ELU":  # TFLite has no reference kernel of it
            for a, b in zip(ours, run_reference(path.read_bytes(), inputs), strict=True):
                np.testing.assert_array_equal(a, b)
