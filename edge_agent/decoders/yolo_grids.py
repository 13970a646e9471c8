"""The grids of a YOLO model that gives raw numbers, and the anchors that are known for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edge_agent.decoders.base import input_size
from edge_agent.model import ModelInfo, TensorSpec

Anchors = tuple[tuple[tuple[float, float], ...], ...]
"""Width and height in px of the input for each anchor of each grid, the finest grid first."""

_STRIDES = (4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class Grid:
    """One output: its place among them, its stride in px, and how its axes lie.

    `axes` brings a reshaped output (`shape`) into the order rows, columns, anchors, channels.
    """

    output: int
    stride: int
    shape: tuple[int, ...]
    axes: tuple[int, int, int, int]

    def view(self, values: NDArray[Any]) -> NDArray[Any]:
        """The output as rows x columns x anchors x channels, not copied."""
        return values.reshape(self.shape).transpose(self.axes)


@dataclass(frozen=True, slots=True)
class Preset:
    """A published family: its anchors, how its numbers become boxes, and its pictures.

    `square`: sizes are (2 sigmoid)^2 anchors as in YOLOv5, else exp as in YOLOv3. `scale_xy` is
    that of each grid; 2 in YOLOv5. `pad` is the grey of the letterbox.
    """

    anchors: Anchors
    scale_xy: tuple[float, ...]
    square: bool = False
    pad: int = 128  # Darknet's letterbox_image fills with 0.5
    labels: tuple[str, ...] | None = None


def _anchors(*numbers: Sequence[int]) -> Anchors:
    return tuple(tuple(zip(row[::2], row[1::2], strict=True)) for row in numbers)


_V3 = _anchors((10, 13, 16, 30, 33, 23), (30, 61, 62, 45, 59, 119), (116, 90, 156, 198, 373, 326))
_V4 = _anchors((12, 16, 19, 36, 40, 28), (36, 75, 76, 55, 72, 146), (142, 110, 192, 243, 459, 401))
# Darknet's yolov3-tiny.cfg and yolov4-tiny.cfg: masks 0, 1, 2 and 1, 2, 3 for the finer grid.
_TINY3 = _anchors((10, 14, 23, 27, 37, 58), (81, 82, 135, 169, 344, 319))
_TINY4 = _anchors((23, 27, 37, 58, 81, 82), (81, 82, 135, 169, 344, 319))
_NXP = _anchors((15, 21, 22, 29, 28, 36), (29, 51, 36, 43, 41, 54), (51, 64, 59, 82, 79, 100))

PRESETS: Mapping[str, Preset] = {
    "yolov3": Preset(_V3, (1.0, 1.0, 1.0)),
    "yolov3-tiny": Preset(_TINY3, (1.0, 1.0)),
    "yolov4": Preset(_V4, (1.2, 1.1, 1.05)),
    "yolov4-tiny": Preset(_TINY4, (1.05, 1.05)),
    "yolov5": Preset(_V3, (2.0, 2.0, 2.0), square=True, pad=114),
    "yolov7": Preset(_V4, (2.0, 2.0, 2.0), square=True, pad=114),
    "nxp-face": Preset(_NXP, (1.0, 1.0, 1.0), labels=("face",)),
}
"""Darknet's configuration files; `Detect` of YOLOv5 and v7; NXP's eIQ Model Zoo (yolo_face)."""

NXP_FACE = ((160, 128), 18)
"""Input size and channels by which the face detector of NXP is known: no other is published."""


def read_grids(info: ModelInfo, anchors: int) -> tuple[tuple[Grid, ...], int] | None:
    """The grids of a model, the finest first, and its channels for each anchor.

    None where the outputs are no grids of different strides with the same channels.
    """
    size = input_size(info)
    if size is None or not info.outputs:
        return None
    found = [_grid(i, spec, size, anchors) for i, spec in enumerate(info.outputs)]
    grids = sorted((grid for grid in found if grid is not None), key=lambda grid: grid.stride)
    channels = {grid.shape[grid.axes[3]] for grid in grids}
    strides = {grid.stride for grid in grids}
    if len(grids) < len(found) or len(strides) < len(found) or len(channels) != 1:
        return None
    (each,) = channels
    return (tuple(grids), each) if each > 5 else None


def _grid(output: int, spec: TensorSpec, size: tuple[int, int], anchors: int) -> Grid | None:
    """1 x rows x columns x (anchors channels), or with the anchors or the channels in front."""
    if len(spec.shape) not in (4, 5) or spec.shape[0] not in (1, -1):
        return None
    sides = spec.shape[1:]
    for stride in _STRIDES:
        cells = (-(-size[1] // stride), -(-size[0] // stride))
        for shape, axes in _forms(sides, anchors):
            if tuple(shape[axis] for axis in axes[:2]) == cells and shape[axes[2]] == anchors:
                return Grid(output, stride, shape, axes)
    return None


def _forms(
    sides: tuple[int, ...], anchors: int
) -> list[tuple[tuple[int, ...], tuple[int, int, int, int]]]:
    """The shapes that an output may be given, with the axes of rows, columns, anchors, channels."""
    if len(sides) == 4:
        return [(sides, (0, 1, 2, 3)), (sides, (1, 2, 0, 3))]
    first, second, third = sides
    forms: list[tuple[tuple[int, ...], tuple[int, int, int, int]]] = []
    if third % anchors == 0:
        forms.append(((first, second, anchors, third // anchors), (0, 1, 2, 3)))
    if first % anchors == 0:
        forms.append(((anchors, first // anchors, second, third), (2, 3, 0, 1)))
    return forms
