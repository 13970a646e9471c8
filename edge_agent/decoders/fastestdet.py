"""Detections of FastestDet, a single grid without anchors.

`dog-qiuqiu/FastestDet`, `utils/tool.py` `handle_preds`: channels are objectness, x, y, width,
height, classes; the score is objectness^0.6 * class^0.4, the centre tanh from its cell, the size a
sigmoid of the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, corners
from edge_agent.decoders.dense import sigmoid
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.result import Detection, Kind

_STRIDE = 16
_NXP = ((220, 220), 6)  # input and channels of the person detector of NXP's eIQ Model Zoo
_NXP_PAD = 150


@dataclass(frozen=True, slots=True)
class FastestdetOptions(BoxOptions):
    """How the output of a FastestDet model is read."""


class FastestdetDecoder:
    """Reads one output of 1 x rows x columns x (5 + classes), or with the channels first.

    The official models take stretched pictures; NXP's is known by its shapes to take a letterbox.
    """

    name = "fastestdet"
    kind: Kind = "object"
    Options: ClassVar[type[FastestdetOptions]] = FastestdetOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: FastestdetOptions
    ) -> None:
        grid = _grid(info)
        if grid is None:
            raise ModelError(
                "the fastestdet decoder needs one output of 1 x rows x columns x channels, with "
                "the cells of stride 16 over the model's input",
                "set task: auto, or task: raw to see the numbers",
            )
        self._channels_first, channels = grid
        is_nxp = (input_size(info), channels) == _NXP
        self.pictures = {"pad": _NXP_PAD} if is_nxp else {"color": "bgr"}
        known = ("person",) if is_nxp else None
        self.labels, self.note = fit_to_classes(labels or known, channels - 5)
        self._finish = Finish(options, self.labels)
        self._reader = Reader(info.outputs[0])

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the grid, and by the sigmoid and the softmax that are joined with the boxes."""
        grid = _grid(info)
        joins = info.operators[-1:] in (("CONCATENATION",), ("DEQUANTIZE",))
        activations = [name for name in info.operators if name in ("LOGISTIC", "SOFTMAX")]
        if grid is None:
            return None
        if not joins or sorted(activations) != ["LOGISTIC", "SOFTMAX"]:
            if info.labels is not None and len(info.labels) == grid[1] - 5:
                raise Unsure(
                    "output 0 may be a FastestDet grid by its sides and the number of labels, but "
                    "not by its operators: set task: fastestdet"
                )
            return None
        return f"output 0 joins a sigmoid, boxes and a softmax of {grid[1] - 5} in one grid"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            values = self._reader.native(outputs[0])[0]
            table = values if self._channels_first else values.transpose(2, 0, 1)
            # A class is at most 1, so the objectness alone must reach the threshold^(1/0.6).
            rows, columns = np.nonzero(table[0] >= self._reader.least(threshold ** (1 / 0.6)))
            numbers = self._reader.real(table[:, rows, columns])
            classes = numbers[5:].argmax(axis=0)
            best = np.take_along_axis(numbers[5:], classes[None], 0)[0]
            scores = np.clip(numbers[0], 0, 1) ** 0.6 * np.clip(best, 0, 1) ** 0.4
            enough = np.flatnonzero(scores >= threshold)
            cells = np.stack([columns, rows])[:, enough].astype(np.float32)
            size = np.array(table.shape[:0:-1], np.float32)[:, None]
            centres = (np.tanh(numbers[1:3, enough]) + cells) / size
            boxes = corners(centres, sigmoid(numbers[3:5, enough]))
            found = Candidates(boxes, scores[enough].astype(np.float32), classes[enough])
            return self._finish.detections(found, mapping, threshold)


def _grid(info: ModelInfo) -> tuple[bool, int] | None:
    """Whether the channels come first, and their number; None for another model."""
    size = input_size(info)
    if size is None or len(info.outputs) != 1 or len(info.outputs[0].shape) != 4:
        return None
    cells = (-(-size[1] // _STRIDE), -(-size[0] // _STRIDE))
    _, first, second, third = info.outputs[0].shape
    for channels_first, sides, channels in (
        (False, (first, second), third),
        (True, (second, third), first),
    ):
        if sides == cells and channels > 5:
            return channels_first, channels
    return None
