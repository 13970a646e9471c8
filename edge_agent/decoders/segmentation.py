"""What each pixel of the picture belongs to: the area of every class, and its outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.labels import class_name, has_background, wrong_count
from edge_agent.decoders.outlines import outlines
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping, Point
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Fraction, Options
from edge_agent.result import ClassArea, Kind

_MOST_CLASSES = 2**15
_COARSEST = 16  # the picture is at most so many times as large as the map of its classes
_CURE = "set task: auto, or task: raw to see the numbers"


@dataclass(frozen=True, slots=True)
class SegmentationOptions(Options):
    """How the pixels of a semantic segmentation are told."""

    min_area: Annotated[Fraction, Doc("Part of the frame from which on a class is told.")] = 0.001
    tolerance: Annotated[
        Fraction,
        Doc("How far outlines may leave the pixels, as part of the frame's longer side."),
    ] = 0.002


@dataclass(frozen=True, slots=True)
class _Map:
    """Rows and columns of the output; `axis` is that of the classes, None where it names them."""

    rows: int
    columns: int
    axis: int | None
    classes: int | None


class SegmentationDecoder:
    """Reads a class number for each pixel, scores of all classes for each, or one score for each.

    Of several classes the best one has the pixel. A single score must reach the threshold; with
    two labels the second is what it stands for. A class that the labels call background is left
    out. Models give no score of a whole class, so it is 1.
    """

    name = "segmentation"
    kind: Kind = "segmentation"
    note = ""
    Options: ClassVar[type[SegmentationOptions]] = SegmentationOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: SegmentationOptions
    ) -> None:
        found = _find_map(info)
        if found is None:
            raise ModelError(
                "the segmentation decoder needs one output of 1 x rows x columns (classes), or "
                "1 x rows x columns x scores, over the model's picture",
                _CURE,
            )
        self._map = found
        self._is_single = found.classes == 1
        self._names = _check_labels(labels, found)
        is_known = self._names is not None and has_background(self._names)
        self._background = 0 if is_known else None
        self.labels = self._names[1:] if self._names is not None and is_known else self._names
        self._reader = Reader(info.outputs[0])
        self._options = options

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By whole numbers, or a score for each label, at every place of the picture."""
        found = _find_map(info)
        if found is None:
            return None
        size = f"{found.columns}x{found.rows}"
        if found.axis is None:
            return f"output 0 holds a class for each of {size} places"
        if info.labels is not None and len(info.labels) == found.classes:
            return f"output 0 holds a score of each label for each of {size} places"
        if (found.columns, found.rows) == input_size(info):
            raise Unsure(
                f"output 0 holds {found.classes} numbers for each pixel, which may be scores of "
                "classes or another picture: give the labels, or set task: segmentation"
            )
        return None

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[ClassArea, ...]:
        """The classes that are there, the largest first."""
        rows, columns = _inside(mapping, self._map)
        classes = self._classes(outputs[0], threshold)[rows, columns]
        counts = np.bincount(classes.reshape(-1), minlength=_MOST_CLASSES + 1)
        share = mapping.scale_x * mapping.scale_y / (self._map.rows * self._map.columns)
        found = [
            self._area(index, classes, float(counts[index]) * share, mapping, (rows, columns))
            for index in np.flatnonzero(counts[:_MOST_CLASSES]).tolist()
            if index != self._background and counts[index] * share >= self._options.min_area
        ]
        return tuple(sorted(found, key=lambda each: -each.area))

    def _classes(self, output: NDArray[Any], threshold: float) -> NDArray[np.intp]:
        """Class of each place; what belongs to none has the number after the last."""
        native = self._reader.native(output)
        if self._map.axis is None:
            known = (native >= 0) & (native < _MOST_CLASSES)
            flat = np.where(known, native, _MOST_CLASSES).astype(np.intp)
            return flat.reshape(self._map.rows, self._map.columns)
        if not self._is_single:
            best: NDArray[np.intp] = native.argmax(axis=self._map.axis)[0]
            return best
        # With two labels the first is the background, which has no score of its own.
        index = 1 if self._names is not None and len(self._names) == 2 else 0
        reached = native.squeeze((0, self._map.axis)) >= self._reader.least(threshold)
        return np.where(reached, index, _MOST_CLASSES)

    def _area(
        self,
        index: int,
        classes: NDArray[np.intp],
        area: float,
        mapping: BoxMapping,
        part: tuple[slice, slice],
    ) -> ClassArea:
        side = max(self._map.rows / mapping.scale_y, self._map.columns / mapping.scale_x)
        lines = outlines(classes == index, self._options.tolerance * side)
        corner = np.array([part[1].start, part[0].start], np.float32)
        size = np.array([self._map.columns, self._map.rows], np.float32)
        polygons = tuple(_on_frame((line + corner) / size, mapping) for line in lines)
        return ClassArea(class_name(self._names, index), min(area, 1.0), polygons, index)


def _on_frame(line: NDArray[Any], mapping: BoxMapping) -> tuple[Point, ...]:
    places = mapping.boxes(np.concatenate([line, line], axis=1))[:, :2]
    return tuple((x, y) for x, y in places.tolist())


def _inside(mapping: BoxMapping, found: _Map) -> tuple[slice, slice]:
    """Rows and columns that show the frame, and not the borders of a letterbox."""
    return (
        _part(mapping.scale_y, mapping.offset_y, found.rows),
        _part(mapping.scale_x, mapping.offset_x, found.columns),
    )


def _part(scale: float, offset: float, length: int) -> slice:
    first, last = (round((side - offset) / scale * length) for side in (0.0, 1.0))
    return slice(max(0, first), max(0, min(length, last)))


def _find_map(info: ModelInfo) -> _Map | None:
    """The rows and columns of the only output, if they have the shape of the model's picture."""
    size = input_size(info)
    if size is None or len(info.outputs) != 1:
        return None
    spec = info.outputs[0]
    shape = spec.shape
    is_named = spec.dtype.kind in "iu" and spec.scale is None
    if is_named and (len(shape) == 3 or (len(shape) == 4 and shape[3] == 1)):
        return _Map(*shape[1:3], None, None) if _covers(shape[1:3], size) else None
    if len(shape) != 4:
        return None
    maps = [
        _Map(*sides, axis, shape[axis])
        for axis, sides in ((3, shape[1:3]), (1, shape[2:4]))
        if _covers(sides, size) and shape[axis] >= 1
    ]
    return max(maps, key=lambda each: each.rows * each.columns, default=None)


def _covers(sides: tuple[int, ...], size: tuple[int, int]) -> bool:
    """Whether rows and columns may be those of the picture, or of it made smaller."""
    rows, columns = sides
    width, height = size
    if not (1 < rows <= height <= rows * _COARSEST and 1 < columns <= width):
        return False
    return abs(columns * height - rows * width) <= max(width, height)


def _check_labels(labels: tuple[str, ...] | None, found: _Map) -> tuple[str, ...] | None:
    allowed = {found.classes, 2} if found.classes == 1 else {found.classes}
    if labels is not None and found.classes is not None and len(labels) not in allowed:
        raise wrong_count(labels, found.classes)
    return labels
