"""Detections of SSD models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from edge_agent.decoders.ssd import SsdDecoder, SsdOptions
from edge_agent.decoders.ssd_outputs import OPERATOR
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import TensorSpec
from tests.decoders.ssd_models import ORDERS, WAYS, Order, Row, decode, ssd_info, ssd_values
from tests.support.models import make_info, make_spec

LABELS = ("person", "bicycle", "car")
BOX = (0.25, 0.125, 0.75, 0.5)
ROWS: list[Row] = [(0.75, 2, BOX), (0.5, 0, (0.0, 0.0, 1.0, 0.25))]
NOTHING: list[float] = [float("nan"), float("inf"), float("-inf")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("way", WAYS)
def test_every_order(order: Order, way: str) -> None:
    """Whatever the order of the outputs and whatever tells them apart, the result is the same."""
    decoder = SsdDecoder(ssd_info(order, way), LABELS, SsdOptions())
    found = decoder.decode(ssd_values(ROWS, order), BoxMapping(), 0.5)
    assert [(d.label, d.score, d.box, d.index) for d in found] == [
        ("car", 0.75, (0.125, 0.25, 0.5, 0.75), 2),
        ("person", 0.5, (0.0, 0.0, 0.25, 1.0), 0),
    ]


def test_frames_that_do_not_tell_give_nothing() -> None:
    """Until a frame tells scores from classes nothing is reported; then that stays known."""
    decoder = SsdDecoder(ssd_info((0, 2, 1, 3), "content"), LABELS, SsdOptions())
    doubtful: list[Row] = [(1.0, 1, BOX)]
    results = [
        decoder.decode(ssd_values(rows, (0, 2, 1, 3)), BoxMapping(), 0.5)
        for rows in ([], doubtful, ROWS, doubtful)
    ]
    assert [len(result) for result in results] == [0, 0, 2, 1]


def test_rows_beyond_the_count_do_not_tell() -> None:
    """What a model leaves behind its count is neither reported nor used to tell the outputs."""
    decoder = SsdDecoder(ssd_info(way="content"), None, SsdOptions())
    left: list[Row] = [(0.0, 0, BOX), (1.0, 0.5, BOX)]
    assert decoder.decode(ssd_values(left, count=0), BoxMapping(), 0.5) == ()
    assert len(decoder.decode(ssd_values(ROWS, count=1), BoxMapping(), 0.5)) == 1


@pytest.mark.parametrize("order", ORDERS)
def test_quantised_outputs(order: Order) -> None:
    """Quantised outputs are read as the real numbers they mean, and told apart by their range."""
    shapes, scales = [(1, 2, 4), (1, 2), (1, 2), (1,)], [1 / 64, 1.0, 1 / 256, 1.0]
    specs = [make_spec(shapes[slot], "uint8", scales[slot]) for slot in order]
    values = ([[[16, 8, 48, 32], [0] * 4]], [[2, 0]], [[192, 0]], [2])
    outputs = [np.array(values[slot], np.uint8) for slot in order]
    decoder = SsdDecoder(make_info(specs), LABELS, SsdOptions())
    (found,) = decoder.decode(outputs, BoxMapping(), 0.5)
    assert (found.label, found.score, found.box) == ("car", 0.75, (0.125, 0.25, 0.5, 0.75))


@pytest.mark.parametrize(
    ("count", "reported"),
    [(0, 0), (1, 1), (2, 2), (99, 2), (-3, 0), (float("nan"), 2), (float("inf"), 2)],
)
def test_count(count: float, reported: int) -> None:
    """The count limits the rows; one that cannot be is held within them."""
    assert len(decode(ROWS, count=count)) == reported


@pytest.mark.parametrize("bad", NOTHING)
def test_broken_scores_and_classes_go(bad: float) -> None:
    """A score or class that is no number takes out its row only."""
    assert [d.label for d in decode([(bad, 1, BOX), *ROWS], labels=LABELS)] == ["car", "person"]
    assert [d.label for d in decode([(0.9, bad, BOX), *ROWS], labels=LABELS)] == ["car", "person"]


@pytest.mark.parametrize("bad", NOTHING)
@pytest.mark.parametrize("side", range(4))
def test_broken_boxes_go(bad: float, side: int) -> None:
    """A box with a coordinate that is no number takes out its row only."""
    box = [0.25, 0.25, 0.75, 0.75]
    box[side] = bad
    rows: list[Row] = [(0.9, 1, (box[0], box[1], box[2], box[3])), *ROWS]
    assert [d.label for d in decode(rows, labels=LABELS)] == ["car", "person"]


@pytest.mark.parametrize("index", [-1, -2, 3, 900])
def test_class_without_a_label_is_numbered(index: int) -> None:
    """A class beyond the labels is told by its number, never by another class's label."""
    (found,) = decode([(0.9, index, BOX)], labels=LABELS)
    assert (found.label, found.index) == (f"class {index}", index)


