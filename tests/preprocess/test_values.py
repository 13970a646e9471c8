"""The table from pixel values to the tensor's numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import ModelError
from edge_agent.model import TensorSpec
from edge_agent.preprocess.values import Normalisation, PixelValues, pixel_values
from tests.preprocess.oracle import number
from tests.support.models import make_spec

SHAPE = (1, 16, 16, 3)
PIXELS = np.arange(256)
SHIFTED = PIXELS - 128
MEANS = st.lists(st.floats(-300, 300), min_size=3, max_size=3)
STDS = st.lists(st.floats(0.01, 300), min_size=3, max_size=3)


def table(values: PixelValues, channels: int = 3) -> list[list[Any]]:
    """One row of 256 numbers for each channel."""
    rows: list[list[Any]] = np.broadcast_to(values.tables, (channels, 256)).tolist()
    return rows


@settings(deadline=None)
@given(
    st.sampled_from(["uint8", "int8", "int16", "int32", "float32"]),
    st.none() | st.floats(1e-4, 10),
    st.integers(-128, 255),
    MEANS,
    STDS,
)
def test_the_formula(
    dtype: str, scale: float | None, zero_point: int, means: list[float], stds: list[float]
) -> None:
    """Any mean and std give round(((px - mean) / std) / scale) + zero point, clipped."""
    spec = make_spec(SHAPE, dtype, scale, None if scale is None else zero_point)
    values = pixel_values(spec, 3, {}, Normalisation.read(means, stds, 3))
    assert values.tables.dtype == spec.dtype
    assert table(values) == [
        [number(px, mean, std, spec) for px in range(256)]
        for mean, std in zip(means, stds, strict=True)
    ]


def test_halves_go_to_the_even_number() -> None:
    """What lies in the middle of two steps is rounded to the even one."""
    spec = make_spec(SHAPE, "int8", 1.0, 0)
    values = pixel_values(spec, 3, {}, Normalisation.read(2.0, 2.0, 3))
    assert table(values)[0][:8] == [-1, 0, 0, 0, 1, 2, 2, 2]


def test_a_quantisation_for_each_channel() -> None:
    """Scale and zero point may differ between channels."""
    scale, zero_point = np.array([0.5, 1, 2], np.float32), np.array([1, 2, -3])
    spec = TensorSpec("x", SHAPE, np.dtype("int8"), scale, zero_point)
    rows = table(pixel_values(spec, 3, {}, Normalisation.read(100.0, 10.0, 3)))
    assert [row[0] for row in rows] == [-19, -8, -8]
    assert [row[255] for row in rows] == [32, 18, 5]


@pytest.mark.parametrize(
    ("scale", "zero_point", "low", "high"),
    [
        (1 / 255, -128, None, None),
        (2 / 255, 0, None, None),
        (1.0, -128, None, None),
        (1.0, 0, None, None),
        (1.009 / 255, -128, 0.0, 1.0),
        (1.02 / 255, -128, 0.0, 1.0),
        (2.1 / 255, 0, -1.0, 1.0),
        (1.05, -128, 0.0, 255.0),
        (4.8 / 255, -14, None, None),  # mean and std of ImageNet: black to white is the whole range
        (1.5 / 255, -128, None, None),  # 0..1.5 is no range that models are trained on
        (0.01, -128, None, None),
    ],
)
def test_int8_by_its_quantisation(
    scale: float, zero_point: int, low: float | None, high: float | None
) -> None:
    """It is px - 128, or exact where the tensor's range is nearly, not quite, a usual one."""
    spec = make_spec(SHAPE, "int8", scale, zero_point)
    values = pixel_values(spec, 3, {}, None)
    if low is None or high is None:
        assert values.text == "int8 = px - 128"
        assert table(values, 1)[0] == SHIFTED.tolist()
    else:
        std = 255 / (high - low)
        exact = [number(px, -low * std, std, spec) for px in range(256)]
        assert table(values, 1)[0] == exact
        assert max(abs(one - other) for one, other in zip(exact, SHIFTED, strict=True)) > 1


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"mean": [127.5], "std": [127.5]}, "float32 = (px - 127.5) / 127.5"),
        ({"mean": 0.0, "std": 1.0}, "float32 = px"),
        ({"mean": [1, 2, 3], "std": [4, 4, 4]}, "float32 = (px - [1, 2, 3]) / 4"),
        ({"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}, "float32 = (px - 127.5) / 127.5"),
        ({"mean": [0, 0, 0], "std": [0.5, 2, 2]}, "float32 = px / [0.5, 2, 2]"),
        ({"mean": [127.5]}, "float32 = px / 255"),
        ({"std": [127.5]}, "float32 = px / 255"),
        ({}, "float32 = px / 255"),
    ],
)
def test_metadata(metadata: dict[str, Any], text: str) -> None:
    """Mean and std of the model's maker count where both are there, also as fractions of white."""
    assert pixel_values(make_spec(SHAPE), 3, metadata, None).text == text


