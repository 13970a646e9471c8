"""The priors (anchors) of published single-shot detectors, generated for the size of the input.

A prior is centre x, centre y, width, height, all 0..1 of the input; they come in the order in which
the models have them: the finest grid first, row by row, then the shapes of one cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edge_agent.decoders.keypoints import FACE_6
from edge_agent.decoders.nms import Floats
from edge_agent.errors import ModelError

Size = tuple[int, int]
"""Width and height in px."""

Activation = Literal["none", "sigmoid", "softmax"]


@dataclass(frozen=True, slots=True)
class Family:
    """How a kind of detector codes its boxes and scores.

    A centre is prior + number * variance * size of the prior, a size exp(number * variance) times
    it; with `linear`, both are in px of the input. `numbers` is how many there are for a box and
    the keypoints behind it, whose names are `points`: x and y of each, coded as the centre is.
    `yx`: y comes before x. `pictures` as a decoder has them.
    """

    generate: Callable[[Size], Floats]
    activation: Activation
    has_background: bool
    yx: bool = False
    variances: tuple[float, float] = (0.1, 0.2)
    linear: bool = False
    numbers: int = 4
    labels: tuple[str, ...] | None = None
    points: tuple[str, ...] = ()
    pictures: Mapping[str, Any] = field(default_factory=dict)


def grid(
    columns: int, rows: int, step: tuple[float, float], shapes: Sequence[tuple[float, float]]
) -> Floats:
    """Priors of all shapes (width, height) at the middle of each cell; `step` is a cell's size."""
    y, x = np.mgrid[:rows, :columns] + 0.5
    centres = np.stack([x * step[0], y * step[1]], -1).reshape(-1, 1, 2)
    centres = np.broadcast_to(centres, (rows * columns, len(shapes), 2))
    sizes = np.broadcast_to(np.array(shapes, np.float64), centres.shape)
    return np.concatenate([centres, sizes], -1).reshape(-1, 4).astype(np.float32)


