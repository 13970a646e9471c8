"""Small real classifiers and embedding models, made from parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model

_FULLY_CONNECTED, _SOFTMAX, _RESHAPE = 8, 9, 17
SIDE = 8  # pixels of their square input


def _colour_graph(weights: list[list[float]], bias: list[float]) -> GraphDef:
    """One output per row of `weights` over the mean red, green and blue, each 0..1."""
    count, pixels = len(weights), SIDE * SIDE
    spread = np.tile(np.array(weights, np.float32) / pixels, (1, pixels))
    return GraphDef(
        [
            TensorDef("picture", (1, SIDE, SIDE, 3)),
            TensorDef("shape", (2,), "INT32", np.array([1, 3 * pixels], np.int32)),
            TensorDef("flat", (1, 3 * pixels)),
            TensorDef("weights", (count, 3 * pixels), data=spread),
            TensorDef("bias", (count,), data=np.array(bias, np.float32)),
            TensorDef("numbers", (1, count)),
        ],
        [
            OpDef("RESHAPE", (0, 1), (2,), _RESHAPE, {}),
            OpDef("FULLY_CONNECTED", (2, 3, 4), (5,), _FULLY_CONNECTED, {}),
        ],
        inputs=(0,),
        outputs=(5,),
    )


def write_colour_classifier(path: Path) -> Path:
    """Tells by softmax which of red, green and blue there is most of: classes 0, 1 and 2."""
    graph = _colour_graph((40 * np.eye(3)).tolist(), [0.0] * 3)
    graph.tensors = [*graph.tensors, TensorDef("scores", (1, 3))]
    softmax = OpDef("SOFTMAX", (5,), (6,), _SOFTMAX, {0: ("<f", 1.0)})
    graph.operators, graph.outputs = [*graph.operators, softmax], (6,)
    return write_model(path, graph)


def write_colour_embedding(path: Path, bias: float = -0.5) -> Path:
    """Gives the mean colour less grey, as a vector of three."""
    return write_model(path, _colour_graph(np.eye(3).tolist(), [bias] * 3))


COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0)}
"""Blue, green and red of each."""

NOTES = {"mean": [0, 0, 0], "std": [255, 255, 255]}
"""The `preprocess` of these models."""


def paint(path: Path, colour: tuple[int, int, int]) -> Path:
    """A picture of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((20, 20, 3), colour, np.uint8))
    return path


def write_gallery(folder: Path) -> Path:
    """A subfolder for each colour, with a picture of it and a darker one."""
    for name, colour in COLOURS.items():
        paint(folder / name / "bright.png", colour)
        blue, green, red = colour
        paint(folder / name / "dark.png", (blue // 2, green // 2, red // 2))
    return folder
