"""Which outputs of a YOLO model that is cut before its end are boxes and which are scores.

Exports for accelerators leave out the last steps of `Detect.forward`: boxes and scores come as two
outputs, or as two for each grid (with the sum of the scores as a third in Rockchip's), or joined
for each grid, their places in rows and columns or one after the other.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from edge_agent.decoders.base import Unsure, input_size
from edge_agent.decoders.ssd_levels import SCORE_WORDS, is_boxes
from edge_agent.decoders.ssd_scores import is_probability
from edge_agent.decoders.yolo_layout import STRIDES, grid_cells
from edge_agent.model import ModelInfo, TensorSpec

DISTRIBUTIONS = 64
"""Numbers of a box whose sides are distributions: `reg_max` of 16 in every published model."""

Sides = Literal["distributions", "numbers"]
Strides = tuple[int, ...]
_LEVELS = (4, 8, 16, 32, 64)
_COCO = 80
_ANCHORS = 3


@dataclass(frozen=True, slots=True)
class Part:
    """Some channels of one output, from `first` on; `places` are its cells, row by row."""

    output: int
    channels_first: bool
    places: int
    channels: int
    first: int = 0

    def view(self, values: NDArray[Any]) -> NDArray[Any]:
        """The output as channels x places, not copied; those of others are left out."""
        whole = values.size // self.places
        shape = (whole, self.places) if self.channels_first else (self.places, whole)
        table = values.reshape(shape)
        table = table if self.channels_first else table.T
        rows: NDArray[Any] = table[self.first : self.first + self.channels]
        return rows


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs to the cells of these strides, the finest first.

    `index` numbers the best class of each cell, where the scores are of that alone.
    """

    strides: Strides
    boxes: Part
    scores: Part
    index: Part | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """Groups of all grids, the finest first; `classes` is None where only the best is told."""

    groups: tuple[Group, ...]
    sides: Sides
    classes: int | None

    @property
    def text(self) -> str:
        """It in words."""
        places = sum(group.boxes.places for group in self.groups)
        scores = "the best class" if self.classes is None else f"{self.classes} class scores"
        grids = f"{len(self.groups)} grids" if len(self.groups) > 1 else f"{places} places"
        form = "sides as distributions" if self.sides == "distributions" else "four numbers"
        return f"boxes ({form}) and {scores} of {grids}"


def read_parts(info: ModelInfo, told: bool = False) -> Parts | None:
    """The parts of a model whose outputs cover its grids; None for another model.

    Raises Unsure where they are joined and nothing tells the number of classes, unless `told` that
    it is such a model.
    """
    size = input_size(info)
    if size is None or not info.outputs:
        return None
    for channels_first in (False, True):
        found = [
            _cells(index, spec, size, channels_first) for index, spec in enumerate(info.outputs)
        ]
        parts = [each for each in found if each is not None]
        groups = _groups(info, parts, told) if len(parts) == len(found) else None
        if groups is not None:
            return groups
    return None