def test_boxes_without_area_go() -> None:
    """A box that has no area, or none inside the frame, is no detection."""
    flat: list[Row] = [(0.9, 1, (0.5, 0.5, 0.5, 0.9)), (0.9, 1, (0.1, 0.5, 0.9, 0.5))]
    outside: list[Row] = [(0.9, 1, (1.1, 0.2, 1.5, 0.4)), (0.9, 1, (0.2, -0.4, 0.4, 0.0))]
    assert [d.index for d in decode([*flat, *outside, *ROWS])] == [2, 0]


def test_boxes_are_mapped_and_clipped() -> None:
    """Boxes are of the frame: the placement is undone, and what lies outside is cut off."""
    letterbox = BoxMapping.for_placement((100, 100), (0, 25, 100, 50))
    (found,) = decode([(0.9, 0, (0.125, -0.25, 0.5, 0.5))], mapping=letterbox)
    assert found.box == (0.0, 0.0, 0.5, 0.5)


def test_corners_are_put_in_order() -> None:
    """A box given from its lower right corner is the same box."""
    (found,) = decode([(0.9, 0, (0.75, 0.5, 0.25, 0.125))])
    assert found.box == (0.125, 0.25, 0.5, 0.75)


def test_best_first_and_ties_in_order() -> None:
    """Detections come best first, equal ones in the model's order; `max` keeps the best."""
    rows: list[Row] = [(score, i, BOX) for i, score in enumerate((0.5, 0.75, 0.5, 0.25, 0.75))]
    assert [d.index for d in decode(rows)] == [1, 4, 0, 2]
    assert [d.index for d in decode(rows, max=3)] == [1, 4, 0]
    many: list[Row] = [(0.5 + 0.25 * (i % 2), i, BOX) for i in range(60)]
    assert [d.index for d in decode(many)] == [*range(1, 60, 2), *range(0, 60, 2)]


def test_max_counts_good_rows_only() -> None:
    """Rows that are left out do not use up `max`."""
    rows: list[Row] = [(0.9, 1, (0.5, 0.5, 0.5, 0.5)), *ROWS]
    assert [d.index for d in decode(rows, max=1)] == [2]


def test_class_offset_shifts_the_label() -> None:
    """The offset is added to the model's class number."""
    (found, _) = decode([(0.75, 1, BOX), ROWS[1]], labels=LABELS, class_offset=1)
    assert (found.label, found.index) == ("car", 2)


def test_background_row_is_left_out_with_a_note() -> None:
    """A first row "???" is no class where the operator's number of classes says so."""
    for classes in (3, None):
        info = ssd_info(classes=classes)
        decoder = SsdDecoder(info, ("???", *LABELS), SsdOptions())
        found = decoder.decode(ssd_values(ROWS), BoxMapping(), 0.5)
        assert [d.label for d in found] == ["car", "person"]
        assert "'???' is left out" in decoder.note
    assert SsdDecoder(ssd_info(classes=3), LABELS, SsdOptions()).note == ""
    assert SsdDecoder(ssd_info(classes=4), ("???", *LABELS), SsdOptions()).note == ""


