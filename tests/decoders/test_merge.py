"""Detections of crops become those of the frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.merge import merged
from edge_agent.geometry import Box, BoxMapping
from edge_agent.result import Detection, Keypoint

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def crops(columns: int, rows: int, overlap: float = 0.2) -> list[Box]:
    """Tiles of a frame, as fractions."""
    width, height = (1 / (n - (n - 1) * overlap) for n in (columns, rows))
    return [
        (x, y, x + width, y + height)
        for y in np.linspace(0, 1 - height, rows).tolist()
        for x in np.linspace(0, 1 - width, columns).tolist()
    ]


def seen_in(objects: Sequence[Detection], crop: Box, least: float = 0.15) -> list[Detection]:
    """What a perfect detector sees in a crop: the part of each object, if enough of it is there."""
    found = []
    for each in objects:
        x1, y1 = max(each.box[0], crop[0]), max(each.box[1], crop[1])
        x2, y2 = min(each.box[2], crop[2]), min(each.box[3], crop[3])
        if x1 >= x2 or y1 >= y2:
            continue
        part = (x2 - x1) * (y2 - y1) / ((each.box[2] - each.box[0]) * (each.box[3] - each.box[1]))
        if part < least:
            continue
        width, height = crop[2] - crop[0], crop[3] - crop[1]
        box = (
            (x1 - crop[0]) / width, (y1 - crop[1]) / height,
            (x2 - crop[0]) / width, (y2 - crop[1]) / height,
        )  # fmt: skip
        found.append(Detection(each.label, each.score * (0.5 + part / 2), box, each.index))
    return found


def an_object(box: Box, score: float = 0.9, index: int = 0) -> Detection:
    """A detection of that class."""
    return Detection(f"class {index}", score, box, index)


@st.composite
def scenes(draw: st.DrawFn) -> list[Detection]:
    """Objects of two classes in cells of their own with gaps between them, smaller than a tile."""
    objects: list[Detection] = []
    for row, column in itertools.product(range(3), range(3)):
        if draw(st.booleans()):
            x, y = column / 3 + 0.02, row / 3 + 0.02
            width, height = draw(st.floats(0.05, 0.28)), draw(st.floats(0.05, 0.28))
            score = 0.9 - 0.02 * len(objects)
            index = draw(st.integers(0, 1))
            objects.append(an_object((x, y, x + width, y + height), score, index))
    return objects


@settings(max_examples=200, deadline=None)
@given(scenes(), st.sampled_from([(2, 2), (3, 2), (2, 1), (3, 3)]), st.booleans())
def test_every_object_once(objects: list[Detection], counts: tuple[int, int], full: bool) -> None:
    """Objects that crops show whole or in parts come out as they are, each once."""
    parts = [(seen_in(objects, crop), crop) for crop in crops(*counts)]
    if full:
        parts.append((objects, _WHOLE))
    found = merged(parts)
    assert len(found) == len(objects)
    for each in objects:
        (match,) = [d for d in found if np.abs(np.subtract(d.box, each.box)).max() < 0.02]
        assert match.index == each.index


@given(st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_boxes_are_mapped_back(numbers: list[float]) -> None:
    """A box of a crop is where it is in the frame, with its keypoints and its mask."""
    x1, x2 = sorted(numbers[:2])
    y1, y2 = sorted(numbers[2:4])
    left, right = sorted((0.5 * numbers[4], 0.5 + 0.5 * numbers[5]))
    top, bottom = sorted((0.5 * numbers[6], 0.5 + 0.5 * numbers[7]))
    crop = (left, top, right, bottom)
    point = Keypoint("nose", x1, y2, 0.5)
    polygon = ((x1, y1), (x2, y1), (x2, y2))
    seen = Detection("a", 0.5, (x1, y1, x2, y2), 0, (point,), (polygon,))
    (found,) = merged([([seen], crop)])
    mapping = BoxMapping(right - left, bottom - top, left, top)
    assert found.box == mapping.box(seen.box)
    assert (found.keypoints[0].x, found.keypoints[0].y) == pytest.approx(
        (found.box[0], found.box[3])
    )
    corners = [side for place in found.polygons[0] for side in place]
    assert corners == pytest.approx([*found.box[:2], found.box[2], found.box[1], *found.box[2:]])


def test_the_whole_box_wins_over_parts() -> None:
    """What the whole frame shows whole keeps its box, and takes the better score."""
    large = an_object((0.1, 0.1, 0.9, 0.9), 0.6)
    parts = [
        ([an_object((0.2, 0.2, 1.0, 1.0), 0.95)], (0.0, 0.0, 0.5, 0.5)),
        ([an_object((0.0, 0.2, 0.8, 1.0), 0.7)], (0.5, 0.0, 1.0, 0.5)),
        ([large], _WHOLE),
    ]
    (found,) = merged(parts)
    assert (found.box, found.score) == (large.box, 0.95)


def test_other_classes_stay() -> None:
    """Only boxes of one class take each other's place."""
    parts = [
        ([an_object((0.2, 0.2, 0.4, 0.4))], _WHOLE),
        ([an_object((0.2, 0.2, 0.4, 0.4), 0.8, 1)], (0.0, 0.0, 1.0, 1.0)),
    ]
    assert [d.index for d in merged(parts)] == [0, 1]


def test_what_one_crop_holds_apart_stays_apart() -> None:
    """Two overlapping boxes of the same crop have passed its own NMS."""
    two = [an_object((0.2, 0.2, 0.5, 0.5)), an_object((0.22, 0.2, 0.52, 0.5), 0.8)]
    assert len(merged([(two, _WHOLE)])) == 2


def test_a_small_one_before_a_large_one_that_is_cut() -> None:
    """A whole object inside the part of another stays."""
    parts = [
        ([an_object((0.4, 0.1, 1.0, 0.9)), an_object((0.5, 0.4, 0.6, 0.6), 0.8)], (0, 0, 0.5, 1))
    ]
    assert len(merged(parts)) == 2


def test_an_object_over_three_crops() -> None:
    """Its parts are put together one after the other, in any order of their scores."""
    for scores in itertools.permutations((0.9, 0.8, 0.7)):
        parts = [
            ([an_object((x1, 0.4, x2, 0.6), score)], crop)
            for score, (x1, x2), crop in zip(
                scores, ((0.3, 1.0), (0.0, 1.0), (0.0, 0.6)), crops(3, 1), strict=True
            )
        ]
        (found,) = merged(parts)
        width = crops(3, 1)[0][2]
        assert found.box == pytest.approx((0.3 * width, 0.4, 1 - 0.4 * width, 0.6), abs=1e-6)
        assert found.score == 0.9


def test_masks_of_two_halves() -> None:
    """Are one mask, without a hole where the crops overlap; the surer keypoints are kept."""
    left, right = crops(2, 1)

    def half(x1: float, x2: float, score: float) -> Detection:
        polygon = ((x1, 0.4), (x2, 0.4), (x2, 0.6), (x1, 0.6))
        point = Keypoint("nose", x1, 0.5, score)
        return Detection("a", score, (x1, 0.4, x2, 0.6), 0, (point,), (polygon,))

    (found,) = merged([([half(0.5, 1.0, 0.9)], left), ([half(0.0, 0.5, 0.8)], right)])
    (line,) = found.polygons
    low, high = np.min(line, axis=0), np.max(line, axis=0)
    assert (*low, *high) == pytest.approx(found.box, abs=0.005)
    assert found.keypoints[0].score == 0.9
