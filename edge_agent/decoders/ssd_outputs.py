"""Which output of an SSD model holds the boxes, the classes, the scores and the count.

Converters put the four outputs of TFLite_Detection_PostProcess in any order. They are told apart
by the operator itself, else by their names, else by their shapes, and last (classes against
scores, which have one shape) by what they hold in the first frame with detections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import real_range
from edge_agent.model import ModelInfo, TensorSpec

OPERATOR = "TFLite_Detection_PostProcess"
# Slots of the operator: tensorflow/lite/kernels/detection_postprocess.cc.
_SLOTS = ("boxes", "classes", "scores", "count")
# TensorFlow's object detection exporter, and the tensor names of TFLite Metadata.
_WORDS = {
    "boxes": ("box", "location"),
    "classes": ("class", "categor"),
    "scores": ("score",),
    "count": ("num", "count"),
}


@dataclass(frozen=True, slots=True)
class SsdOutputs:
    """Index of each output; `count` is None where the model has none."""

    boxes: int
    classes: int
    scores: int
    count: int | None


def by_origin(info: ModelInfo) -> SsdOutputs | None:
    """By the slot of the operator that each output comes from."""
    found = {
        _SLOTS[origin.slot]: index
        for index, origin in enumerate(info.origins)
        if origin is not None and origin.operator == OPERATOR and origin.slot < len(_SLOTS)
    }
    return _complete(found)


def by_name(outputs: Sequence[TensorSpec]) -> SsdOutputs | None:
    """By the operator's own name with ":1" to ":3", else by words such as "scores"."""
    names = [spec.name for spec in outputs]
    numbered = {
        what: names.index(name)
        for what, name in zip(
            _SLOTS, (OPERATOR, *(f"{OPERATOR}:{n}" for n in (1, 2, 3))), strict=True
        )
        if name in names
    }
    return _complete(numbered) or _shaped(_complete(_by_words(names)), outputs)


def by_shape(shapes: Sequence[tuple[int, ...]]) -> tuple[int, int | None, tuple[int, int]] | None:
    """Index of the boxes [1, N, 4] and the count [1], and the two outputs [1, N] that remain.

    None where that is not certain, as with N = 1.
    """
    boxes = [i for i, shape in enumerate(shapes) if len(shape) == 3 and shape[2] == 4]
    if len(boxes) != 1:
        return None
    rows = shapes[boxes[0]][1]
    pair = [i for i, shape in enumerate(shapes) if len(shape) == 2 and shape[1] == rows]
    counts = [i for i, shape in enumerate(shapes) if len(shape) <= 1 and shape in ((), (1,))]
    if len(pair) != 2 or len(counts) > 1:
        return None
    return boxes[0], counts[0] if counts else None, (pair[0], pair[1])


def scores_by_range(outputs: Sequence[TensorSpec], pair: tuple[int, int]) -> int | None:
    """The one output of the two whose quantisation ends at about 1; None where not so."""
    ends = [real_range(outputs[index]) for index in pair]
    within = [end is not None and end[1] <= 1.01 for end in ends]
    return pair[within.index(True)] if sum(within) == 1 else None


def scores_by_content(
    values: tuple[NDArray[np.float32], NDArray[np.float32]], pair: tuple[int, int]
) -> int | None:
    """The one of the two that cannot be class numbers: it holds fractions.

    Where both hold whole numbers only, the one that reaches beyond 1 is the classes. None where
    even that does not tell (no detection yet, or all of class 0 or 1 with full score).
    """
    whole = [bool((part == np.rint(part)).all()) for part in values]
    if whole[0] != whole[1]:
        return pair[whole.index(False)]
    large = [bool((part > 1.0).any()) for part in values]
    if large[0] != large[1]:
        return pair[large.index(False)]
    return None


def _complete(found: dict[str, int]) -> SsdOutputs | None:
    if not {"boxes", "classes", "scores"} <= found.keys():
        return None
    return SsdOutputs(found["boxes"], found["classes"], found["scores"], found.get("count"))


def _by_words(names: Sequence[str]) -> dict[str, int]:
    """Outputs that carry the words of one meaning only, where one output alone does."""
    meanings = [
        [what for what, words in _WORDS.items() if any(word in name.lower() for word in words)]
        for name in names
    ]
    return {what: meanings.index([what]) for what in _SLOTS if meanings.count([what]) == 1}


def _shaped(found: SsdOutputs | None, outputs: Sequence[TensorSpec]) -> SsdOutputs | None:
    """What the names say, unless the shapes deny it (other models have boxes and scores too)."""
    if found is None:
        return None
    boxes, scores = outputs[found.boxes].shape, outputs[found.scores].shape
    fits = (not boxes or boxes[-1] == 4) and len(scores) <= 2
    return found if fits else None


def describe(outputs: SsdOutputs) -> str:
    """Say it for people, as in "boxes 0, classes 1, scores 2, count 3"."""
    places: dict[str, Any] = {what: getattr(outputs, what) for what in _SLOTS}
    return ", ".join(f"{what} {index}" for what, index in places.items() if index is not None)