def ssd_mobilenet(size: Size) -> Floats:
    """TensorFlow's `create_ssd_anchors` with the values of ssd_mobilenet_v1/v2_coco.config.

    Six layers from stride 16 on, scales 0.2 to 0.95, three shapes in the first and six in others.
    """
    width, height = size
    short = min(size)
    scales = [0.2 + 0.75 * layer / 5 for layer in range(6)] + [1.0]
    columns, rows = -(-width // 16), -(-height // 16)
    layers = []
    for layer in range(6):
        scale, following = scales[layer], scales[layer + 1]
        shapes = [(scale, 1.0), (scale, 2.0), (scale, 0.5), (scale, 3.0), (scale, 0.3333)]
        shapes.append((math.sqrt(scale * following), 1.0))
        if layer == 0:
            shapes = [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
        sides = [
            (s * math.sqrt(ratio) * short / width, s / math.sqrt(ratio) * short / height)
            for s, ratio in shapes
        ]
        layers.append(grid(columns, rows, (1 / columns, 1 / rows), sides))
        columns, rows = -(-columns // 2), -(-rows // 2)
    return np.concatenate(layers)


def ultraface(size: Size) -> Floats:
    """`Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB`: `generate_priors`, `fd_config`."""
    width, height = size
    sides = {8: (10, 16, 24), 16: (32, 48), 32: (64, 96), 64: (128, 192, 256)}
    layers = [
        grid(
            -(-width // stride),
            -(-height // stride),
            (stride / width, stride / height),
            [(side / width, side / height) for side in of_stride],
        )
        for stride, of_stride in sides.items()
    ]
    return np.clip(np.concatenate(layers), 0.0, 1.0)


def blaze(strides: Mapping[int, int]) -> Callable[[Size], Floats]:
    """MediaPipe's `SsdAnchorsCalculator` with fixed anchors: shapes a cell, by stride."""

    def generate(size: Size) -> Floats:
        width, height = size
        layers = []
        for stride, shapes in strides.items():
            columns, rows = -(-width // stride), -(-height // stride)
            layers.append(grid(columns, rows, (1 / columns, 1 / rows), [(1.0, 1.0)] * shapes))
        return np.concatenate(layers)

    return generate


def efficientdet(anchor_scale: float) -> Callable[[Size], Floats]:
    """`google/automl`, efficientdet/tf2 `Anchors`: levels 3 to 7, three octaves, three ratios."""

    def generate(size: Size) -> Floats:
        width, height = size
        layers = []
        columns, rows = width, height
        for level in range(8):
            if level >= 3:
                step = (width / columns, height / rows)
                shapes = [
                    (
                        anchor_scale * step[0] * 2 ** (octave / 3) * math.sqrt(ratio) / width,
                        anchor_scale * step[1] * 2 ** (octave / 3) / math.sqrt(ratio) / height,
                    )
                    for octave in range(3)
                    for ratio in (1.0, 2.0, 0.5)
                ]
                layers.append(grid(columns, rows, (1 / columns, 1 / rows), shapes))
            columns, rows = (columns - 1) // 2 + 1, (rows - 1) // 2 + 1
        return np.concatenate(layers)

    return generate


# Input sizes for which the lite models are published with anchors of scale 3; all others have 4.
_LITE_SIZES = (320, 384, 448)

_PALM = tuple(f"keypoint {number}" for number in range(7))
_PLUS_MINUS_1 = {"mean": 127.5, "std": 127.5}
_MEDIAPIPE = {"pad": 0, **_PLUS_MINUS_1}
_LITE = {"mean": 127.0, "std": 128.0}
_IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


def _efficientdet(anchor_scale: float, pictures: Mapping[str, Any]) -> Family:
    priors = efficientdet(anchor_scale)
    return Family(priors, "sigmoid", False, yx=True, variances=(1.0, 1.0), pictures=pictures)


def _mediapipe(strides: Mapping[int, int], label: str, points: tuple[str, ...]) -> Family:
    return Family(
        blaze(strides), "sigmoid", False, linear=True, numbers=4 + 2 * len(points),
        labels=(label,), points=points, pictures=_MEDIAPIPE,
    )  # fmt: skip


FAMILIES: Mapping[str, Family] = {
    "ssd_mobilenet": Family(ssd_mobilenet, "sigmoid", True, yx=True, pictures=_PLUS_MINUS_1),
    "ultraface": Family(ultraface, "softmax", True, labels=("face",), pictures=_LITE),
    "efficientdet": _efficientdet(4.0, _IMAGENET),
    "efficientdet-lite": _efficientdet(3.0, _LITE),
    "blazeface": _mediapipe({8: 2, 16: 6}, "face", FACE_6),
    "blazeface-back": _mediapipe({16: 2, 32: 6}, "face", FACE_6),
    "blazeface-full": _mediapipe({4: 1}, "face", FACE_6),
    "blazepalm": _mediapipe({8: 2, 16: 6}, "palm", _PALM),
}
"""Published families by the name that `priors` takes; MediaPipe's are the `blaze` ones."""


def fitting(size: Size, places: int, numbers: int, classes: int) -> list[str]:
    """Families with as many priors, numbers for a box and classes as a model has."""
    return [
        name
        for name, family in FAMILIES.items()
        if family.numbers == numbers
        and _has_classes(family, classes)
        and _is_of_size(name, size)
        and len(family.generate(size)) == places
    ]


def _has_classes(family: Family, classes: int) -> bool:
    if family.labels is not None:
        return classes == len(family.labels) + family.has_background
    return classes > family.has_background


def _is_of_size(name: str, size: Size) -> bool:
    """The two forms of EfficientDet have as many anchors, and are told apart by the input."""
    if not name.startswith("efficientdet"):
        return True
    return (name == "efficientdet-lite") == (size[0] in _LITE_SIZES)


def load_priors(path: Path) -> Floats:
    """Priors of a .npy or .csv file, N x 4; raises ModelError with the cure."""
    try:
        if path.suffix == ".npy":
            priors: Floats = np.load(path, allow_pickle=False).astype(np.float32)
        else:
            lines = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
            priors = np.array(lines, np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"priors cannot be read from {path}: {error}", _FORM) from error
    if priors.ndim != 2 or priors.shape[1] != 4 or not np.isfinite(priors).all():
        raise ModelError(f"{path} holds no rows of four numbers", _FORM)
    return priors


_FORM = "give a .npy or .csv with a row of centre x, centre y, width, height for each box"
