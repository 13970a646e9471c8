"""Boxes come back from the tensor to where they were in the frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.preprocess.image import PreprocessOptions
from edge_agent.preprocess.placement import Fit, Placement, Rect, place
from tests.preprocess.oracle import write
from tests.support.models import make_spec

FITS: tuple[Fit, ...] = ("stretch", "letterbox", "crop")
Size = tuple[int, int]
ANY_SIZE = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
FRAME_SIZE = st.tuples(st.integers(120, 1000), st.integers(120, 1000))
TENSOR_SIZE = st.tuples(st.integers(32, 200), st.integers(32, 200))
CORNERS = st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4)


def forward(placement: Placement, frame: Size, tensor: Size, box: list[float]) -> list[Fraction]:
    """A box of the frame (0..1) in the tensor (0..1), by the pixels that are copied, exactly."""
    moved = []
    for number, value in enumerate(box):
        axis = number % 2
        source, target = placement.source, placement.target
        start, length = ((source.x, source.width), (source.y, source.height))[axis]
        to, room = ((target.x, target.width), (target.y, target.height))[axis]
        px = (Fraction(value) * frame[axis] - start) * Fraction(room, length) + to
        moved.append(px / tensor[axis])
    return moved


@given(st.sampled_from(FITS), ANY_SIZE, ANY_SIZE, CORNERS)
def test_the_mapping_is_the_inverse(fit: Fit, frame: Size, tensor: Size, box: list[float]) -> None:
    """For any two sizes the numbers of the mapping undo exactly what the pixels do."""
    placement = place(fit, frame, tensor)
    way = placement.mapping
    there = forward(placement, frame, tensor, box)
    factors = [(way.scale_x, way.offset_x), (way.scale_y, way.offset_y)] * 2
    back = [
        float(Fraction(scale) * value + Fraction(offset))
        for value, (scale, offset) in zip(there, factors, strict=True)
    ]
    assert back == pytest.approx(box, abs=1e-9)


@given(st.sampled_from(FITS), FRAME_SIZE, TENSOR_SIZE, CORNERS)
def test_boxes_come_back(fit: Fit, frame: Size, tensor: Size, box: list[float]) -> None:
    """A box that goes to the tensor and back, in float32, is the same within 1e-5."""
    placement = place(fit, frame, tensor)
    there = np.array([forward(placement, frame, tensor, box)], np.float32)
    assert placement.mapping.boxes(there)[0] == pytest.approx(box, abs=1e-5)


@given(st.sampled_from(FITS), ANY_SIZE, ANY_SIZE)
def test_rectangles_lie_inside(fit: Fit, frame: Size, tensor: Size) -> None:
    """No pixel outside the frame is read, none outside the tensor written, and one at least is."""
    placement = place(fit, frame, tensor)
    for rect, (width, height) in ((placement.source, frame), (placement.target, tensor)):
        assert 0 <= rect.x <= rect.x + rect.width - 1 < width
        assert 0 <= rect.y <= rect.y + rect.height - 1 < height


@given(st.sampled_from(["letterbox", "crop"]), ANY_SIZE, ANY_SIZE)
def test_shapes_are_kept(fit: Fit, frame: Size, tensor: Size) -> None:
    """Letterbox and crop keep the aspect ratio, to within the half pixel of rounding."""
    placement = place(fit, frame, tensor)
    shape, room = (frame, tensor) if fit == "letterbox" else (tensor, frame)
    inner = placement.target if fit == "letterbox" else placement.source
    scale = min(room[0] / shape[0], room[1] / shape[1])
    assert max(inner.width - room[0], inner.height - room[1]) == 0
    assert abs(inner.width - max(1.0, shape[0] * scale)) <= 0.5 + 1e-9
    assert abs(inner.height - max(1.0, shape[1] * scale)) <= 0.5 + 1e-9
    left, top = room[0] - inner.width - inner.x, room[1] - inner.height - inner.y
    assert abs(left - inner.x) <= 1
    assert abs(top - inner.y) <= 1


def test_whole_frame_and_whole_tensor() -> None:
    """Stretch uses all, a letterbox the whole frame, a crop the whole tensor."""
    frame, tensor = (640, 360), (320, 320)
    stretch, letterbox, crop = (place(fit, frame, tensor) for fit in FITS)
    assert (stretch.source, stretch.target) == (Rect(0, 0, 640, 360), Rect(0, 0, 320, 320))
    assert (letterbox.source, letterbox.target) == (Rect(0, 0, 640, 360), Rect(0, 70, 320, 180))
    assert (crop.source, crop.target) == (Rect(140, 0, 360, 360), Rect(0, 0, 320, 320))


def test_boxes_in_the_border_are_clipped() -> None:
    """What a model sees in the border of a letterbox ends at the frame's edge."""
    mapping = place("letterbox", (640, 360), (320, 320)).mapping
    boxes = np.array([[0.1, 0.0, 0.5, 1.0], [0.0, 0.0, 1.0, 0.1]], np.float32)
    clipped = mapping.boxes(boxes)
    assert clipped[0] == pytest.approx([0.1, 0.0, 0.5, 1.0])
    assert clipped[1] == pytest.approx([0.0, 0.0, 1.0, 0.0])
    assert mapping.boxes(boxes, clip=False)[0] == pytest.approx([0.1, -70 / 180, 0.5, 250 / 180])


@settings(deadline=None)
@given(st.data(), st.sampled_from(FITS), FRAME_SIZE, TENSOR_SIZE)
def test_a_bright_rectangle_is_found(
    data: st.DataObject, fit: Fit, frame: Size, tensor: Size
) -> None:
    """A rectangle drawn into the frame is in the tensor where the mapping says, within a pixel."""
    placement = place(fit, frame, tensor)
    x1, x2 = _edges(data, placement.source.x, placement.source.width)
    y1, y2 = _edges(data, placement.source.y, placement.source.height)
    steps = (
        placement.target.width / placement.source.width,
        (placement.target.height / placement.source.height),
    )
    # Linear scaling may step over what is narrower than its step.
    assume((x2 - x1) * steps[0] >= 2 and (y2 - y1) * steps[1] >= 2)
    image = np.zeros((frame[1], frame[0], 3), np.uint8)
    image[y1:y2, x1:x2] = 255
    options = PreprocessOptions(fit=fit, pad=0)
    written, mapping = write(make_spec((1, tensor[1], tensor[0], 3), "uint8"), image, options)
    rows, columns = np.nonzero(written[0, ..., 0] >= 128)
    found = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    back = mapping.boxes(np.divide(found, [*tensor, *tensor], dtype=np.float32))
    off = (back[0] * [*frame, *frame] - [x1, y1, x2, y2]) * [*steps, *steps]
    assert np.abs(off).max() <= 1.01


def _edges(data: st.DataObject, start: int, length: int) -> tuple[int, int]:
    first = data.draw(st.integers(0, length - 2))
    return start + first, start + data.draw(st.integers(first + 1, length))
