"""Which outputs of a single-shot detector are boxes and which are scores, grid by grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import real_range
from edge_agent.model import ModelInfo, TensorSpec

_BOX_WORDS = ("box", "loc", "regress", "encoding")
_NUMBERS = (4, 16, 18)  # of a box; MediaPipe's faces and palms have keypoints behind it
SCORE_WORDS = ("class", "score", "cls", "conf")


@dataclass(frozen=True, slots=True)
class Level:
    """Outputs with boxes and scores of the same `places`, which are the priors of one grid."""

    boxes: int
    scores: int
    places: int
    channels_first: bool = False

    def table(self, values: NDArray[Any], shapes_of: int) -> NDArray[Any]:
        """One of its outputs as places x `shapes_of` numbers; copied where channels come first."""
        if not self.channels_first:
            return values.reshape(self.places, -1)
        cells = int(np.prod(values.shape[2:]))
        parts = values.reshape(-1, shapes_of, cells).transpose(2, 0, 1)
        return parts.reshape(self.places, shapes_of)


@dataclass(frozen=True, slots=True)
class Levels:
    """All levels, the finest first; each place has `numbers` for a box and `classes` scores."""

    levels: tuple[Level, ...]
    numbers: int
    classes: int

    @property
    def places(self) -> int:
        """Number of priors."""
        return sum(level.places for level in self.levels)


def read_levels(info: ModelInfo) -> Levels | None:
    """Levels of a model with one pair of outputs (1 x places x numbers), or one for each grid.

    None where the outputs are not of that form, or nothing tells boxes from scores.
    """
    return _pairs(info) or _grids(info)


def _pairs(info: ModelInfo) -> Levels | None:
    """Outputs of 1 x places x numbers: a pair of the same places, or one for each grid."""
    by_places: dict[int, list[int]] = {}
    for index, spec in enumerate(info.outputs):
        if len(spec.shape) != 3 or spec.shape[0] not in (1, -1) or min(spec.shape[1:]) < 1:
            return None
        by_places.setdefault(spec.shape[1], []).append(index)
    levels, kinds = [], set()
    for places, pair in sorted(by_places.items(), reverse=True):
        boxes = _boxes_of(info, *pair) if len(pair) == 2 else None
        if boxes is None:
            return None
        (scores,) = set(pair) - {boxes}
        kinds.add((info.outputs[boxes].shape[2], info.outputs[scores].shape[2]))
        levels.append(Level(boxes, scores, places))
    return Levels(tuple(levels), *kinds.pop()) if len(kinds) == 1 else None


def _boxes_of(info: ModelInfo, first: int, second: int) -> int | None:
    """The one of two outputs that holds boxes."""
    sides = {index: info.outputs[index].shape[2] for index in (first, second)}
    able = [index for index, side in sides.items() if side == 4 or (side >= 12 and side % 2 == 0)]
    four = [index for index in able if sides[index] == 4]
    for choice in (four, able):
        if len(choice) == 1:
            return choice[0]
    told = [index for index in sides if is_boxes(info.outputs[index])]
    return told[0] if len(told) == 1 else None


def is_boxes(spec: TensorSpec) -> bool:
    """By a word of the name, else by numbers that no score has."""
    name = spec.name.lower()
    words = [any(word in name for word in each) for each in (_BOX_WORDS, SCORE_WORDS)]
    if words[0] != words[1]:
        return words[0]
    limits = real_range(spec)
    return limits is not None and limits[0] < -0.5


def _grids(info: ModelInfo) -> Levels | None:
    """Outputs of 1 x rows x columns x (shapes numbers) in pairs, or with the channels in front."""
    return _laid(info, channels_first=False) or _laid(info, channels_first=True)


def _laid(info: ModelInfo, channels_first: bool) -> Levels | None:
    by_grid: dict[tuple[int, ...], list[int]] = {}
    for index, spec in enumerate(info.outputs):
        if len(spec.shape) != 4 or spec.shape[0] not in (1, -1) or min(spec.shape[1:]) < 1:
            return None
        grid = spec.shape[2:] if channels_first else spec.shape[1:3]
        by_grid.setdefault(grid, []).append(index)
    if not by_grid or any(len(pair) != 2 for pair in by_grid.values()):
        return None
    pairs = [by_grid[grid] for grid in sorted(by_grid, key=lambda sides: -sides[0] * sides[1])]
    for numbers in _NUMBERS:
        for few_first in (True, False):
            found = _levels(info, pairs, few_first, numbers, channels_first)
            if found is not None:
                return found
    return None


def _levels(
    info: ModelInfo, pairs: list[list[int]], few_first: bool, numbers: int, channels_first: bool
) -> Levels | None:
    """Levels where of each pair the boxes are the output with fewer numbers (or with more)."""
    levels, classes = [], set()
    for pair in pairs:
        sides = [info.outputs[index].shape[1 if channels_first else 3] for index in pair]
        if sides[0] == sides[1]:
            told = [is_boxes(info.outputs[index]) for index in pair]
            first = told.index(True) if sum(told) == 1 else None
        else:
            first = sides.index(min(sides) if few_first else max(sides))
        shapes = 0 if first is None else sides[first] // numbers
        if first is None or shapes == 0 or sides[first] % numbers or sides[1 - first] % shapes:
            return None
        shape = info.outputs[pair[0]].shape
        rows, columns = shape[2:] if channels_first else shape[1:3]
        classes.add(sides[1 - first] // shapes)
        levels.append(Level(pair[first], pair[1 - first], rows * columns * shapes, channels_first))
    return Levels(tuple(levels), numbers, classes.pop()) if len(classes) == 1 else None
