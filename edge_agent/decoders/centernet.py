"""Detections of CenterNet, which finds the middles of objects.

Zhou et al., "Objects as Points", 2019, and `xingyizhou/CenterNet`, `ctdet_decode`: each class has a
heatmap whose peaks are middles, with the rest of the place and the size of the box beside it, both
in cells of the heatmap. There is no NMS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.activation import ToldActivation, Wanted
from edge_agent.decoders.base import Reader, input_size, real_range
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, Iou, corners
from edge_agent.decoders.dense import logit, sigmoid
from edge_agent.decoders.grid import Heads, read_heads
from edge_agent.decoders.labels import Labels, fit_to_classes
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.peaks import peaks
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind

_SIZE_WORDS = ("wh", "size", "scale", "dim")
_OFFSET_WORDS = ("reg", "off")


@dataclass(frozen=True, slots=True)
class CenternetOptions(BoxOptions):
    """How the heads of a CenterNet model are read."""

    iou: Iou = 1.0
    order: Annotated[
        Literal["xy", "yx"],
        Doc("Which comes first in sizes and offsets: xy as published, yx in TensorFlow's models."),
    ] = "xy"
    activation: Wanted = "auto"


class CenternetDecoder:
    """Looks for peaks in the numbers of the heatmap; only they become real.

    Which of the two outputs with two channels holds the sizes is told by names or by what they can
    hold, else by the first frame: sizes are the larger numbers.
    """

    name = "centernet"
    kind: Kind = "object"
    Options: ClassVar[type[CenternetOptions]] = CenternetOptions

    def __init__(self, info: ModelInfo, labels: Labels, options: CenternetOptions) -> None:
        found, size = _heads(info), input_size(info)
        if found is None or size is None:
            raise ModelError(
                "the centernet decoder needs a heatmap of 1 x rows x columns x classes over its "
                "input, and two outputs with two numbers for each of its places",
                "set task: auto, or task: raw to see the numbers",
            )
        self._heads, self._heat, self._pair = found
        self.labels, self.note = fit_to_classes(labels, self._heads.channels[self._heat])
        self._sizes = _told_sizes(info, self._pair)
        self._readers = [Reader(spec) for spec in info.outputs]
        self._activation = ToldActivation(info, [self._heat], options.activation)
        self._finish = Finish(options, self.labels)
        self._is_yx = options.order == "yx"
        self._size = np.array(size, np.float32)[:, None]

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By three outputs over one grid, two of them with two channels."""
        found = _heads(info)
        if found is None:
            return None
        heads, heat, _ = found
        return (
            f"output {heat} is a heatmap of {heads.channels[heat]} classes at stride "
            f"{heads.stride}, with sizes and offsets beside it"
        )

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            reader = self._readers[self._heat]
            heat = self._heads.view(self._heat, reader.native(outputs[self._heat]))
            is_logit = self._activation.of([heat]) == "sigmoid"
            least = reader.least(logit(threshold) if is_logit else threshold)
            rows, columns, classes = peaks(heat, least)
            scores = reader.real(heat[rows, columns, classes])
            scores = sigmoid(scores) if is_logit else scores
            of_size = self._sizes if self._sizes is not None else self._tell_sizes(outputs)
            of_offset = next(output for output in self._pair if output != of_size)
            sizes = self._numbers(outputs, of_size)[:, rows, columns]
            offsets = self._numbers(outputs, of_offset)[:, rows, columns]
            centres = np.stack([columns, rows]).astype(np.float32) + offsets
            unit = self._heads.stride / self._size
            boxes = corners(centres * unit, np.maximum(sizes, 0.0) * unit)
            found = Candidates(boxes, scores.astype(np.float32), classes)
            best = np.argsort(-found.scores, kind="stable")
            return self._finish.detections(found.take(best), mapping, threshold)

    def _numbers(self, outputs: Sequence[NDArray[Any]], output: int) -> Floats:
        """2 x rows x columns, x or width first."""
        view = self._heads.view(output, self._readers[output].real(outputs[output]))
        numbers: Floats = view.transpose(2, 0, 1)
        return numbers[::-1] if self._is_yx else numbers

    def _tell_sizes(self, outputs: Sequence[NDArray[Any]]) -> int:
        """The output with the larger numbers, which is kept once the frame has any."""
        most = [float(np.nanmax(np.abs(self._numbers(outputs, output)))) for output in self._pair]
        first = self._pair[int(most[1] > most[0])]
        if most[0] != most[1]:
            self._sizes = first
        return first


def _heads(info: ModelInfo) -> tuple[Heads, int, tuple[int, int]] | None:
    """The heads, the output with the heatmap and the two beside it."""
    if len(info.outputs) != 3:
        return None
    for channels_first in (False, True):
        heads = read_heads(info, channels_first)
        if heads is None:
            continue
        twos = [output for output, count in enumerate(heads.channels) if count == 2]
        if len(twos) == 3:
            twos = [output for output in twos if _words(info, output) != (False, False)]
        if len(twos) == 2:
            (heat,) = {0, 1, 2} - set(twos)
            return heads, heat, (twos[0], twos[1])
    return None


def _words(info: ModelInfo, output: int) -> tuple[bool, bool]:
    """Whether the name of an output speaks of sizes, and of offsets."""
    name = info.outputs[output].name.lower()
    sizes, offsets = (any(word in name for word in each) for each in (_SIZE_WORDS, _OFFSET_WORDS))
    return sizes, offsets


def _told_sizes(info: ModelInfo, pair: tuple[int, int]) -> int | None:
    """The output with the sizes by its name, else by the range of whole numbers."""
    told = [output for output in pair if _words(info, output) == (True, False)]
    if len(told) == 1:
        return told[0]
    others = [output for output in pair if _words(info, output) == (False, True)]
    if len(others) == 1:
        return next(output for output in pair if output != others[0])
    limits = [real_range(info.outputs[output]) for output in pair]
    if limits[0] is None or limits[1] is None or limits[0][1] == limits[1][1]:
        return None
    return pair[int(limits[1][1] > limits[0][1])]
