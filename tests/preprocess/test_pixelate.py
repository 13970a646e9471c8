"""Pixelation: nothing fine is left, and many pictures tell no more than one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.geometry import Box
from edge_agent.preprocess.pixelate import grown, pixelate, pixelate_frame

RNG = np.random.default_rng(3)
SIZES = [(640, 480), (768, 432), (1280, 720), (480, 640), (97, 61), (1, 1)]


def noise(width: int, height: int) -> NDArray[np.uint8]:
    """A picture every pixel of which differs."""
    return RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)


def runs(line: NDArray[np.uint8]) -> int:
    """How many stretches of one colour a line of pixels has."""
    return 1 + int((np.diff(line.astype(int), axis=0) != 0).any(axis=1).sum())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "box", [(0.3, 0.2, 0.5, 0.9), (0.0, 0.0, 0.1, 0.1), (0.41, 0.52, 0.47, 0.6), (0, 0, 1, 1)]
)
def test_a_region_is_at_most_four_blocks_wide(size: tuple[int, int], box: Box) -> None:
    """Three that fit in it, and one more where the grid does not begin with it; none is finer."""
    source = noise(*size)
    target = source.copy()
    pixelate(target, source, box)
    width, height = size
    x1, y1 = int(box[0] * width), int(box[1] * height)
    x2, y2 = max(x1 + 1, int(box[2] * width)), max(y1 + 1, int(box[3] * height))
    assert runs(target[y1, x1:x2]) <= 4
    assert runs(target[y1:y2, x1]) <= 4
    assert len(np.unique(target[y1:y2, x1:x2].reshape(-1, 3), axis=0)) <= 16


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_is_at_most_twelve_blocks_wide(size: tuple[int, int]) -> None:
    """Whatever it shows; each colour channel has four values."""
    source = noise(*size)
    target = source.copy()
    pixelate_frame(target, source)
    assert max(runs(target[0]), runs(target[:, 0])) <= 12
    assert set(np.unique(target)) <= {32, 96, 160, 224}


def test_only_the_region_changes_and_the_source_never() -> None:
    """Up to the edge of the blocks that it touches."""
    source = noise(640, 480)
    before, target = source.copy(), source.copy()
    pixelate(target, source, (0.4, 0.4, 0.6, 0.6))
    assert (source == before).all()
    assert (target[:100] == before[:100]).all()
    assert (target[:, 500:] == before[:, 500:]).all()


def test_blocks_stay_where_they_are_when_the_region_moves() -> None:
    """A block has the same colour in both pictures: the second tells nothing new of what rests."""
    source = noise(640, 480)
    one, other = source.copy(), source.copy()
    pixelate(one, source, (0.30, 0.3, 0.50, 0.7))
    pixelate(other, source, (0.33, 0.3, 0.53, 0.7))
    shared = (slice(150, 330), slice(215, 315))
    assert (one[shared] == other[shared]).all()


def test_averaging_the_noise_of_many_pictures_brings_nothing_back() -> None:
    """64 pictures of a scene at rest under a camera's noise, averaged: still flat in a block."""
    scene = noise(640, 480).astype(float)
    total = np.zeros_like(scene)
    for _ in range(64):
        seen = np.clip(scene + RNG.normal(0.0, 4.0, scene.shape), 0, 255).astype(np.uint8)
        target = seen.copy()
        pixelate_frame(target, seen)
        total += target
    block = total[60:100, 60:100] / 64
    assert block.std(axis=(0, 1)).max() == 0.0


def test_growing_a_box_stays_in_the_frame() -> None:
    """A part of itself on each side, and no further than the frame."""
    assert grown((0.4, 0.4, 0.6, 0.8), 0.5) == pytest.approx((0.3, 0.2, 0.7, 1.0))
    assert grown((0.0, 0.0, 1.0, 1.0), 0.5) == (0.0, 0.0, 1.0, 1.0)
