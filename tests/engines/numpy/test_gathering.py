"""GATHER and GATHER_ND, against NumPy's own indexing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import InferenceError, ModelError
from tests.engines.numpy.moves import Array, Fixed, Random, check, graph, seeds
from tests.support.tflite_writer import Table, write_model

GATHER, GATHER_ND = 23, 83


def _gathered(x: Array, places: Array, axis: int, batches: int) -> Array:
    """The definition: within each batch, slices along the axis."""
    if batches == 0:
        return x.take(places, axis)
    parts = [_gathered(*pair, axis - 1, batches - 1) for pair in zip(x, places, strict=True)]
    return np.stack(parts)


@seeds
def test_gather(seed: int, tmp_path: Path) -> None:
    """Slices along any axis, with batches, at constant places and at computed ones."""
    some = Random(seed)
    x = some.data(some.shape())
    axis = some.number(0, x.ndim)
    batches = some.number(0, axis + 1)
    shape = x.shape[:batches] + some.shape(some.number(0, 3))
    places = some.noise.integers(0, x.shape[axis], shape).astype(np.int32)
    y = _gathered(x, places, axis, batches)
    options: tuple[int, Table] = (GATHER, {0: ("<i", axis), 1: ("<i", batches)})
    check(tmp_path, "GATHER", (x, Fixed(places)), [y], options)
    check(tmp_path, "GATHER", (x, places), [y], options)


@seeds
def test_gather_nd(seed: int, tmp_path: Path) -> None:
    """Slices at places of several axes."""
    some = Random(seed)
    x = some.data(some.shape())
    depth = some.number(1, x.ndim + 1)
    shape = some.shape(some.number(1, 3))
    places = [some.noise.integers(0, side, shape) for side in x.shape[:depth]]
    index = np.stack(places, -1).astype(np.int64)
    y = x[tuple(places)]
    check(tmp_path, "GATHER_ND", (x, Fixed(index, np.int64)), [y], (GATHER_ND, {}))
    check(tmp_path, "GATHER_ND", (x, index), [y], (GATHER_ND, {}))


@pytest.mark.parametrize("place", [-1, 3])
def test_places_outside(place: int, tmp_path: Path) -> None:
    """A constant place outside is found at once, a computed one when it comes."""
    x, places = np.zeros(3, np.float32), np.array([place], np.int32)
    wrong = graph("GATHER", (x, Fixed(places)), [x[:1]])
    with pytest.raises(ModelError, match="place"):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", graph("GATHER", (x, places), [x[:1]])))
    with pytest.raises(InferenceError, match="place"):
        engine.run(x, places)