@pytest.mark.parametrize(("count", "cure"), [(2, "background"), (1, "give the labels that belong")])
def test_too_few_labels_are_refused(count: int, cure: str) -> None:
    """Fewer labels than the operator has classes are of another model; the error names a cure."""
    said = f"{count} labels do not fit a model with 3 classes"
    with pytest.raises(ModelError, match=said) as caught:
        SsdDecoder(ssd_info(classes=3), LABELS[:count], SsdOptions())
    assert cure in caught.value.cure


def test_shapes_known_beforehand_are_refused() -> None:
    """Outputs whose fixed shapes cannot be those of the operator are refused without a frame."""
    info = make_info([make_spec((1, side, side, 18)) for side in (4, 8, 16)])
    with pytest.raises(ModelError, match="needs boxes, classes and scores") as caught:
        SsdDecoder(info, None, SsdOptions())
    assert "task: raw" in caught.value.cure


def test_shapes_known_at_run_time_are_refused() -> None:
    """Outputs of free shape that turn out wrong are an error that tells the shapes."""
    decoder = SsdDecoder(make_info([make_spec(())] * 4), None, SsdOptions())
    with pytest.raises(ModelError, match=rf"shapes \(2, 2\), .* not those of {OPERATOR}"):
        decoder.decode([np.zeros((2, 2), np.float32)] * 4, BoxMapping(), 0.5)


def _wild(*shape: int) -> st.SearchStrategy[NDArray[Any]]:
    usual = st.floats(-1.0, 2.0, width=32) | st.integers(-2, 12).map(float)
    return hnp.arrays(np.float32, shape, elements=usual | st.floats(width=32))


@settings(deadline=None)
@given(
    outputs=st.tuples(_wild(1, 6, 4), _wild(1, 6), _wild(1, 6), _wild(1)),
    order=st.sampled_from(ORDERS),
    way=st.sampled_from(WAYS),
    threshold=st.floats(0.0, 1.0, width=32),
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_any_numbers(outputs: Any, order: Order, way: str, threshold: float) -> None:
    """Whatever a model gives, results are sound: sorted, above the threshold, inside the frame."""
    decoder = SsdDecoder(ssd_info(order, way, size=6), LABELS, SsdOptions())
    mapping = BoxMapping(1.0, 1.5, 0.0, -0.25)
    found = decoder.decode([outputs[slot] for slot in order], mapping, threshold)
    scores = [d.score for d in found]
    assert scores == sorted(scores, reverse=True)
    assert all(threshold <= score < float("inf") for score in scores)
    for d in found:
        assert 0.0 <= d.box[0] < d.box[2] <= 1.0
        assert 0.0 <= d.box[1] < d.box[3] <= 1.0
        assert d.label == (LABELS[d.index] if 0 <= d.index < 3 else f"class {d.index}")


@settings(deadline=None)
@given(
    data=st.data(),
    dtype=st.sampled_from(["uint8", "int8"]),
    threshold=st.floats(0.0, 1.0, width=32),
)
def test_any_quantised_numbers(data: st.DataObject, dtype: str, threshold: float) -> None:
    """Quantised numbers of any value give sound results too."""
    zero = -128 if dtype == "int8" else 0
    shapes = [(1, 6, 4), (1, 6), (1, 6), (1,)]
    scales = [1 / 200, 1.0, 1 / 256, 1.0]
    specs: list[TensorSpec] = [
        make_spec(shape, dtype, scale, zero) for shape, scale in zip(shapes, scales, strict=True)
    ]
    outputs = [data.draw(hnp.arrays(np.dtype(dtype), shape)) for shape in shapes]
    found = SsdDecoder(make_info(specs), None, SsdOptions()).decode(
        outputs, BoxMapping(), threshold
    )
    scores = [d.score for d in found]
    assert scores == sorted(scores, reverse=True)
    assert all(threshold <= score <= 1.0 for score in scores)
    assert all(0.0 <= side <= 1.0 for d in found for side in d.box)
