"""Non-maximum suppression: of boxes that cover the same object, the best one stays.

Greedy (the usual one) and soft with the Gaussian penalty of Bodla et al., "Soft-NMS: Improving
Object Detection With One Line of Code", 2017. Neither has a cap on the number of boxes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

_BLOCK = 128  # so many boxes at a time: their overlaps fit the cache of a small processor
_MANY = 1000  # from here on classes are worth being looked at one by one


def nms(boxes: Floats, scores: Floats, classes: Indices | None, most_overlap: float) -> Indices:
    """Indices of the boxes that stay, best first; of equal scores the earlier one wins.

    `boxes` are N x 4 (x1, y1, x2, y2 in any unit). A box goes where its intersection over union
    with a better one that stays is above `most_overlap`; with `classes`, only one of its own class.
    """
    if classes is not None and len(scores) >= _MANY:
        return _by_class(boxes, scores, classes, most_overlap)
    order = np.argsort(-scores, kind="stable")
    kept: list[Indices] = []
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        for earlier in kept:
            if not block.size:
                break
            block = block[~_covers(boxes, classes, earlier, block, most_overlap).any(axis=0)]
        if block.size:
            kept.append(block[_best(_covers(boxes, classes, block, block, most_overlap))])
    return np.concatenate(kept) if kept else np.empty(0, np.intp)


def _by_class(boxes: Floats, scores: Floats, classes: Indices, most_overlap: float) -> Indices:
    """The same, class by class: most pairs of many boxes need not be looked at."""
    kept = []
    for each in np.unique(classes):
        own = np.flatnonzero(classes == each)
        kept.append(own[nms(boxes[own], scores[own], None, most_overlap)])
    found = np.sort(np.concatenate(kept))
    return found[np.argsort(-scores[found], kind="stable")]


def soft_nms(
    boxes: Floats, scores: Floats, classes: Indices | None, sigma: float, least: float
) -> tuple[Indices, Floats]:
    """Indices and new scores of the boxes that stay, best first; equal scores as in `nms`.

    The score of a box is lowered by exp(-overlap^2 / sigma) for each better one (with `classes`,
    of its own class); it goes where that makes it less than `least`.
    """
    left = np.flatnonzero(scores >= least)
    values = scores[left].astype(np.float32)
    found: list[int] = []
    final: list[float] = []
    while left.size:
        place = int(values.argmax())
        best = left[place]
        found.append(int(best))
        final.append(float(values[place]))
        overlap = _overlaps(boxes, best[None], left)[0]
        if classes is not None:
            overlap[classes[left] != classes[best]] = 0.0
        values = values * np.exp(-(overlap * overlap) / np.float32(sigma))
        values[place] = -1.0
        stay = values >= max(least, 0.0)
        left, values = left[stay], values[stay]
    return np.array(found, np.intp), np.array(final, np.float32)


def _best(covered: NDArray[np.bool_]) -> list[int]:
    """Greedy choice within one block, best first; `covered[i, j]`: box i takes out box j."""
    alive = np.ones(len(covered), np.bool_)
    for i, row in enumerate(covered):
        if alive[i]:
            alive[i + 1 :] &= ~row[i + 1 :]
    return list(np.flatnonzero(alive))


def _covers(
    boxes: Floats, classes: Indices | None, better: Indices, worse: Indices, most_overlap: float
) -> NDArray[np.bool_]:
    """Which of the better boxes (rows) take out which of the worse ones (columns)."""
    common, union = _areas(boxes, better, worse)
    covered: NDArray[np.bool_] = common > np.float32(most_overlap) * union
    if classes is not None:
        covered &= classes[better][:, None] == classes[worse]
    return covered


def _overlaps(boxes: Floats, first: Indices, second: Indices) -> Floats:
    """Intersection over union, 0 where both boxes are empty."""
    common, union = _areas(boxes, first, second)
    overlaps: Floats = np.divide(common, union, out=np.zeros_like(common), where=union > 0.0)
    return overlaps


def _areas(boxes: Floats, first: Indices, second: Indices) -> tuple[Floats, Floats]:
    """Intersection and union of each box of the first (rows) with each of the second."""
    x1, y1, x2, y2 = boxes[first].T[:, :, None]
    left, top, right, bottom = boxes[second].T
    width = np.minimum(x2, right) - np.maximum(x1, left)
    height = np.minimum(y2, bottom) - np.maximum(y1, top)
    common = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    areas = (x2 - x1) * (y2 - y1) + (right - left) * (bottom - top)
    return common, areas - common
