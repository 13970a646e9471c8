"""Detections from the grids of YOLO models."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.yolo_anchors import YoloAnchorsDecoder, YoloAnchorsOptions
from edge_agent.decoders.yolo_grids import PRESETS
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from tests.decoders.head_models import FORMS, PICTURE, anchors_model
from tests.decoders.yolo_models import Truth, assert_found, truths
from tests.support.models import make_info, make_spec

_CAT = Truth(1, 0.9, (0.25, 0.25, 0.5, 0.75))


@pytest.mark.parametrize("preset", PRESETS)
@given(objects=truths(3))
@settings(max_examples=25, deadline=None)
def test_finds_what_was_encoded(preset: str, objects: list[Truth]) -> None:
    """The objects come out of the grids of every family as they were put in."""
    info, outputs = anchors_model(preset, objects)
    options = YoloAnchorsOptions(preset=preset)  # type: ignore[arg-type]
    labels = ("a", "b", "c")
    found = YoloAnchorsDecoder(info, labels, options).decode(outputs, BoxMapping(), 0.3)
    assert_found(found, objects, box=1e-4, score=1e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_order_of_outputs_and_axes(form: str, order: tuple[int, ...]) -> None:
    """Grids are known by their size, in whatever order they and their axes are."""
    objects = [_CAT, Truth(0, 0.7, (0.6, 0.1, 0.9, 0.3))]
    info, outputs = anchors_model("yolov3", objects, form, order)
    decoder = YoloAnchorsDecoder(info, None, YoloAnchorsOptions(preset="yolov3"))
    found = decoder.decode(outputs, BoxMapping(), 0.3)
    assert_found(found, objects, box=1e-4, score=1e-3)


def test_anchors_that_are_given() -> None:
    """Anchors of one's own take the place of the family's, in its formula."""
    info, outputs = anchors_model("yolov3", [_CAT])
    doubled = [[(2.0 * w, 2.0 * h) for w, h in grid] for grid in PRESETS["yolov3"].anchors]
    decoder = YoloAnchorsDecoder(info, None, YoloAnchorsOptions(anchors=doubled))
    (found,) = decoder.decode(outputs, BoxMapping(), 0.3)
    assert found.box == pytest.approx((0.125, 0.0, 0.625, 1.0), abs=1e-4)
    wrongs: list[Any] = [[], [[]], doubled[:2], [*doubled[:2], doubled[2][:1]]]
    for wrong in wrongs:
        with pytest.raises(ModelError):
            YoloAnchorsDecoder(info, None, YoloAnchorsOptions(anchors=wrong))


def test_same_object_on_two_grids() -> None:
    """Grids share one NMS: what two of them see is told once."""
    info, outputs = anchors_model("yolov3", [_CAT, Truth(1, 0.8, (0.26, 0.25, 0.51, 0.75))])
    decoder = YoloAnchorsDecoder(info, None, YoloAnchorsOptions(preset="yolov3"))
    assert [d.score for d in decoder.decode(outputs, BoxMapping(), 0.3)] == pytest.approx(
        [0.9], abs=1e-3
    )


def test_huge_and_broken_numbers_go() -> None:
    """A size beyond all numbers, and what is none, take out their box only."""
    for bad in (1e9, float("nan"), float("inf")):
        info, outputs = anchors_model("yolov3", [_CAT, Truth(2, 0.8, (0.6, 0.1, 0.9, 0.3))])
        outputs[0][outputs[0] > 11] = 11.0
        cell = np.argwhere(outputs[0].reshape(1, 12, 20, 3, 8)[..., 4] > 0)[0]
        outputs[0].reshape(1, 12, 20, 3, 8)[tuple(cell)][2] = bad
        decoder = YoloAnchorsDecoder(info, None, YoloAnchorsOptions(preset="yolov3"))
        assert [d.index for d in decoder.decode(outputs, BoxMapping(), 0.3)] == [2]


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_ends_of_the_threshold(threshold: float) -> None:
    """At 0 every cell is asked, at 1 none reaches it; quantised numbers do not overflow."""
    info, outputs = anchors_model("yolov3", [_CAT])
    specs = [make_spec(o.shape, "int8", 0.1, 0) for o in outputs]
    whole = [np.clip(np.rint(o / 0.1), -128, 127).astype(np.int8) for o in outputs]
    info = make_info(specs, inputs=[PICTURE])
    decoder = YoloAnchorsDecoder(info, None, YoloAnchorsOptions(preset="yolov3"))
    found = decoder.decode(whole, BoxMapping(), threshold)
    assert len(found) == 0 if threshold else len(found) > 100


def test_unknown_anchors_are_asked_for() -> None:
    """Grids with the classes of the labels are likely, but their anchors must be named."""
    info, _ = anchors_model("yolov3", [])
    decoder, why = choose_decoder(info, ("a", "b", "c"))
    assert decoder.name == "raw"
    assert "set task: {name: yolo_anchors, preset: yolov3 or yolov4 or yolov5 or yolov7}" in why
    with pytest.raises(ModelError, match="anchors of the model are not known"):
        choose_decoder(info, None, "yolo_anchors")
    with pytest.raises(ModelError, match="needs 2 outputs"):
        choose_decoder(info, None, "yolo_anchors", {"preset": "yolov3-tiny"})


def test_known_by_its_shapes() -> None:
    """NXP's face detector is known with its anchors, label and letterbox."""
    outputs = [make_spec((1, 4, 5, 18)), make_spec((1, 8, 10, 18)), make_spec((1, 16, 20, 18))]
    info = make_info(outputs, inputs=[make_spec((1, 128, 160, 3))])
    decoder, why = choose_decoder(info, None)
    assert why.endswith("NXP's eIQ Model Zoo: yolo_anchors")
    assert isinstance(decoder, YoloAnchorsDecoder)
    assert decoder.pictures == {"pad": 128}
