"""Reads the one output of a YOLO model that holds decoded boxes with their scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, real_range
from edge_agent.decoders.boxes import Candidates, corners
from edge_agent.decoders.dense import DenseScores
from edge_agent.decoders.nms import Floats, Indices
from edge_agent.decoders.yolo_layout import Layout
from edge_agent.errors import ModelError
from edge_agent.model import TensorSpec

Units = Literal["auto", "fraction", "pixel"]

CURE = "set task: auto, or task: raw to see the numbers"

_MOST_CLASSES = 1e6
_PIXELS_FROM = 2.0  # a fraction of the picture is never that large, and a grid in pixels reaches it


class YoloTable:
    """Finds the places of an output of that layout whose best class reaches the threshold.

    `size` is the width and height of the model's picture in px, None where that is open. Raises
    ModelError where boxes in pixels have no size to be divided by.
    """

    def __init__(
        self, spec: TensorSpec, layout: Layout, size: tuple[int, int] | None, units: Units
    ) -> None:
        self.layout = layout
        self._reader = Reader(spec)
        self._scores = DenseScores(self._reader)
        self._size = size
        self._factors = self._known_factors(units)

    def find(self, values: NDArray[Any], threshold: float) -> tuple[Candidates, Indices]:
        """Candidates, and the places that they stand at; those of end2end best first."""
        table = self._native(values)
        if self.layout.kind == "end2end":
            return self._rows(table, threshold)
        first = self.layout.first
        of_class = table[first : first + (self.layout.classes or 0)]
        objectness = table[4] if self.layout.kind == "v5" else None
        found = self._scores.find(of_class, threshold, objectness)
        boxes = self._reader.real(table[:4, found.index]) * self._factor(table[:2])
        candidates = Candidates(corners(boxes[:2], boxes[2:]), found.scores, found.classes)
        return candidates, found.index

    def others(self, values: NDArray[Any], place: int) -> Floats:
        """Real numbers of the channels of one place that follow those of the classes."""
        table = self._native(values)
        return self._reader.real(table[len(table) - self.layout.extra :, place])

    def _native(self, values: NDArray[Any]) -> NDArray[Any]:
        """Channels x places, in numbers that order as the real ones do."""
        native = self._reader.native(values)[0]
        table: NDArray[Any] = native if self.layout.channels_first else native.T
        return table

    def _rows(self, table: NDArray[Any], threshold: float) -> tuple[Candidates, Indices]:
        """Rows of x1, y1, x2, y2, score and class, best first."""
        real = self._reader.real(table[:6])
        good = np.isfinite(real).all(axis=0) & (real[4] >= threshold)
        good &= np.abs(real[5]) < _MOST_CLASSES
        places = np.flatnonzero(good)
        places = places[np.argsort(-real[4, places], kind="stable")]
        boxes = real[:4, places] * self._factor(real[2:4])
        classes = np.rint(real[5, places]).astype(np.intp)
        return Candidates(boxes.T, real[4, places], classes), places

    def _factor(self, sides: NDArray[Any]) -> Floats:
        """What turns sides into fractions of the input, 4 x 1; all `sides` may tell the unit."""
        if self._factors is not None:
            return self._factors
        finite = sides[np.isfinite(sides)]
        is_pixel = bool(finite.size) and float(finite.max()) > _PIXELS_FROM
        factors = _factors(self._size if is_pixel else (1, 1))
        if is_pixel or finite.any():
            self._factors = factors
        return factors

    def _known_factors(self, units: Units) -> Floats | None:
        """By the option or by what the tensor can hold; None where only numbers will tell."""
        limits = real_range(self._reader.spec)
        if units == "auto" and limits is None and self._size is not None:
            return None
        reach = limits[1] if limits is not None else 1.0
        is_pixel = units == "pixel" or (units == "auto" and reach > _PIXELS_FROM)
        if is_pixel and self._size is None:
            raise ModelError("boxes in pixels need a model whose input has a fixed size", CURE)
        return _factors(self._size if is_pixel else (1, 1))


def _factors(size: tuple[int, int] | None) -> Floats:
    width, height = size or (1, 1)
    return np.array([[1 / width], [1 / height]] * 2, np.float32)
