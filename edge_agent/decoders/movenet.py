"""People with their keypoints, of MoveNet.

Published with the models: SinglePose has one output of 1 x 1 x 17 x 3 (y, x, score), MultiPose one
of 1 x 6 x 56 (17 times y, x, score, then ymin, xmin, ymax, xmax, score), fractions of the input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import real_values
from edge_agent.decoders.keypoints import COCO_17, Sure, person
from edge_agent.decoders.labels import wrong_count
from edge_agent.decoders.nms import Floats
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Options
from edge_agent.result import Detection, Kind

_POINTS = len(COCO_17)
_SINGLE = (1, 1, _POINTS, 3)
_MULTI = 3 * _POINTS + 5


@dataclass(frozen=True, slots=True)
class MovenetOptions(Options):
    """How the keypoints of a MoveNet model are read."""

    sure: Sure = 0.3


class MovenetDecoder:
    """Gives a person whose score reaches the threshold, with all its keypoints.

    The score is the mean of those of the keypoints; MultiPose has one of its own.
    """

    name = "movenet"
    kind: Kind = "keypoints"
    note = ""
    Options: ClassVar[type[MovenetOptions]] = MovenetOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: MovenetOptions
    ) -> None:
        if _people(info) is None:
            raise ModelError(
                "the movenet decoder needs one output of 1 x 1 x 17 x 3 or 1 x people x 56",
                "set task: auto, or task: raw to see the numbers",
            )
        if labels is not None and len(labels) != 1:
            raise wrong_count(labels, 1)
        self.labels = labels or ("person",)
        self._spec = info.outputs[0]
        self._sure = options.sure
        self._width = self._spec.shape[-1] if len(self._spec.shape) == 3 else 3 * _POINTS

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the shape of the only output."""
        people = _people(info)
        if people is None:
            return None
        number = "one person" if people == 1 else "several people"
        return f"output 0 holds y, x and score of the 17 keypoints of {number}"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """People best first."""
        rows = real_values(outputs[0], self._spec).reshape(-1, self._width)
        with np.errstate(all="ignore"):  # broken numbers are left out
            found = (self._person(row, threshold, mapping) for row in rows)
            people = [each for each in found if each is not None]
        return tuple(sorted(people, key=lambda each: -each.score))

    def _person(self, row: Floats, threshold: float, mapping: BoxMapping) -> Detection | None:
        points = row[: 3 * _POINTS].reshape(_POINTS, 3)[:, [1, 0, 2]]
        is_single = self._width == 3 * _POINTS
        score = float(np.clip(points[:, 2], 0, 1).mean() if is_single else row[-1])
        if not score >= threshold:
            return None
        return person(points, self.labels[0], score, self._sure, mapping)


def _people(info: ModelInfo) -> int | None:
    """How many people the output has room for, -1 where that is open; None for another model."""
    if len(info.outputs) != 1:
        return None
    shape = info.outputs[0].shape
    if shape == _SINGLE:
        return 1
    return shape[1] if len(shape) == 3 and shape[0] in (1, -1) and shape[2] == _MULTI else None
