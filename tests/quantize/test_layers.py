"""Layers given as arrays: the float model computes what they mean, and mistakes are named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_agent.errors import ModelError
from edge_agent.quantize import (
    Activation,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    MaxPool,
    Model,
    quantize_layers,
)
from edge_agent.quantize.arrays import program_of_layers
from tests.quantize.nets import NETS, run_plainly


@pytest.mark.parametrize("name", NETS)
def test_the_float_model_is_what_the_layers_say(name: str) -> None:
    """Each kind of layer, padding and stride gives what plain loops give."""
    rng = np.random.default_rng(1)
    layers, shape = NETS[name](rng)
    samples = rng.normal(0, 1, (3, *shape)).astype(np.float32)
    answers = Model(program_of_layers(layers, shape)).predict(samples)
    for sample, answer in zip(samples, answers, strict=True):
        np.testing.assert_allclose(answer, run_plainly(layers, sample).reshape(-1), atol=2e-5)


def test_batch_norm_without_activation_before_it_costs_nothing() -> None:
    """It is folded into weights and bias; behind an activation it is two operators."""
    rng = np.random.default_rng(2)
    norm = BatchNorm(*rng.normal(1, 0.2, (4, 4)) ** 2)
    dense = np.ones((3, 4), np.float32)
    folded = program_of_layers([Dense(dense), norm], (3,)).main.operators
    apart = program_of_layers([Dense(dense, None, "relu"), norm], (3,)).main.operators
    assert [op.name for op in folded] == ["FULLY_CONNECTED"]
    assert [op.name for op in apart] == ["FULLY_CONNECTED", "MUL", "ADD"]


@pytest.mark.parametrize(
    ("layers", "shape", "said"),
    [
        ([], (4,), "there are no layers"),
        ([Dense(np.ones((3, 2)))], (4,), r"layer 0 \(Dense\): weights for 3 inputs, 4 come in"),
        ([Dense(np.ones(3))], (3,), r"weights of shape \(3,\), they must be inputs x outputs"),
        ([Dense(np.ones((3, 2)), np.ones(3))], (3,), "a bias of 3 numbers for 2 outputs"),
        ([Dense(np.ones((3, 2)), None, "gelu")], (3,), "activation 'gelu'; known: none, relu"),
        ([Dense(np.ones((6, 2)))], (2, 3), r"it is given 2 x 3; put Flatten\(\) in front"),
        ([Conv1D(np.ones((3, 2, 4)))], (9, 3), "weights for 2 channels, 9 x 3 come in"),
        ([Conv1D(np.ones((3, 2, 4)))], (9, 9, 2), "it is given 9 x 9 x 2"),
        ([Conv2D(np.ones((3, 3, 2, 4)))], (2, 2, 2), "is larger than"),
        ([Conv2D(np.ones((3, 3, 2, 4)), padding="full")], (4, 4, 2), "padding is 'full'"),
        ([MaxPool(2, padding="full")], (4, 4, 2), "padding is 'full'"),
        ([MaxPool(2)], (4,), "it is given 4, which has no windows"),
        (
            [Activation("relu"), BatchNorm(*np.ones((4, 3)))],
            (4,),
            r"layer 1 \(BatchNorm\): it must",
        ),
        ([Flatten(channels_first=True)], (4, 4, 2), "must have a Dense behind it"),
        ([Dense(np.ones((2, 2)))], (1, 1, 1, 2), "an input of shape"),
    ],
)
def test_what_does_not_fit_is_named(layers: list[Any], shape: tuple[int, ...], said: str) -> None:
    """The error tells the place and kind of the layer and what comes in."""
    with pytest.raises(ModelError, match=said):
        program_of_layers(layers, shape)


@pytest.mark.parametrize(
    ("weight", "data", "said"),
    [
        (np.nan, np.ones((5, 3)), r"'0\(Dense\)/weights' of operator 0 .* holds NaN"),
        (1.0, np.ones((0, 3)), "the calibration data has shape"),
        (1.0, np.ones(3), "the calibration data has shape"),
        (1.0, np.full((5, 3), np.inf), "the calibration data holds NaN or infinity in sample 0"),
        (3e38, np.full((5, 3), 3e38), "tensor '0\\(Dense\\)' holds NaN or infinity"),
    ],
)
def test_numbers_that_are_none_are_refused(weight: float, data: Any, said: str) -> None:
    """NaN in weights, no samples, samples that are not finite: each has its own words."""
    with pytest.raises(ModelError, match=said):
        quantize_layers([Dense(np.full((3, 2), weight))], data)
