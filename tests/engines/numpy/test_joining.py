"""Operators that put tensors together or a border around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Fixed, Random, check, graph, seeds, tensor
from tests.support.reference import IS_HERE, run_both
from tests.support.tflite_writer import GraphDef, OpDef, Table, write_model

CONCATENATION, PACK, MIRROR_PAD = 10, 59, 77


@seeds
def test_concatenation(seed: int, tmp_path: Path) -> None:
    """One after the other along any axis; one of them may be a constant."""
    some = Random(seed)
    shape = some.shape(3)
    axis = some.number(-3, 3)
    parts = [some.data(shape) for _ in range(3)]
    inputs = (parts[0], Fixed(parts[1], parts[1].dtype), parts[2])
    options: tuple[int, Table] = (CONCATENATION, {0: ("<i", axis)})
    check(tmp_path, "CONCATENATION", inputs, [np.concatenate(parts, axis)], options)


def _of_other_scales(seed: int) -> GraphDef:
    some = Random(seed)
    tensors = [tensor(name, (1, 16, 16), np.uint8) for name in ("a", "b")]
    tensors.append(tensor("y", (1, 32, 16), np.uint8))
    for each in tensors:
        each.scale = [float(some.noise.uniform(0.01, 0.1))]
        each.zero_point = [some.number(0, 256)]
    options: Table = {0: ("<i", 1)}
    operator = OpDef("CONCATENATION", (0, 1), (2,), CONCATENATION, options)
    return GraphDef(tensors, [operator], (0, 1), (2,))


@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
@seeds
def test_concatenation_of_other_scales(seed: int, tmp_path: Path) -> None:
    """All 256 numbers of uint8 inputs are brought to the output's scale as TFLite does it."""
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    ours, theirs = run_both(tmp_path, _of_other_scales(seed), (x, x[:, ::-1]))
    np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.parametrize("change", [{"scale": [0.25]}, {"zero_point": [7]}])
def test_int8_of_other_scales_is_refused(change: dict[str, list[float]], tmp_path: Path) -> None:
    """TFLite has no such kernel for int8."""
    x = np.zeros(2, np.int8)
    wrong = graph("CONCATENATION", (x, x), [np.zeros(4, np.int8)])
    for name, value in change.items():
        setattr(wrong.tensors[0], name, value)
    with pytest.raises(ModelError, match="another scale"):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))


@seeds
def test_pack(seed: int, tmp_path: Path) -> None:
    """Inputs side by side in a new axis."""
    some = Random(seed)
    shape = some.shape()
    parts = [some.data(shape) for _ in range(some.number(1, 4))]
    axis = some.number(-len(shape) - 1, len(shape) + 1)
    options: tuple[int, Table] = (PACK, {0: ("<i", len(parts)), 1: ("<i", axis)})
    check(tmp_path, "PACK", parts, [np.stack(parts, axis)], options)


@seeds
def test_pad(seed: int, tmp_path: Path) -> None:
    """The border is zero, the zero point of a quantised tensor."""
    some = Random(seed)
    x = some.data(some.shape())
    pads = some.noise.integers(0, 3, (x.ndim, 2))
    zero = {"int8": 3, "uint8": 120}.get(x.dtype.name, 0)
    y = np.pad(x, pads, constant_values=zero)
    check(tmp_path, "PAD", (x, Fixed(pads)), [y])


@seeds
def test_padv2(seed: int, tmp_path: Path) -> None:
    """The border is a given number, a constant or one that is computed."""
    some = Random(seed)
    x, value = some.data(some.shape()), some.data((1,))
    pads = some.noise.integers(0, 3, (x.ndim, 2))
    y = np.pad(x, pads, constant_values=value[0])
    check(tmp_path, "PADV2", (x, Fixed(pads), Fixed(value, value.dtype)), [y])
    check(tmp_path, "PADV2", (x, Fixed(pads), value), [y])


@seeds
def test_mirror_pad(seed: int, tmp_path: Path) -> None:
    """The border mirrors the inside, with the edge itself or without it."""
    some = Random(seed)
    x = some.data(some.shape())
    for mode in (0, 1):
        pads = np.stack([some.noise.integers(0, side + mode, 2) for side in x.shape])
        y = np.pad(x, pads, "symmetric") if mode else np.pad(x, pads, "reflect")
        options: tuple[int, Table] = (MIRROR_PAD, {0: ("<b", mode)})
        check(tmp_path, "MIRROR_PAD", (x, Fixed(pads)), [y], options)


@pytest.mark.parametrize(("pads", "name"), [([[4, 0]], "MIRROR_PAD"), ([[-1, 5]], "PAD")])
def test_borders_that_are_refused(pads: list[list[int]], name: str, tmp_path: Path) -> None:
    """A mirror shows no more than there is, and no border has a negative size."""
    x = np.zeros(3, np.float32)
    wrong = graph(name, (x, Fixed(pads)), [np.zeros(7, np.float32)])
    with pytest.raises(ModelError, match="borders of"):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))
