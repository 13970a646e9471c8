"""What a model takes beside a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame
from edge_agent.preprocess.beside import ONLY, Beside, NumbersFraming, others
from edge_agent.preprocess.image import picture_place
from edge_agent.preprocess.signal.scaling import MinMaxOptions, ZScoreOptions
from tests.support.models import make_spec

PICTURE = make_spec((1, 8, 8, 3), "uint8", name="picture")
DISTANCE = make_spec((1, 2), "int8", 0.5, 10, name="distance")
HEAT = make_spec((1,), "float32", name="heat")


def _frame(seconds: float = 0.0, **readings: float) -> Frame:
    """A picture with readings of a part."""
    named = {f"radar.{name}": value for name, value in readings.items()}
    data = np.zeros((2, 2, 3), np.uint8)
    return Frame("gate", 0, data, 0.0, round(1e9 * seconds), seconds, readings=named)


def test_the_order_is_that_of_the_pipeline() -> None:
    """Channels go in as they are named, whatever order they were measured in."""
    framing = NumbersFraming({ONLY: ["radar.b", "radar.a"]}, {})
    (made,) = framing.cut(_frame(a=1.0, b=2.0, c=3.0))
    assert made.numbers is not None
    assert made.numbers[ONLY].tolist() == [2.0, 1.0]
    assert made.is_picture


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("z_score", ZScoreOptions([1.0, 10.0], [2.0, 5.0]), {"x": [1.0], "y": [4.0]}),
        ("min_max", MinMaxOptions(0.0, [6.0, 60.0]), {"x": [0.5], "y": [0.5]}),
    ],
)
def test_numbers_are_scaled(name: str, options: Any, expected: Mapping[str, Any]) -> None:
    """Over all inputs, in their order, as the channels of a signal are."""
    framing = NumbersFraming({"x": ["radar.a"], "y": ["radar.b"]}, {name: options})
    (made,) = framing.cut(_frame(b=30.0, a=3.0))
    assert made.numbers is not None
    assert {each: values.tolist() for each, values in made.numbers.items()} == expected
    assert framing.sizes == {"x": 1, "y": 1}


def test_options_for_other_channels_are_refused() -> None:
    """As many numbers as channels, told when it is built."""
    with pytest.raises(ValueError, match=r"features.z_score: .*2 numbers for 1 channels"):
        NumbersFraming({ONLY: ["radar.a"]}, {"z_score": ZScoreOptions([1.0, 2.0], 1.0)})


def test_pictures_without_numbers_are_counted() -> None:
    """They are dropped; once that goes on for ten seconds the reason is there, until it is over."""
    framing = NumbersFraming({ONLY: ["radar.a", "radar.b"]}, {})
    for seconds in range(12):
        assert list(framing.cut(_frame(seconds, a=np.nan, b=1.0))) == []
        assert framing.lack == ("no number from radar.a" if seconds >= 10 else "")
    assert framing.dropped == 12
    assert len(list(framing.cut(_frame(12.0, a=1.0, b=1.0)))) == 1
    assert framing.lack == ""
    assert list(framing.cut(_frame(13.0))) == []  # the part has not been heard
    assert framing.lack == ""


def test_channels_that_are_not_there() -> None:
    """A part that was heard and lacks the channel is a fault of the configuration."""
    framing = NumbersFraming({ONLY: ["radar.a"]}, {})
    with pytest.raises(SignalMismatch, match=r"no channel radar.a \(it has radar.b\)"):
        framing.cut(_frame(b=1.0))
    bare = Frame("door", 0, np.zeros((2, 2, 3), np.uint8), 0.0, 0, 0.0)
    with pytest.raises(SignalMismatch, match="source door gives pictures without numbers"):
        framing.cut(bare)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({ONLY: 2}, "several inputs for numbers"),
        ({"distance": 2}, "'heat' .* gets no numbers"),
        ({"distance": 3, "heat": 1}, "'distance' .* takes 2 numbers and gets 3"),
        ({"distance": 2, "heat": 1, "far": 1}, "no input 'far'"),
        ({}, "'distance' .* gets no numbers"),
    ],
)
def test_numbers_that_do_not_fit(sizes: dict[str, int], message: str) -> None:
    """Told alike by what checks the configuration and by what fills the tensors."""
    beside = Beside([DISTANCE, HEAT])
    numbers = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
    with pytest.raises(SignalMismatch, match=message) as error:
        beside.write(numbers, [np.zeros((1, 2), np.int8), np.zeros(1, np.float32)])
    assert beside.fault(sizes)[0] == error.value.message
    assert beside.fault({"distance": 2, "heat": 1}) == ("", "")
    assert "no input for numbers" in Beside([]).fault({ONLY: 1})[0]


def test_numbers_are_quantised() -> None:
    """With scale and zero point of their input; the ends of its range hold what is beyond."""
    beside, tensor = Beside([DISTANCE]), np.zeros((1, 2), np.int8)
    beside.write({ONLY: np.array([1.5, 1e9], np.float32)}, [tensor])
    assert tensor.tolist() == [[13, 127]]
    assert beside.zeros()["distance"].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_which_input_takes_the_picture(place: int) -> None:
    """The largest that can, wherever it stands."""
    small = make_spec((1, 1, 3), "float32", name="three numbers")
    specs = [small, HEAT]
    specs.insert(place, PICTURE)
    assert picture_place(specs) == place
    assert others(specs, place) == (small, HEAT)
    assert picture_place([HEAT, DISTANCE]) == 0
    assert picture_place([]) == 0
