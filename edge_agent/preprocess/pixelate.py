"""Makes parts of a picture unrecognisable: large blocks on a grid that never moves, few colours."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box

Picture = NDArray[Any]

_FINEST = 96  # blocks along the longer side of the frame; each next size is twice as large
_SIZES = 6
_WHOLE = 3  # size of the blocks of a whole frame: 12 along its longer side
_ACROSS = 3.0  # most blocks along the longer side of a region
_STEP = 64  # one of four values is left of each colour


def pixelate(target: Picture, source: Picture, region: Box) -> None:
    """Overwrite a region (0..1) of `target`, in place, with blocks of the colours of `source`.

    A block is at least a third of the region's longer side, so a face in it is at most three blocks
    high. Blocks lie on one grid over the frame, those of one size
    inside those of the next: an object at rest gives the same block in every picture, and no size
    tells what another hides. Both pictures are H x W x 3 uint8, all of the frame.
    """
    height, width = source.shape[:2]
    _paint(target, source, region, _size(region, width, height))


def pixelate_frame(target: Picture, source: Picture) -> None:
    """The same with all of it: 12 blocks along the longer side, whatever it shows."""
    _paint(target, source, (0.0, 0.0, 1.0, 1.0), _WHOLE)


def _paint(target: Picture, source: Picture, region: Box, size: int) -> None:
    height, width = source.shape[:2]
    block = max(width, height) / _FINEST * 2**size
    xs, ys = _edges(region[0], region[2], width, block), _edges(region[1], region[3], height, block)
    if len(xs) < 2 or len(ys) < 2:
        return
    part = source[ys[0] : ys[-1], xs[0] : xs[-1]]
    blocks = cv2.resize(part, (len(xs) - 1, len(ys) - 1), interpolation=cv2.INTER_AREA)
    coarse = blocks // _STEP * _STEP + _STEP // 2
    rows = np.repeat(coarse, np.diff(ys), axis=0)
    target[ys[0] : ys[-1], xs[0] : xs[-1]] = np.repeat(rows, np.diff(xs), axis=1)


def grown(box: Box, by: float) -> Box:
    """A box that is larger by a part of itself on each side, within 0..1."""
    x1, y1, x2, y2 = box
    dx, dy = by * (x2 - x1), by * (y2 - y1)
    return max(0.0, x1 - dx), max(0.0, y1 - dy), min(1.0, x2 + dx), min(1.0, y2 + dy)


def _size(region: Box, width: int, height: int) -> int:
    """The smallest size of block that is a third of the region's longer side or more."""
    side = max((region[2] - region[0]) * width, (region[3] - region[1]) * height)
    wanted = _FINEST * side / max(width, height) / _ACROSS
    return min(_SIZES - 1, max(0, math.ceil(math.log2(wanted)))) if wanted > 0.0 else 0


def _edges(begin: float, end: float, length: int, block: float) -> list[int]:
    """Pixels at which the blocks begin that a stretch (0..1) touches, and where the last ends."""
    first = math.floor(begin * length / block)
    last = math.ceil(end * length / block)
    return sorted({min(length, round(number * block)) for number in range(first, last + 1)})