def test_what_the_user_wants_comes_before_the_metadata() -> None:
    """Also for uint8, which does not look at the metadata at all."""
    metadata = {"mean": [127.5], "std": [127.5]}
    spec = make_spec(SHAPE, "uint8", 1.0, 10)
    assert pixel_values(spec, 3, metadata, None).unchanged
    wanted = Normalisation.read(5.0, 1.0, 3)
    assert table(pixel_values(spec, 3, metadata, wanted))[0] == [
        min(255, px + 5) for px in range(256)
    ]


@pytest.mark.parametrize(
    "metadata",
    [
        {"mean": "x", "std": 1.0},
        {"mean": [1.0], "std": [0.0]},
        {"mean": [1.0], "std": [-2.0]},
        {"mean": [1.0, 2.0], "std": [2.0]},
        {"mean": [float("nan")], "std": [2.0]},
        {"mean": [], "std": [2.0]},
        {"mean": [[1.0], [2.0, 3.0]], "std": [2.0]},
        {"mean": {"a": 1}, "std": 2.0},
    ],
)
def test_damaged_metadata(metadata: dict[str, Any]) -> None:
    """What is no mean or std is the model's fault, with the way around it."""
    with pytest.raises(ModelError, match="the model's metadata: ") as error:
        pixel_values(make_spec(SHAPE), 3, metadata, None)
    assert error.value.cure == "set mean and std yourself"


@pytest.mark.parametrize(
    ("scale", "zero_point"),
    [
        (np.array([1.0, 2.0], np.float32), np.array([0, 0])),
        (0.0, 0),
        (-1.0, 0),
        (float("nan"), 0),
        (np.array([1.0, 0.0, 1.0], np.float32), np.array([0, 0, 0])),
    ],
)
def test_impossible_quantisation(scale: Any, zero_point: Any) -> None:
    """A scale that is not above 0, or not one for each channel, is refused with a cure."""
    spec = TensorSpec("x", SHAPE, np.dtype("int8"), scale, zero_point)
    with pytest.raises(ModelError, match="quantisation that does not fit") as error:
        pixel_values(spec, 3, {}, None)
    assert error.value.cure


@pytest.mark.parametrize(
    "tables",
    [
        PIXELS.astype(np.uint8)[None],
        SHIFTED.astype(np.int8)[None],
        (SHIFTED[::-1]).astype(np.int8)[None],
        np.stack([SHIFTED, SHIFTED[::-1], SHIFTED]).astype(np.int8),
        np.stack([PIXELS, PIXELS, PIXELS * 3]).astype(np.float32),
        (PIXELS * 100)[None].astype(np.int16),
    ],
)
def test_tables_are_applied(tables: Any) -> None:
    """Interleaved pixels and planes go through the table of their own channel."""
    pixels = np.random.default_rng(4).integers(0, 256, (9, 7, 3), np.uint8)
    rows = np.broadcast_to(tables, (3, 256))
    right = np.stack([rows[channel][pixels[..., channel]] for channel in range(3)], axis=-1)
    out = np.zeros(pixels.shape, tables.dtype)
    PixelValues("", tables).interleaved(pixels, out)
    assert np.array_equal(out, right)
    planes = np.zeros((3, 9, 7), tables.dtype)
    PixelValues("", tables).planes(np.ascontiguousarray(pixels.transpose(2, 0, 1)), planes)
    assert np.array_equal(planes, right.transpose(2, 0, 1))


def test_equal_tables_are_one() -> None:
    """Three times the same table is known for the plain pixels that it gives."""
    three = np.stack([PIXELS] * 3).astype(np.uint8)
    assert PixelValues("", three).unchanged
    assert len(PixelValues("", three).tables) == 1
    assert not PixelValues("", three.astype(np.int16)).unchanged
