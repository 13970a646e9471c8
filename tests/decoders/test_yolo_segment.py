"""Boxes with masks, of YOLO segment models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.yolo_segment import YoloSegmentDecoder, YoloSegmentOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from tests.decoders.segment_models import COUNT, filled, segment_model, slow_mask, waves
from tests.decoders.yolo_models import CLASSES, HEIGHT, WIDTH, Truth, assert_found, truths
from tests.support.models import make_info, make_spec

ONE = Truth(1, 0.9, (0.25, 0.125, 0.5, 0.875))
_NAMES = tuple("abc")
_COEFFICIENTS = np.random.default_rng(5).normal(0.0, 1.0, (4, COUNT)).astype(np.float32)


def decode(model: Any, mapping: BoxMapping | None = None, **options: Any) -> Any:
    """What a model on paper gives at the threshold 0.5."""
    info, outputs = model
    decoder = YoloSegmentDecoder(info, _NAMES, YoloSegmentOptions(**options))
    return decoder.decode(outputs, mapping or BoxMapping(), 0.5)


@settings(max_examples=25, deadline=None)
@given(truths(3), st.integers(0, 99), st.sampled_from(["v5", "v8", "end2end"]), st.booleans())
def test_masks_are_those_of_the_definition(
    objects: list[Truth], seed: int, layout: str, channels_first: bool
) -> None:
    """Boxes and masks, whatever the layout and the order of axes, as worked out pixel by pixel."""
    prototypes = waves(seed)
    model = segment_model(
        layout, objects, prototypes, _COEFFICIENTS, channels_first=channels_first,
        prototypes_first=bool(seed % 2),
    )  # fmt: skip
    found = decode(model, tolerance=0.0)
    assert_found(found, objects)
    best = sorted(range(len(objects)), key=lambda n: -objects[n].score)
    for number, detection in zip(best, found, strict=True):
        wanted = slow_mask(prototypes, _COEFFICIENTS[number], objects[number].box)
        assert np.count_nonzero(filled(detection.polygons) != wanted) <= 3


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("channels_first", [True, False])
def test_whole_numbers(dtype: str, channels_first: bool) -> None:
    """Quantised outputs give the same mask but for the pixels that the steps decide."""
    prototypes = waves(3)
    model = segment_model("v8", [ONE], prototypes, _COEFFICIENTS, dtype, channels_first)
    (found,) = decode(model)
    wanted = slow_mask(prototypes, _COEFFICIENTS[0], ONE.box)
    both, either = filled(found.polygons) & wanted, filled(found.polygons) | wanted
    assert both.sum() / either.sum() > 0.9
    assert found.label == "b"


def test_the_letterbox_is_taken_off() -> None:
    """Masks are shifted and stretched as the boxes are."""
    prototypes = waves(3)
    model = segment_model("v8", [ONE], prototypes, _COEFFICIENTS)
    mapping = BoxMapping.for_placement((WIDTH, HEIGHT), (0.0, 12.0, WIDTH, 72.0))
    (plain,), (mapped,) = decode(model, tolerance=0), decode(model, mapping, tolerance=0)
    lines = [np.array(line) for line in plain.polygons]
    for line, moved in zip(lines, mapped.polygons, strict=True):
        wanted = np.clip(line[:, 1] * 96 / 72 - 12 / 72, 0, 1)
        assert np.array(moved)[:, 1] == pytest.approx(wanted, abs=1e-5)
        assert np.array(moved)[:, 0] == pytest.approx(line[:, 0], abs=1e-6)


def test_of_two_boxes_the_better_ones_mask_stays() -> None:
    """Coefficients follow their box through NMS."""
    second = Truth(1, 0.8, (0.26, 0.125, 0.51, 0.875))
    prototypes = waves(4)
    (found,) = decode(segment_model("v8", [second, ONE], prototypes, _COEFFICIENTS), tolerance=0)
    wanted = slow_mask(prototypes, _COEFFICIENTS[1], ONE.box)
    assert np.count_nonzero(filled(found.polygons) != wanted) <= 3


def test_broken_masks() -> None:
    """An object whose coefficients are no numbers is told without a mask."""
    broken = np.full((1, COUNT), np.nan, np.float32)
    (found,) = decode(segment_model("v8", [ONE], waves(0), broken))
    assert (found.label, found.polygons) == ("b", ())


@pytest.mark.parametrize("layout", ["v5", "v8", "end2end"])
def test_recognised(layout: str) -> None:
    """By the outputs alone, and told in words; a channel more that may be an objectness is not."""
    info, _ = segment_model(layout, [ONE], waves(0), _COEFFICIENTS)
    decoder, why = choose_decoder(info, _NAMES)
    assert decoder.name == "yolo_segment"
    assert f"{COUNT} mask coefficients" in why
    assert f"layout {layout}" in why


def test_published_shapes() -> None:
    """The head of yolov8n-seg: 80 classes and 32 prototypes."""
    outputs = [make_spec((1, 160, 160, 32)), make_spec((1, 116, 8400))]
    info = make_info(outputs, inputs=[make_spec((1, 640, 640, 3))], metadata={"task": "segment"})
    decoder, why = choose_decoder(info, None)
    assert (decoder.name, "80 class scores of 8400 places" in why) == ("yolo_segment", True)


def test_unsure() -> None:
    """Where rows come first and nothing tells how many classes there are, the option is named."""
    outputs = [make_spec((1, 315, 5 + CLASSES + COUNT)), make_spec((1, 24, 40, COUNT))]
    info = make_info(outputs, inputs=[make_spec((1, HEIGHT, WIDTH, 3))])
    decoder, why = choose_decoder(info, None)
    assert (decoder.name, "give the labels" in why) == ("raw", True)
    with pytest.raises(ModelError, match="give the labels"):
        choose_decoder(info, None, "yolo_segment")
