"""Nets of random layers: whatever they are made of, both engines give the same bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.quantize import (
    Activation,
    AveragePool,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Options,
    quantize_layers,
)
from edge_agent.quantize.layers import Layer
from edge_agent.quantize.measure import native_inputs
from edge_agent.quantize.ranges import OBSERVERS
from tests.quantize.nets import norm, random_weights
from tests.support.reference import IS_HERE, RUNTIME, run_reference

pytestmark = pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")


def random_net(rng: np.random.Generator) -> tuple[list[Layer], tuple[int, ...]]:
    """Three to six layers on a small picture, then one row of scores."""
    side, channels = int(rng.integers(8, 14)), int(rng.integers(1, 5))
    shape, layers = (side, side, channels), list[Layer]()
    for _ in range(rng.integers(3, 7)):
        kind = rng.integers(6)
        activation = str(rng.choice(["none", "relu", "relu6"]))
        if kind == 0:
            out = int(rng.integers(1, 9))
            w = random_weights(rng, 3, 3, channels, out) * rng.uniform(0.1, 5, out)
            layers.append(Conv2D(w, random_weights(rng, out), activation, padding=1))
            channels = out
        elif kind == 1:
            w = random_weights(rng, 3, 3, channels, 1)
            layers.append(DepthwiseConv2D(w, None, activation, padding="same"))
        elif kind == 2:
            layers.append(norm(rng, channels))
        elif kind == 3:
            layers.append(Activation(str(rng.choice(["relu", "sigmoid", "tanh"]))))
        elif kind == 4 and side >= 4:
            layers.append(MaxPool(2) if rng.integers(2) else AveragePool(2))
            side //= 2
    if rng.integers(2):
        return [*layers, GlobalAveragePool(), Activation("softmax")], shape
    w = random_weights(rng, side * side * channels, 3)
    return [*layers, Flatten(), Dense(w, random_weights(rng, 3))], shape


@pytest.mark.parametrize("seed", range(25))
def test_random_net(seed: int, tmp_path: Path) -> None:
    """Bytes of the numpy engine and of TFLite's reference kernels, with options drawn as well."""
    rng = np.random.default_rng(seed)
    layers, shape = random_net(rng)
    x = rng.normal(0, rng.uniform(0.1, 10), (12, *shape)).astype(np.float32)
    options: Any = Options(
        observer=str(rng.choice(list(OBSERVERS))),
        equalize=bool(rng.integers(2)),
        correct_bias=bool(rng.integers(2)),
        input_type=str(rng.choice(["int8", "uint8"])),
    )
    made = quantize_layers(layers, x, options=options)
    content = made.save(tmp_path / "model.tflite").read_bytes()
    engine = NumpyEngine(made.program)
    has_own_rounding = isinstance(layers[-1], Dense) and "tflite_runtime" not in RUNTIME.__name__
    for sample in x:
        inputs = native_inputs(made.program, (sample[np.newaxis],))
        (ours,), (theirs,) = engine.run(*inputs), run_reference(content, inputs)
        off = np.abs(ours.astype(int) - theirs).max()
        assert off <= (1 if has_own_rounding else 0)
