"""People with their keypoints, of PoseNet's raw heads.

Papandreou et al., "PersonLab", 2018, and `tensorflow/tfjs-models`, posenet `multi_pose`: each
keypoint has a heatmap, offsets to its exact place, and displacements from one keypoint to the next
along the body, forwards and backwards. A model without displacements tells of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.activation import ToldActivation, Wanted
from edge_agent.decoders.base import Reader, input_size
from edge_agent.decoders.dense import sigmoid
from edge_agent.decoders.grid import Heads, read_heads
from edge_agent.decoders.keypoints import COCO_17, Sure, person
from edge_agent.decoders.labels import Labels, wrong_count
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.posenet_body import EDGES, Field, Roots, grown, people
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Fraction, Options, Positive
from edge_agent.result import Detection, Kind

_POINTS = len(COCO_17)
_BACKWARD_WORDS = ("bwd", "backward")


@dataclass(frozen=True, slots=True)
class PosenetOptions(Options):
    """How the heads of a PoseNet model are read."""

    sure: Sure = 0.3
    root: Annotated[
        Fraction, Doc("Least score of a keypoint from which a person is looked for.")
    ] = 0.5
    radius: Annotated[
        Positive,
        Doc("Px of the input within which two keypoints of one name are taken for the same one."),
    ] = 20.0
    activation: Wanted = "auto"


@dataclass(frozen=True, slots=True)
class _Outputs:
    """Which output is which; `middle` are both displacements in one, else forward and backward."""

    heads: Heads
    heat: int
    offsets: int
    displacements: tuple[int, ...]


class PosenetDecoder:
    """Gives each person whose score, the mean of its own keypoints', reaches the threshold."""

    name = "posenet"
    kind: Kind = "keypoints"
    note = ""
    pictures: ClassVar[dict[str, Any]] = {"pad": 0, "mean": 127.5, "std": 127.5}
    Options: ClassVar[type[PosenetOptions]] = PosenetOptions

    def __init__(self, info: ModelInfo, labels: Labels, options: PosenetOptions) -> None:
        found, size = _outputs(info), input_size(info)
        if found is None or size is None:
            raise ModelError(
                "the posenet decoder needs heatmaps of 17 keypoints and 34 offsets for each place "
                "of a grid, with 32 displacements forwards and 32 backwards, or 64, or none",
                "set task: auto, or task: raw to see the numbers",
            )
        if labels is not None and len(labels) != 1:
            raise wrong_count(labels, 1)
        self.labels = labels or ("person",)
        self._outputs = found
        self._readers = [Reader(spec) for spec in info.outputs]
        self._activation = ToldActivation(info, [found.heat], options.activation)
        self._size = np.array(size, np.float32)
        self._options = options

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the channels of outputs over one grid."""
        found = _outputs(info)
        if found is None:
            return None
        number = "several people" if found.displacements else "one person"
        return (
            f"output {found.heat} holds heatmaps of the 17 keypoints of {number} at stride "
            f"{found.heads.stride}, output {found.offsets} their offsets"
        )

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """People best first."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            field = self._field(outputs)
            if self._outputs.displacements:
                roots = Roots.of(field, self._options.root)
                bodies = grown(field, roots, *self._displacements(outputs))
                found = people(bodies, roots, self._options.radius)
            else:
                found = [_single(field)]
            detections = (
                self._person(body, score, mapping) for body, score in found if score >= threshold
            )
            seen = [each for each in detections if each is not None]
        return tuple(sorted(seen, key=lambda each: -each.score))

    def _field(self, outputs: Sequence[NDArray[Any]]) -> Field:
        heat = self._real(outputs, self._outputs.heat)
        if self._activation.of([heat]) == "sigmoid":
            heat = sigmoid(heat)
        heat = np.nan_to_num(heat, posinf=0.0, neginf=0.0)
        offsets = _pairs(self._real(outputs, self._outputs.offsets))
        return Field(heat, offsets, self._outputs.heads.stride)

    def _displacements(self, outputs: Sequence[NDArray[Any]]) -> tuple[Floats, Floats]:
        """Rows x columns x edges x 2 (y, x), forwards and backwards."""
        tables = [self._real(outputs, output) for output in self._outputs.displacements]
        if len(tables) == 1:
            tables = [tables[0][..., : 2 * EDGES], tables[0][..., 2 * EDGES :]]
        return _pairs(tables[0]), _pairs(tables[1])

    def _real(self, outputs: Sequence[NDArray[Any]], output: int) -> Floats:
        reader = self._readers[output]
        values = reader.real(reader.native(outputs[output]))
        table: Floats = self._outputs.heads.view(output, values)
        return table

    def _person(self, body: Floats, score: float, mapping: BoxMapping) -> Detection | None:
        points = np.concatenate([body[:, 1::-1] / self._size, body[:, 2:]], axis=1)
        return person(points, self.labels[0], score, self._options.sure, mapping)


def _pairs(table: Floats) -> Floats:
    """Rows x columns x N x 2 of channels that hold all y and then all x."""
    rows, columns, count = table.shape
    return table.reshape(rows, columns, 2, count // 2).swapaxes(2, 3)


def _single(field: Field) -> tuple[Floats, float]:
    """The best place of each keypoint, 17 x 3 (y, x in px, score), and the mean of their scores."""
    columns = field.heat.shape[1]
    best = field.heat.reshape(-1, _POINTS).argmax(axis=0)
    cells = np.stack([best // columns, best % columns], axis=1)
    names = np.arange(_POINTS)
    scores = field.heat[cells[:, 0], cells[:, 1], names]
    body = np.concatenate([field.exact(cells, names), scores[:, None]], axis=1)
    return body, float(scores.mean())


def _outputs(info: ModelInfo) -> _Outputs | None:
    """The outputs by their channels; those with other numbers (such as segments) are passed."""
    for channels_first in (False, True):
        heads = read_heads(info, channels_first)
        if heads is None:
            continue
        by_count = {count: _with(heads, count) for count in (_POINTS, 2 * _POINTS, 32, 64)}
        if len(by_count[_POINTS]) != 1 or len(by_count[2 * _POINTS]) != 1:
            continue
        displacements = by_count[64] if len(by_count[64]) == 1 else by_count[32]
        if len(displacements) == 2:
            displacements.sort(key=lambda output: _is_backward(info, output))
        elif len(by_count[64]) != 1:
            displacements = []
        heat, offsets = by_count[_POINTS][0], by_count[2 * _POINTS][0]
        return _Outputs(heads, heat, offsets, tuple(displacements))
    return None


def _with(heads: Heads, count: int) -> list[int]:
    return [output for output, channels in enumerate(heads.channels) if channels == count]


def _is_backward(info: ModelInfo, output: int) -> bool:
    """By the name; where names do not tell, the forward one comes first as published."""
    name = info.outputs[output].name.lower()
    return any(word in name for word in _BACKWARD_WORDS)