def _cells(
    output: int, spec: TensorSpec, size: tuple[int, int], channels_first: bool
) -> tuple[Strides, Part] | None:
    """The strides whose cells an output covers, with its channels before or behind them."""
    if len(spec.shape) not in (2, 3, 4) or spec.shape[0] not in (1, -1):
        return None
    sides = spec.shape[1:] if len(spec.shape) > 2 else (*spec.shape[1:], 1)
    is_first = channels_first and len(spec.shape) > 2
    channels, cells = (sides[0], sides[1:]) if is_first else (sides[-1], sides[:-1])
    if channels < 1:
        return None
    for strides in (*((each,) for each in _LEVELS), *STRIDES):
        counts = grid_cells(size, strides)
        grid = (-(-size[1] // strides[0]), -(-size[0] // strides[0]))
        if cells == (counts,) or (len(strides) == 1 and cells == grid):
            return strides, Part(output, is_first, counts, channels)
    return None


def _groups(info: ModelInfo, parts: list[tuple[Strides, Part]], told: bool) -> Parts | None:
    """Parts by their strides, each with the same roles."""
    by_strides: dict[Strides, list[Part]] = {}
    for strides, part in parts:
        by_strides.setdefault(strides, []).append(part)
    if len(by_strides) == 1 and len(next(iter(by_strides))) == 1:
        return None  # one grid alone is some other model
    groups = [_roles(info, strides, by_strides[strides], told) for strides in sorted(by_strides)]
    known = [group for group in groups if group is not None]
    kinds = {(group.boxes.channels, group.scores.channels, group.index is None) for group in known}
    if len(known) < len(groups) or len(kinds) != 1:
        return None
    ((numbers, classes, is_plain),) = kinds
    sides: Sides = "distributions" if numbers == DISTRIBUTIONS else "numbers"
    return Parts(tuple(known), sides, classes if is_plain else None)


def _roles(info: ModelInfo, strides: Strides, parts: list[Part], told: bool) -> Group | None:
    if len(parts) == 1:
        return _joined(parts[0], strides) if told or _is_joined(info, strides, parts[0]) else None
    boxes = _boxes(info, parts)
    if boxes is None:
        return None
    others = [part for part in parts if part is not boxes]
    if len(others) == 1:
        return Group(strides, boxes, others[0])
    if len(others) != 2:
        return None
    numbers = [part for part in others if _is_index(info, part)]
    if len(numbers) == 1 and all(part.channels == 1 for part in others):
        (scores,) = (part for part in others if part is not numbers[0])
        return Group(strides, boxes, scores, numbers[0])
    # Rockchip's third output is the sum of the scores, which of one class is its score again.
    if boxes.channels == DISTRIBUTIONS and min(part.channels for part in others) == 1:
        return Group(strides, boxes, max(others, key=lambda part: part.channels))
    return None


def _boxes(info: ModelInfo, parts: list[Part]) -> Part | None:
    """The one with the channels of boxes; of several, by names or by what the numbers can be."""
    channels = Counter(part.channels for part in parts)
    for wanted in (DISTRIBUTIONS, 4):
        able = [part for part in parts if part.channels == wanted]
        if channels[wanted] > 1:
            named = [part for part in able if is_boxes(info.outputs[part.output])]
            able = named or [part for part in able if not _is_scores(info, part)]
        if len(able) == 1:
            return able[0]
    return None


def _is_scores(info: ModelInfo, part: Part) -> bool:
    """By the name, or because it is made 0..1 by the model."""
    named = any(word in info.outputs[part.output].name.lower() for word in SCORE_WORDS)
    return named or is_probability(info, part.output)


def _joined(part: Part, strides: Strides) -> Group | None:
    """The two parts of one output: distributions in front and scores behind."""
    classes = part.channels - DISTRIBUTIONS
    if classes < 1:
        return None
    boxes = Part(part.output, part.channels_first, part.places, DISTRIBUTIONS)
    scores = Part(part.output, part.channels_first, part.places, classes, DISTRIBUTIONS)
    return Group(strides, boxes, scores)


def _is_joined(info: ModelInfo, strides: Strides, part: Part) -> bool:
    """Whether the channels are distributions and classes; raises Unsure for those of one grid."""
    labels = _COCO if info.labels is None else len(info.labels)
    classes = part.channels - DISTRIBUTIONS
    if classes < 1 or "imgsz" in info.metadata or part.channels == _ANCHORS * (5 + labels):
        return False
    if classes != labels and len(strides) == 1:
        raise Unsure(
            f"output {part.output} may hold boxes as distributions and {classes} class scores for "
            "each cell of a YOLO grid: give the labels, or set task: yolo_split"
        )
    return classes == labels


def _is_index(info: ModelInfo, part: Part) -> bool:
    """Whether an output numbers classes: whole numbers, or made by an operator that does."""
    spec, origin = info.outputs[part.output], info.origins[part.output]
    is_whole = spec.dtype.kind in "iu" and spec.scale is None
    words = spec.name.lower()
    return is_whole or (origin is not None and origin.operator == "ARG_MAX") or "class" in words
