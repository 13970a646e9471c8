"""Detections of YOLO models with decoded boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.coco import COCO_80
from edge_agent.decoders.yolo import YoloDecoder, YoloOptions
from edge_agent.decoders.yolo_layout import grid_cells
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.preprocess.placement import place
from tests.decoders.yolo_models import (
    CLASSES,
    HEIGHT,
    WIDTH,
    Truth,
    assert_found,
    truths,
    yolo_model,
)
from tests.support.models import make_info, make_spec

_LABELS = ("a", "b", "c")
_CAT = Truth(1, 0.9, (0.25, 0.25, 0.5, 0.75))
_LAYOUTS = ("v5", "v8", "end2end")
_PICTURE = make_spec((1, 640, 640, 3))


def _decode(
    objects: list[Truth], layout: str = "v8", threshold: float = 0.3, **more: Any
) -> tuple[Any, ...]:
    """Detections of a model whose decoder is chosen by itself."""
    info, outputs = yolo_model(layout, objects, **more)
    decoder, _ = choose_decoder(info, _LABELS)
    assert decoder.name == "yolo"
    return decoder.decode(outputs, BoxMapping(), threshold)


@pytest.mark.parametrize("layout", _LAYOUTS)
@given(objects=truths(), first=st.booleans(), pixels=st.booleans())
@settings(max_examples=40, deadline=None)
def test_finds_what_was_encoded(
    layout: str, objects: list[Truth], first: bool, pixels: bool
) -> None:
    """Whatever the layout, the order of the axes and the unit, the objects come out again."""
    found = _decode(objects, layout, channels_first=first, pixels=pixels)
    assert_found(found, objects)
    assert [d.label for d in found] == [_LABELS[d.index] for d in found]


@pytest.mark.parametrize("layout", ["v5", "v8"])
@given(objects=truths(), first=st.booleans())
@settings(max_examples=40, deadline=None)
def test_quantised(layout: str, objects: list[Truth], first: bool) -> None:
    """Quantised outputs give the same within the step of their numbers."""
    step = 1 / 200
    found = _decode(objects, layout, channels_first=first, scale=step)
    assert_found(found, objects, box=step, score=2 * step)


@given(threshold=st.floats(0.125, 1.0, width=32))
@settings(max_examples=60, deadline=None)
def test_threshold_is_that_of_the_real_numbers(threshold: float) -> None:
    """A quantised score is reported where its real number reaches the threshold, not else."""
    objects = [Truth(0, 0.5 + i / 200, (i / 50, 0.1, (i + 0.9) / 50, 0.4)) for i in range(0, 50, 3)]
    info, outputs = yolo_model("v8", objects, scale=1 / 200)
    decoder = YoloDecoder(info, _LABELS, YoloOptions(iou=1.0))
    found = decoder.decode(outputs, BoxMapping(), threshold)
    real = (outputs[0][0, 4:].max(axis=0).astype(np.float32) + 100) * np.float32(1 / 200)
    reached = np.sort(real[real >= threshold])[::-1]
    # A box without area on the coarse steps is left out whatever its score.
    width = outputs[0][0, 2:4].min(axis=0) > -100
    assert len(found) == int((width & (real >= threshold)).sum())
    assert {d.score for d in found} <= set(np.minimum(reached, 1).tolist())


@given(width=st.integers(16, 2000), height=st.integers(16, 2000), objects=truths(2))
@settings(max_examples=60, deadline=None)
def test_letterbox_is_undone(width: int, height: int, objects: list[Truth]) -> None:
    """A box in a letterboxed frame is a box of the frame, within a rounded pixel."""
    mapping = place("letterbox", (width, height), (WIDTH, HEIGHT)).mapping
    back = [
        Truth(
            each.index,
            each.score,
            tuple(  # type: ignore[arg-type]
                (side - offset) / scale
                for side, scale, offset in zip(
                    each.box,
                    (mapping.scale_x, mapping.scale_y) * 2,
                    (mapping.offset_x, mapping.offset_y) * 2,
                    strict=True,
                )
            ),
        )
        for each in objects
    ]
    info, outputs = yolo_model("v8", back, pixels=True)
    found = YoloDecoder(info, _LABELS, YoloOptions()).decode(outputs, mapping, 0.3)
    assert_found(found, objects, box=1e-3)


def test_overlaps_are_thinned_by_class() -> None:
    """Of one object found twice the better stays; another class stays unless all are one."""
    near = (0.26, 0.25, 0.51, 0.75)
    objects = [_CAT, Truth(1, 0.8, near), Truth(2, 0.7, near)]
    assert [d.score for d in _decode(objects)] == pytest.approx([0.9, 0.7])
    info, outputs = yolo_model("v8", objects)
    for options, scores in (
        (YoloOptions(agnostic=True), [0.9]),
        (YoloOptions(iou=1.0), [0.9, 0.8, 0.7]),
        (YoloOptions(max=1), [0.9]),
        (YoloOptions(soft=0.5), [0.9, 0.7]),
    ):
        found = YoloDecoder(info, None, options).decode(outputs, BoxMapping(), 0.3)
        assert [d.score for d in found] == pytest.approx(scores)


def test_end_to_end_is_not_thinned() -> None:
    """What a model without NMS reports twice, it means twice."""
    assert len(_decode([_CAT, Truth(1, 0.8, _CAT.box)], "end2end")) == 2


@pytest.mark.parametrize("layout", _LAYOUTS)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_broken_numbers_go(layout: str, bad: float) -> None:
    """A side or score that is no number takes out its box only."""
    for channel in (0, 3, 4):
        info, outputs = yolo_model(layout, [_CAT, Truth(2, 0.8, (0.6, 0.1, 0.9, 0.3))])
        (table,) = outputs
        row = table[0, 3] if layout == "end2end" else table[0, :, 3]
        row[channel] = bad
        if channel == 4 and layout != "end2end":
            row[4:] = bad
        found = YoloDecoder(info, None, YoloOptions()).decode(outputs, BoxMapping(), 0.3)
        assert [d.index for d in found] == [2]


def test_unit_that_is_named() -> None:
    """A unit that is named is taken, whatever the numbers."""
    info, outputs = yolo_model("v8", [Truth(0, 0.9, (0.0, 0.0, 0.5, 0.5))])
    options = YoloOptions(units="pixel")
    (found,) = YoloDecoder(info, None, options).decode(outputs, BoxMapping(), 0.3)
    assert found.box == pytest.approx((0.0, 0.0, 0.5 / WIDTH, 0.5 / HEIGHT))


@pytest.mark.parametrize(
    ("shape", "labels", "metadata", "said"),
    [
        ((1, 25200, 85), None, {}, "objectness and 80 class scores of 25200 places (layout v5)"),
        ((1, 85, 25200), None, {}, "(layout v5): yolo"),
        ((1, 84, 8400), None, {}, "80 class scores of 8400 places (layout v8)"),
        ((1, 8400, 84), None, {}, "(layout v8): yolo"),
        ((1, 8400, 7), 3, {}, "3 class scores of 8400 places (layout v8)"),
        ((1, 25200, 6), None, {}, "1 class scores of 25200 places (layout v5)"),
        ((1, 6, 8400), None, {}, "2 class scores of 8400 places (layout v8)"),
        ((1, 8400, 9), None, {"imgsz": [640, 640], "task": "detect"}, "(layout v8): yolo"),
        ((1, 300, 6), None, {}, "up to 300 objects (layout end2end): yolo"),
        ((1, 100, 6), None, {"task": "detect", "end2end": True}, "(layout end2end): yolo"),
        ((1, 8400, 9), None, {}, "set task: {name: yolo, layout: v8} or task: yolox: raw"),
        ((1, 7777, 84), None, {}, "set task: {name: yolo, layout: v5 or v8}: raw"),
        ((1, 116, 8400), None, {"task": "segment"}, "its task is segment, but its outputs"),
        ((1, 100, 6), None, {}, "fits the outputs: raw"),
    ],
)
def test_recognised_by_shape(
    shape: tuple[int, ...], labels: int | None, metadata: dict[str, Any], said: str
) -> None:
    """The layout follows from rows, channels, labels and notes; else the reason and the option."""
    info = make_info([make_spec(shape)], inputs=[_PICTURE], metadata=metadata)
    names = None if labels is None else tuple(map(str, range(labels)))
    decoder, why = choose_decoder(info, names)
    assert said in why
    assert decoder.name == ("raw" if said.endswith("raw") or "segment" in said else "yolo")


def test_layout_that_is_named() -> None:
    """A layout that is named is read from a shape that would not be recognised."""
    info = make_info([make_spec((1, 77, 4 + CLASSES))], inputs=[_PICTURE])
    table = np.zeros((1, 77, 4 + CLASSES), np.float32)
    table[0, 5] = 320, 320, 64, 64, 0, 0.75, 0
    decoder, _ = choose_decoder(info, _LABELS, "yolo", {"layout": "v8"})
    (found,) = decoder.decode([table], BoxMapping(), 0.5)
    assert (found.label, found.box) == ("b", pytest.approx((0.45, 0.45, 0.55, 0.55)))  # type: ignore[union-attr]
    with pytest.raises(ModelError, match="may be 3 classes"):
        choose_decoder(make_info([make_spec((1, 8400, 7))], inputs=[_PICTURE]), None, "yolo")


def test_labels() -> None:
    """Labels must fit; COCO's 90 lose their gaps, and 80 classes without any are COCO's."""
    info = make_info([make_spec((1, 84, 8400))], inputs=[_PICTURE])
    assert "taken for COCO's" in YoloDecoder(info, None, YoloOptions()).note
    with_gaps = ("n/a", *COCO_80[:40], "n/a", *COCO_80[40:])
    assert "2 rows" in YoloDecoder(info, with_gaps, YoloOptions()).note
    assert "'background'" in YoloDecoder(info, ("background", *COCO_80), YoloOptions()).note
    with pytest.raises(ModelError, match="3 labels do not fit a model with 80 classes"):
        YoloDecoder(info, _LABELS, YoloOptions(layout="v8"))


@pytest.mark.parametrize(
    ("size", "cells"), [((640, 640), 8400), ((416, 416), 3549), ((100, 60), 140)]
)
def test_grid_cells(size: tuple[int, int], cells: int) -> None:
    """The cells of strides 8, 16 and 32, a broken one counted whole."""
    assert grid_cells(size) == cells
