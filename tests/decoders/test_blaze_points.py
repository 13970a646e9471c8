"""The keypoints behind the boxes of MediaPipe's faces and palms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.choose import choose_decoder
from edge_agent.geometry import BoxMapping
from tests.support.models import make_info, make_spec

_SIDE = 128
_FACE = ["right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear"]


def slow_face(numbers: Any, row: int, column: int, stride: int) -> list[float]:
    """Box corners, then x and y of each keypoint, in px: all are offsets from the cell's middle."""
    x, y = (column + 0.5) * stride, (row + 0.5) * stride
    cx, cy, width, height = x + numbers[0], y + numbers[1], numbers[2], numbers[3]
    box = [cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2]
    return box + [each + (y if n % 2 else x) for n, each in enumerate(numbers[4:])]


def blaze_model(form: str, numbers: Any, scores: Any, order: Any) -> Any:
    """The grids of 16 x 16 x 2 and 8 x 8 x 6 faces as one pair, flat pairs, or grids."""
    width = numbers.shape[1]
    parts = [slice(0, 512), slice(512, 896)]
    if form == "pair":
        outputs = [numbers[None], scores[None]]
    elif form == "flat pairs":
        outputs = [each[part][None] for part in parts for each in (numbers, scores)]
    else:
        outputs = [
            each[part].reshape(1, side, side, -1)
            for part, side in zip(parts, (16, 8), strict=True)
            for each in (numbers, scores)
        ]
    outputs = [outputs[n] for n in order if n < len(outputs)]
    assert width in (16, 18)
    picture = make_spec((1, _SIDE, _SIDE, 3))
    return make_info([make_spec(o.shape) for o in outputs], inputs=[picture]), outputs


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["pair", "flat pairs", "grids"]),
    st.sampled_from([16, 18]),
    st.permutations(range(4)),
)
def test_keypoints_are_those_of_the_definition(
    seed: int, form: str, width: int, order: Any
) -> None:
    """Boxes and keypoints of a face of each grid, as worked out by hand, in any form of outputs."""
    noise = np.random.default_rng(seed)
    numbers = noise.normal(0, 6, (896, width)).astype(np.float32)
    numbers[:, 2:4] = noise.uniform(8, 24, (896, 2))
    scores = np.full((896, 1), -8.0, np.float32)
    row, column, shape = noise.integers(16), noise.integers(16), noise.integers(2)
    fine = int((row * 16 + column) * 2 + shape)
    other_row, other_column, other_shape = noise.integers(8), noise.integers(8), noise.integers(6)
    coarse = int(512 + (other_row * 8 + other_column) * 6 + other_shape)
    scores[fine], scores[coarse] = 3.0, 2.0
    info, outputs = blaze_model(form, numbers, scores, order)
    decoder: Any = choose_decoder(info, None, None, {"iou": 1.0})[0]
    found = decoder.decode(outputs, BoxMapping(), 0.5)
    wanted = [
        slow_face(numbers[fine], int(row), int(column), 8),
        slow_face(numbers[coarse], int(other_row), int(other_column), 16),
    ]
    sides = [np.clip(np.array(each) / _SIDE, 0, 1) for each in wanted]
    sides = [each for each in sides if each[0] < each[2] and each[1] < each[3]]
    assert len(found) == len(sides)
    for detection, each in zip(found, sides, strict=True):
        assert detection.box == pytest.approx(each[:4], abs=1e-5)
        points = [side for point in detection.keypoints for side in (point.x, point.y)]
        assert points == pytest.approx(each[4:], abs=1e-5)


def test_faces_have_names() -> None:
    """Six points by their names, the person's own right first."""
    scores = np.full((896, 1), -8.0, np.float32)
    scores[100] = 3.0
    numbers = np.full((896, 16), 8.0, np.float32)
    info, outputs = blaze_model("pair", numbers, scores, range(4))
    decoder: Any
    decoder, why = choose_decoder(info, None)
    assert "the priors of blazeface: ssd_raw" in why
    (face,) = decoder.decode(outputs, BoxMapping(), 0.5)
    assert (face.label, [point.name for point in face.keypoints]) == ("face", _FACE)


def test_broken_points() -> None:
    """A face whose keypoints are no numbers is told by its box alone."""
    scores = np.full((896, 1), -8.0, np.float32)
    scores[100] = 3.0
    numbers = np.full((896, 16), 8.0, np.float32)
    numbers[100, 9] = np.inf
    info, outputs = blaze_model("pair", numbers, scores, range(4))
    decoder: Any = choose_decoder(info, None)[0]
    (face,) = decoder.decode(outputs, BoxMapping(), 0.5)
    assert (face.label, face.keypoints) == ("face", ())
