"""Decoders on real models and pictures, against results measured elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.decoders.choose import choose_decoder
from edge_agent.geometry import Box, BoxMapping, iou
from edge_agent.result import ClassScore, Detection, Result
from tests.support.data import data_file
from tests.support.models import LoadedModel, load_model

pytestmark = pytest.mark.data

_COCO = "coco_ssd_mobilenet_v1_1.0_quant.tflite"
_MOBILENET = "coral_mobilenet_v2_1.0_224_quant.tflite"
_BIRDS = "coral_mobilenet_v2_1.0_224_inat_bird_quant.tflite"
_COCO_PICTURES = (
    "cats_and_dogs.jpg",
    "coco_000000373353.jpg",
    "coco_000000038829.jpg",
    "coco_000000574315.jpg",
)
# Runtimes differ by one step of the quantised numbers before the last operator: 0.06 in a logit,
# which is 0.015 in a score, and 2 % of its side in a large box.
_LOGIT_STEP = 0.02


@cache
def _model(name: str) -> LoadedModel:
    return load_model(data_file(f"models/{name}"))


@cache
def _picture(name: str) -> Any:
    return cv2.imread(str(data_file(f"images/{name}")))


def _results(model: str, picture: str, threshold: float) -> Sequence[Result]:
    """What the decoder of the model says of the picture, stretched to its input in RGB."""
    loaded = _model(model)
    decoder, _ = choose_decoder(loaded.info, loaded.info.labels)
    _, height, width, _ = loaded.info.inputs[0].shape
    image = cv2.cvtColor(_picture(picture), cv2.COLOR_BGR2RGB)
    stretched = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
    values = stretched.astype(np.int16)
    if loaded.info.inputs[0].dtype == np.int8:
        values -= 128
    loaded.input()[0] = values
    return decoder.decode(loaded.run(), BoxMapping(), threshold)


def _golden(task: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data_file("GOLDENS.json").read_text())[task]
    return found


def _clipped(box: Sequence[float], picture: str) -> Box:
    """A measured box in pixels as fractions, clipped to the picture as ours are."""
    height, width = _picture(picture).shape[:2]
    x1, y1, x2, y2 = (
        min(max(side / size, 0.0), 1.0)
        for side, size in zip(box, (width, height, width, height), strict=True)
    )
    return x1, y1, x2, y2


@pytest.mark.parametrize("picture", _COCO_PICTURES)
def test_coco_ssd(picture: str) -> None:
    """Labels, scores and places are those that were measured, each found once."""
    found = [d for d in _results(_COCO, picture, 0.4) if isinstance(d, Detection)]
    golden = _golden("detection")["coco_ssd"][picture]
    assert sorted(d.label for d in found) == sorted(label for label, _, _ in golden)
    for label, score, box in golden:
        same = [d for d in found if d.label == label]
        nearest = max(same, key=lambda d: iou(d.box, _clipped(box, picture)))
        found.remove(nearest)
        assert iou(nearest.box, _clipped(box, picture)) > 0.88
        assert nearest.score == pytest.approx(score, abs=_LOGIT_STEP)


@pytest.mark.parametrize(
    ("model", "picture"),
    [
        (_MOBILENET, "coral_cat.bmp"),
        (_MOBILENET, "coral_hot_dog.jpg"),
        (_BIRDS, "coral_bird.bmp"),
        (_BIRDS, "coral_owl.jpg"),
        (_BIRDS, "coral_parrot.jpg"),
    ],
)
def test_mobilenet(model: str, picture: str) -> None:
    """The best class is the one that was measured, with about its score (resized otherwise)."""
    best = _results(model, picture, 0.1)[0]
    assert isinstance(best, ClassScore)
    label, score = _golden("classification")[model][picture][0]
    assert best.label == label
    assert best.score == pytest.approx(score, abs=0.15)


@pytest.mark.parametrize("picture", ["burger.jpg", "coco_000000038829.jpg", "coral_squat.bmp"])
def test_visual_wake_words(picture: str) -> None:
    """The two classes share 1, and the second is the measured chance of a person."""
    found = _results("mlperf_vww_96_int8.tflite", picture, 0.0)
    scores = {s.index: s.score for s in found if isinstance(s, ClassScore)}
    assert scores[0] + scores[1] == pytest.approx(1.0, abs=1 / 256)
    assert scores[1] == pytest.approx(_golden("mlperf_vww")[picture], abs=2 / 256)


def test_tail_of_coco_ssd() -> None:
    """The operator alone gives as many detections as it counts, with its classes and scores."""
    loaded = _model("coral_ssd_coco_head_layers_postprocess_only.tflite")
    noise = np.random.default_rng(1)
    for index, spec in enumerate(loaded.info.inputs):
        loaded.input(index)[:] = noise.integers(0, 256, spec.shape, np.uint8)
    decoder, _ = choose_decoder(loaded.info, None)
    boxes, classes, scores, count = loaded.run()
    found = decoder.decode((boxes, classes, scores, count), BoxMapping(), 0.0)
    assert decoder.name == "ssd"
    assert len(found) == count[0] == 20
    order = np.argsort(-scores[0], kind="stable")
    read = [(d.index, d.score) for d in found if isinstance(d, Detection)]
    assert read == list(zip(classes[0][order], scores[0][order], strict=True))
