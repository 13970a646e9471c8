"""Boxes of a single-shot detector: encoded for its priors, or decoded by the model itself."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edge_agent.decoders.boxes import corners
from edge_agent.decoders.nms import Floats, Indices
from edge_agent.decoders.priors import Family, Size

BoxForm = Literal["auto", "encoded", "corners", "centres"]

DECODED = ("corners", "centres")

_PIXELS_FROM = 2.0  # a fraction of the picture is never that large


class PriorBoxes:
    """Reads boxes in the form that is named or that the numbers of the first frame tell.

    `priors` are N x 4 as in `priors.py`, None where the boxes are decoded for certain.
    """

    def __init__(self, family: Family, priors: Floats | None, size: Size | None, form: BoxForm):
        self._family = family
        self._priors = None if priors is None else np.ascontiguousarray(priors.T)
        self._size = np.array(size or (1, 1), np.float32)[:, None]
        self._form = "encoded" if family.linear and form == "auto" else form
        self._unit: Floats | None = None

    @property
    def is_told(self) -> bool:
        """Whether the form is known, and for decoded boxes the unit."""
        return self._form == "encoded" or self._unit is not None

    def tell(self, numbers: Floats) -> None:
        """Learn from all boxes of a frame (N x 4): encodings are never in order everywhere."""
        finite = numbers[np.isfinite(numbers).all(axis=1)]
        if self._form == "auto":
            self._form = _form(finite)
        if self._form in DECODED and finite.any():
            is_pixel = float(finite.max()) > _PIXELS_FROM
            self._unit = self._size if is_pixel else np.ones_like(self._size)

    def corners(self, numbers: Floats, index: Indices) -> Floats:
        """N x 4 corners, 0..1 of the input, from 4 x N numbers of the priors at those indices."""
        first, second = numbers[:2], numbers[2:]
        if self._family.yx:
            first, second = first[::-1], second[::-1]
        if self._form in DECODED:
            unit = self._size if self._unit is None else self._unit
            first, second = first / unit, second / unit
            if self._form == "centres":
                return corners(first, second)
            return np.ascontiguousarray(np.concatenate([first, second]).T)
        assert self._priors is not None
        priors = self._priors[:, index]
        if self._family.linear:
            return corners(first / self._size + priors[:2], second / self._size)
        of_centre, of_size = (np.float32(each) for each in self._family.variances)
        sizes = np.exp(second * of_size) * priors[2:]
        return corners(first * of_centre * priors[2:] + priors[:2], sizes)

    def points(self, numbers: Floats, index: Indices) -> Floats:
        """N x K x 3 keypoints (x, y, 0..1 of the input, score 1) of a linear family.

        `numbers` are N x (4 + 2 K) of the priors at those indices.
        """
        assert self._priors is not None
        offsets = numbers[:, 4:].reshape(len(numbers), (numbers.shape[1] - 4) // 2, 2)
        places = offsets / self._size[:, 0] + self._priors[:2, index].T[:, None]
        points: Floats = np.ones((*places.shape[:2], 3), np.float32)
        points[..., :2] = places
        return points


def _form(numbers: Floats) -> BoxForm:
    """Corners where all are in order and half have an area; "auto" as long as that is open."""
    areas = (numbers[:, 2:] - numbers[:, :2]).min(axis=1, initial=np.inf)
    if (areas < 0.0).any():
        return "encoded"
    return "corners" if 2 * np.count_nonzero(areas > 0.0) > len(areas) else "auto"
