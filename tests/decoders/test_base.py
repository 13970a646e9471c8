"""What all decoders share: thresholds in a tensor's own numbers, and what is known of pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.base import Reader, input_size, known_labels, picture_notes
from edge_agent.decoders.classification import ClassificationDecoder, ClassificationOptions
from edge_agent.decoders.yolox import YoloxDecoder, YoloxOptions
from edge_agent.model import dequantize
from tests.decoders.head_models import yolox_model
from tests.support.models import make_info, make_spec


@given(
    dtype=st.sampled_from(["int8", "uint8", "int16"]),
    scale=st.floats(1e-4, 4.0),
    zero=st.integers(-128, 255),
    real=st.floats(-500.0, 500.0, width=32),
)
@settings(max_examples=200, deadline=None)
def test_least_native_number(dtype: str, scale: float, zero: int, real: float) -> None:
    """Exactly the numbers from the least on mean at least the real one."""
    limits = np.iinfo(dtype)
    zero = max(limits.min, min(zero, limits.max))
    spec = make_spec((1,), dtype, scale, zero)
    values = np.arange(limits.min, limits.max + 1).astype(dtype)
    least = Reader(spec).least(real)
    assert ((values >= least) == (dequantize(values, spec) >= np.float32(real))).all()


@pytest.mark.parametrize("real", [float("-inf"), float("inf")])
def test_least_of_infinity(real: float) -> None:
    """All numbers are above minus infinity, none reaches infinity."""
    values = np.arange(-128, 128).astype(np.int8)
    reached = values >= Reader(make_spec((1,), "int8", 0.1, 3)).least(real)
    assert reached.all() if real < 0 else not reached.any()


def test_reader_of_real_numbers_and_channels() -> None:
    """Real numbers are themselves; with a scale for each channel they are made real at once."""
    values = np.array([[1, 2], [3, 4]], np.int8)
    real = values.astype(np.float32)
    floats = Reader(make_spec((2, 2)))
    assert np.shares_memory(floats.native(real), real)
    assert (floats.least(0.3), floats.real(real).tolist()) == (0.3, real.tolist())
    scale, zero = np.array([1.0, 2.0], np.float32), np.array([0, 0])
    by_channel = Reader(make_spec((2, 2), "int8", scale, zero))  # type: ignore[arg-type]
    assert by_channel.native(values).tolist() == [[1.0, 4.0], [3.0, 8.0]]


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((1, 48, 64, 3), (64, 48)),
        ((1, 3, 48, 64), (64, 48)),
        ((1, 48, 64, 1), (64, 48)),
        ((1, -1, -1, 3), None),
        ((1, 100), None),
    ],
)
def test_input_size(shape: tuple[int, ...], size: tuple[int, int] | None) -> None:
    """Width and height wherever the channels are; None for what has none."""
    assert input_size(make_info([], inputs=[make_spec(shape)])) == size


def test_known_labels() -> None:
    """A decoder's own labels are those that it reports; one without any takes the given ones."""
    info, _ = yolox_model([])
    labels = ("background", "a", "b", "c")
    assert known_labels(YoloxDecoder(info, labels, YoloxOptions()), labels) == ("a", "b", "c")
    vector = make_info([make_spec((1, 4))])
    decoder = ClassificationDecoder(vector, labels, ClassificationOptions())
    assert known_labels(decoder, labels) == labels


@pytest.mark.parametrize(
    ("dtype", "metadata", "expected"),
    [
        ("float32", {}, {"pad": 114, "color": "bgr", "mean": 0.0, "std": 1.0}),
        ("int8", {}, {"pad": 114, "color": "bgr"}),
        ("float32", {"std": [2.0]}, {"pad": 114, "color": "bgr", "std": [2.0]}),
        ("float32", {"color": "rgb"}, {"pad": 114, "color": "rgb", "mean": 0.0, "std": 1.0}),
    ],
)
def test_picture_notes(dtype: str, metadata: Any, expected: Any) -> None:
    """The file has the first word; a quantised input needs no mean."""
    info, _ = yolox_model([])
    picture = make_spec(info.inputs[0].shape, dtype)
    info = make_info(info.outputs, inputs=[picture], metadata=metadata)
    decoder = YoloxDecoder(info, None, YoloxOptions())
    assert picture_notes(decoder, info) == expected
