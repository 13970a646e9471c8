"""Boxes with keypoints, of YOLO pose models."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.keypoints import COCO_17
from edge_agent.decoders.yolo_pose import YoloPoseDecoder, YoloPoseOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.result import Detection
from tests.decoders.yolo_models import HEIGHT, WIDTH, Truth, assert_found, pose_model, truths

BOX = (0.25, 0.125, 0.5, 0.875)
ONE = Truth(0, 0.9, BOX)


def people(objects: list[Truth]) -> list[Truth]:
    """The same objects, all of the only class."""
    return [dataclasses.replace(each, index=0) for each in objects]


def decode(model: Any, mapping: BoxMapping | None = None, **options: Any) -> Any:
    """What a model on paper gives at the threshold 0.5."""
    info, outputs = model
    decoder = YoloPoseDecoder(info, info.labels, YoloPoseOptions(**options))
    return decoder.decode(outputs, mapping or BoxMapping(), 0.5)


@given(truths())
def test_every_person_is_found(objects: list[Truth]) -> None:
    """With their boxes and scores, and each with its own keypoints."""
    found: tuple[Detection, ...] = decode(pose_model(people(objects)))
    assert_found(found, people(objects))
    for each in found:
        first, last = each.keypoints[0], each.keypoints[-1]
        assert (first.name, last.name) == (COCO_17[0], COCO_17[-1])
        ends = (first.x, first.y, last.x, last.y)
        assert ends == pytest.approx(each.box, abs=1e-5)
        assert (first.score, last.score) == (0.0, 1.0)


def test_one_person_once() -> None:
    """Of two boxes that cover each other the better one stays, with the keypoints that are its."""
    second = Truth(0, 0.8, (0.26, 0.125, 0.51, 0.875))
    (found,) = decode(pose_model([second, ONE]))
    assert found.score == pytest.approx(0.9)
    assert found.keypoints[0].x == pytest.approx(0.25)
    assert len(decode(pose_model([second, ONE]), iou=0.99)) == 2


def test_the_letterbox_is_taken_off() -> None:
    """From boxes and keypoints alike."""
    mapping = BoxMapping.for_placement((WIDTH, HEIGHT), (0.0, 12.0, WIDTH, 72.0))
    (found,) = decode(pose_model([ONE]), mapping)
    assert found.box == pytest.approx((0.25, 0.0, 0.5, 1.0), abs=1e-5)
    assert found.keypoints[-1].y == pytest.approx(1.0, abs=1e-5)


def test_pixels() -> None:
    """Exports that give pixels of the input are read with the option."""
    info, (values,) = pose_model([ONE])
    values[0, 0::2][:2] *= WIDTH
    values[0, 1::2][:2] *= HEIGHT
    values[0, 5::3] *= WIDTH
    values[0, 6::3] *= HEIGHT
    (found,) = decode((info, [values]), units="pixel")
    assert found.box == pytest.approx(BOX, abs=1e-5)
    assert (found.keypoints[-1].x, found.keypoints[-1].y) == pytest.approx((0.5, 0.875))


@pytest.mark.parametrize(("numbers", "score"), [(3, 0.0), (2, 1.0)])
def test_other_bodies(numbers: int, score: float) -> None:
    """Their keypoints are numbered; those without a score of their own are sure."""
    (found,) = decode(pose_model([ONE], 4, numbers, labels=("hand",)))
    assert (found.label, [point.name for point in found.keypoints]) == (
        "hand",
        ["keypoint 0", "keypoint 1", "keypoint 2", "keypoint 3"],
    )
    assert found.keypoints[0].score == score


def test_channels_last() -> None:
    """The other order of the same numbers."""
    info, (values,) = pose_model([ONE])
    swapped = np.ascontiguousarray(values.transpose(0, 2, 1))
    spec = dataclasses.replace(info.outputs[0], shape=swapped.shape)
    assert_found(decode((dataclasses.replace(info, outputs=(spec,)), [swapped])), [ONE])


def test_is_chosen_by_the_notes_or_one_label() -> None:
    """56 channels alone may be 52 classes."""
    info, _ = pose_model([ONE])
    assert choose_decoder(info, None)[0].name == "yolo_pose"
    bare = dataclasses.replace(info, metadata={})
    assert choose_decoder(bare, ("person",))[0].name == "yolo_pose"
    assert YoloPoseDecoder.match(bare) is None
    with pytest.raises(ModelError, match="2 labels do not fit a model with 1 classes"):
        choose_decoder(info, ("a", "b"))
