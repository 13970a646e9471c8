"""Detections of YOLOX, NanoDet-Plus and FastestDet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.base import picture_notes
from edge_agent.decoders.choose import choose_decoder
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from tests.decoders.head_models import PICTURE, fastestdet_model, nanodet_model, yolox_model
from tests.decoders.yolo_models import Truth, assert_found, truths
from tests.support.models import make_info, make_spec

_LABELS = ("a", "b", "c")
_MODELS = {"yolox": yolox_model, "nanodet": nanodet_model, "fastestdet": fastestdet_model}
# In cells of their own in every grid.
_NEAR = [Truth(1, 0.9, (0.25, 0.2, 0.5, 0.78)), Truth(1, 0.8, (0.25, 0.26, 0.5, 0.84))]


def _decode(model: tuple[Any, list[Any]], name: str, **options: Any) -> Any:
    """Detections of a model whose decoder is chosen by itself."""
    info, outputs = model
    decoder, _ = choose_decoder(info, _LABELS, None if not options else name, options)
    assert decoder.name == name
    return decoder.decode(outputs, BoxMapping(), 0.3)


@pytest.mark.parametrize("name", _MODELS)
@given(objects=truths())
@settings(max_examples=40, deadline=None)
def test_finds_what_was_encoded(name: str, objects: list[Truth]) -> None:
    """The objects come out as they were put in, and the decoder is found by itself."""
    assert_found(_decode(_MODELS[name](objects), name), objects, box=1e-4, score=1e-4)


@given(objects=truths())
@settings(max_examples=20, deadline=None)
def test_yolox_decoded_inside(objects: list[Truth]) -> None:
    """A model that decodes its boxes is known by the operator EXP, or as it is told."""
    model = yolox_model(objects, decoded=True)
    assert_found(_decode(model, "yolox"), objects)
    assert_found(_decode(model, "yolox", boxes="pixels"), objects)
    assert_found(_decode(yolox_model(objects), "yolox", boxes="offsets"), objects, box=1e-4)


@given(objects=truths())
@settings(max_examples=20, deadline=None)
def test_fastestdet_with_channels_first(objects: list[Truth]) -> None:
    """The order of the axes is known by the grid."""
    model = fastestdet_model(objects, channels_first=True)
    assert_found(_decode(model, "fastestdet"), objects, box=1e-4, score=1e-4)


@pytest.mark.parametrize("name", _MODELS)
def test_overlaps_are_thinned(name: str) -> None:
    """Of one object found twice the better stays, unless more overlap is allowed."""
    model = _MODELS[name](_NEAR)
    assert [d.score for d in _decode(model, name)] == pytest.approx([0.9], abs=1e-4)
    assert len(_decode(model, name, iou=1.0)) == 2


@pytest.mark.parametrize("name", _MODELS)
@given(step=st.sampled_from([0.05, 0.1]))
@settings(max_examples=2, deadline=None)
def test_quantised(name: str, step: float) -> None:
    """Quantised outputs are read as the real numbers that they mean."""
    info, outputs = _MODELS[name](_NEAR[:1])
    (values,) = outputs
    whole = np.clip(np.rint(values / step), -128, 127).astype(np.int8)
    spec = make_spec(values.shape, "int8", step, 0)
    rounded = make_info([spec], None, info.operators, inputs=[PICTURE])
    decoder, _ = choose_decoder(info, _LABELS)
    expected = decoder.decode([whole * np.float32(step)], BoxMapping(), 0.3)
    found = _decode((rounded, [whole]), name)
    assert len(found) == 1
    assert found[0].index == expected[0].index  # type: ignore[union-attr]
    assert found[0].box == pytest.approx(expected[0].box, abs=1e-4)  # type: ignore[union-attr]
    assert found[0].score == pytest.approx(expected[0].score, abs=1e-4)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", _MODELS)
def test_model_of_another_shape(name: str) -> None:
    """A decoder that is named refuses a model without its grid, with the cure."""
    other = make_info([make_spec((1, 77, 9))], inputs=[PICTURE])
    with pytest.raises(ModelError, match=f"the {name} decoder needs one output") as caught:
        choose_decoder(other, None, name)
    assert "task: raw" in caught.value.cure


def test_labels_tell_yolox_from_yolov8() -> None:
    """With four channels more than labels it is YOLOv8, with five YOLOX."""
    info, _ = yolox_model([])
    assert choose_decoder(info, _LABELS)[0].name == "yolox"
    assert choose_decoder(info, (*_LABELS, "d"))[0].name == "yolo"
    assert choose_decoder(info, None)[0].name == "raw"


def test_fastestdet_by_its_shape_alone() -> None:
    """Without the operators that it ends in, a grid with the classes of the labels is a guess."""
    info, _ = fastestdet_model([])
    info = make_info(info.outputs, inputs=[PICTURE])
    decoder, why = choose_decoder(info, _LABELS)
    assert decoder.name == "raw"
    assert why.endswith("set task: fastestdet: raw")
    assert choose_decoder(info, None)[1].endswith("fits the outputs: raw")


def test_nxp_person_detector() -> None:
    """The one FastestDet that takes a letterbox is known by its shapes, with its label."""
    info = make_info(
        [make_spec((1, 14, 14, 6))],
        None,
        ("LOGISTIC", "SOFTMAX", "CONCATENATION"),
        inputs=[make_spec((1, 220, 220, 3))],
    )
    decoder, _ = choose_decoder(info, None)
    assert picture_notes(decoder, info) == {"pad": 150}
    values = np.zeros((1, 14, 14, 6), np.float32)
    values[0, 7, 7] = 0.9, 0, 0, 0, 0, 1
    (found,) = decoder.decode([values], BoxMapping(), 0.5)
    assert found.label == "person"  # type: ignore[union-attr]
