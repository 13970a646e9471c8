"""Areas and outlines of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.decoders.base import Unsure
from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.outlines import outlines
from edge_agent.decoders.segmentation import SegmentationDecoder, SegmentationOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.result import ClassArea
from tests.support.models import make_info, make_spec

LABELS = ("background", "road", "car")
# A road in the lower half, a car of 2 x 4 places on it.
SCENE = np.zeros((8, 16), np.int64)
SCENE[4:] = 1
SCENE[5:7, 4:8] = 2


def a_model(shape: Sequence[int], dtype: str = "int64", **quantised: Any) -> ModelInfo:
    """A model with a picture of 16 x 8 and that output."""
    return make_info([make_spec(shape, dtype, **quantised)], inputs=[make_spec((1, 8, 16, 3))])


def decode(
    info: ModelInfo,
    values: NDArray[Any],
    labels: tuple[str, ...] | None = LABELS,
    mapping: BoxMapping | None = None,
    **options: Any,
) -> dict[str, ClassArea]:
    """The areas by their label, at the threshold 0.5."""
    decoder = SegmentationDecoder(info, labels, SegmentationOptions(**options))
    found = decoder.decode([values], mapping or BoxMapping(), 0.5)
    return {each.label: each for each in found}


def one_hot(axis: int) -> NDArray[np.float32]:
    """Scores of three classes of which the scene's is the best."""
    scores = np.stack([index == SCENE for index in range(3)], axis=axis)
    return scores[None].astype(np.float32)


@pytest.mark.parametrize(
    ("info", "values"),
    [
        (a_model((1, 8, 16)), SCENE[None]),
        (a_model((1, 8, 16, 1), "uint8"), SCENE[None, ..., None].astype(np.uint8)),
        (a_model((1, 8, 16, 3), "float32"), one_hot(2)),
        (a_model((1, 3, 8, 16), "float32"), one_hot(0)),
        (
            a_model((1, 8, 16, 3), "int8", scale=0.5, zero_point=-2),
            (one_hot(2) * 40 - 20).astype(np.int8),
        ),
    ],
)
def test_every_form_of_output(info: ModelInfo, values: NDArray[Any]) -> None:
    """The same areas from class numbers and from scores; the background is nobody."""
    found = decode(info, values)
    assert {label: each.area for label, each in found.items()} == {
        "road": pytest.approx(56 / 128),
        "car": pytest.approx(8 / 128),
    }
    assert found["car"].index == 2
    (line,) = found["car"].polygons
    x, y = zip(*line, strict=True)
    edges = (min(x) * 16, min(y) * 8, max(x) * 16, max(y) * 8)
    assert edges == pytest.approx((4, 5, 8, 7), abs=0.26)
    assert len(found["road"].polygons) == 2  # with the hole that the car is


def test_a_single_score() -> None:
    """It must reach the threshold; with two labels the second is what it stands for."""
    info = a_model((1, 8, 16, 1), "float32")
    values = np.where(SCENE == 2, 0.6, 0.4).astype(np.float32)[None, ..., None]
    assert decode(info, values, ("background", "car"))["car"].area == 8 / 128
    assert decode(info, values, ("car",))["car"].area == 8 / 128
    assert decode(info, values, None)["class 0"].area == 8 / 128


def test_without_labels_nothing_is_left_out() -> None:
    """Nobody says that class 0 is the background; the largest comes first."""
    found = decode(a_model((1, 8, 16)), SCENE[None], None)
    assert list(found) == ["class 0", "class 1", "class 2"]


def test_small_areas_are_not_told() -> None:
    """Those below `min_area` of the frame."""
    assert list(decode(a_model((1, 8, 16)), SCENE[None], min_area=0.07)) == ["road"]


def test_the_letterbox_is_taken_off() -> None:
    """Its borders are no part of the frame: neither of the area nor inside the outlines."""
    mapping = BoxMapping.for_placement((16, 8), (0.0, 4.0, 16.0, 4.0))
    found = decode(a_model((1, 8, 16)), SCENE[None], mapping=mapping)
    assert {label: each.area for label, each in found.items()} == {
        "road": pytest.approx(56 / 64),
        "car": pytest.approx(8 / 64),
    }
    (line,) = found["car"].polygons
    assert (min(y for _, y in line), max(y for _, y in line)) == pytest.approx(
        (0.25, 0.75), abs=0.07
    )


def test_a_crop_is_a_part_of_the_frame() -> None:
    """What the model does not see counts for nothing."""
    mapping = BoxMapping(0.5, 1.0, 0.25, 0.0)
    assert decode(a_model((1, 8, 16)), SCENE[None], mapping=mapping)["car"].area == 4 / 128


def test_numbers_that_are_no_class() -> None:
    """Places with the number 255, which data sets use for "ignore", or below 0 are left out."""
    scene = np.where(SCENE == 2, -1, SCENE)
    assert list(decode(a_model((1, 8, 16)), scene[None])) == ["road"]


@given(st.lists(st.booleans(), min_size=48, max_size=48))
def test_outlines_filled_are_the_mask(pixels: list[bool]) -> None:
    """Whatever its form, with holes and diagonals, by the even-odd rule at twice the size."""
    mask = np.array(pixels).reshape(6, 8)
    painted = np.zeros((12, 16), np.uint8)
    lines = [np.floor(line * 2).astype(np.int32) for line in outlines(mask, 0.0)]
    if lines:
        cv2.fillPoly(painted, lines, 1)
    assert (painted == mask.repeat(2, 0).repeat(2, 1)).all()


def test_is_chosen_by_whole_numbers_or_labels() -> None:
    """One class for each place, or a score of each label for each."""
    assert choose_decoder(a_model((1, 8, 16)), None)[0].name == "segmentation"
    scores = a_model((1, 4, 8, 3), "float32")
    decoder, why = choose_decoder(scores, LABELS)
    assert (decoder.name, "a score of each label for each of 8x4 places" in why) == (
        "segmentation",
        True,
    )
    assert getattr(decoder, "labels", None) == ("road", "car")


@pytest.mark.parametrize("channels", [1, 3])
def test_it_may_be_a_picture(channels: int) -> None:
    """Numbers for each pixel without labels: the doubt is told, with the way out."""
    with pytest.raises(Unsure, match="give the labels, or set task: segmentation"):
        SegmentationDecoder.match(a_model((1, 8, 16, channels), "float32"))


@pytest.mark.parametrize("shape", [(1, 8, 9), (1, 16, 32), (1, 1, 1, 3), (1, 8), (1, 16, 8, 3)])
def test_other_shapes_are_others(shape: tuple[int, ...]) -> None:
    """Not of the picture's form, larger than it, or a single place."""
    assert SegmentationDecoder.match(a_model(shape)) is None


def test_labels_of_another_model() -> None:
    """Their number must be that of the scores."""
    with pytest.raises(ModelError, match="2 labels do not fit a model with 3 classes"):
        decode(a_model((1, 8, 16, 3), "float32"), one_hot(2), ("a", "b"))
