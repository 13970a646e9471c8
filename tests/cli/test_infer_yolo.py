"""A YOLO model of our own through the whole of `infer`: the picture is what the model answers.

The model hands its input on as 300 rows of two pixels, so six colours are a box, score and class.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.cli import Terminal
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model

_RESHAPE = 17


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Input 1 x 20 x 30 x 3, output 1 x 300 x 6."""
    rows = np.array((1, 300, 6), np.int32)
    tensors = [
        TensorDef("picture", (1, 20, 30, 3)),
        TensorDef("shape", (3,), "INT32", data=rows),
        TensorDef("rows", (1, 300, 6)),
    ]
    graph = GraphDef(tensors, [OpDef("RESHAPE", (0, 1), (2,), _RESHAPE, {0: rows})], (0,), (2,))
    return write_model(tmp_path / "rows.tflite", graph)


def _picture(path: Path, height: int) -> Path:
    """Black but for the box 0.2, 0.2, 0.8, 0.6 with score 0.8 and class 1 (fractions of 255)."""
    image = np.zeros((height, 30, 3), np.uint8)
    image[height // 2, 10:12] = [(204, 51, 51), (255, 204, 153)]  # BGR
    cv2.imwrite(str(path), image)
    return path


def test_box_is_that_of_the_frame(terminal: Terminal, model: Path, tmp_path: Path) -> None:
    """The letterbox that the family of the model wants is put on, and taken off the boxes."""
    frames = [_picture(tmp_path / f"{height}.png", height) for height in (20, 10)]
    for frame, (top, bottom) in zip(frames, ((0.2, 0.6), (0.0, 0.7)), strict=True):
        answer = terminal("infer", "-m", model, "-i", frame, "--json", "--threshold", "0.5")
        (result,) = [r for r in answer.json["results"] if r["label"] == "class 1"]
        assert result["score"] == pytest.approx(0.8)
        assert result["box"] == pytest.approx([0.2, top, 0.8, bottom], abs=1e-6)


def test_options_of_decoder_and_picture(terminal: Terminal, model: Path, tmp_path: Path) -> None:
    """What the configuration can say of decoder and preprocessing, the command line can too."""
    words = ("infer", "-m", model, "-i", _picture(tmp_path / "20.png", 20), "--json")
    pixels = terminal(*words, "--task", "{name: yolo, layout: end2end, units: pixel}")
    assert pixels.json["results"][0]["box"] == pytest.approx(
        [0.2 / 30, 0.2 / 20, 0.8 / 30, 0.6 / 20], abs=1e-6
    )
    half = terminal(*words, "--preprocess", "{mean: 0, std: 510}", "--threshold", "0.3")
    (result,) = half.json["results"]
    assert result["score"] == pytest.approx(0.4)
    assert result["box"] == pytest.approx([0.1, 0.1, 0.4, 0.3], abs=1e-6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--task", "{name: yolo, iou: 2}"), "models.rows.task.iou: expected a number from 0 to 1"),
        (("--task", "{name: yolo"), "--task '{name: yolo' cannot be read: "),
        (("--preprocess", "{fitt: crop}"), "models.rows.preprocess.fitt: unknown key"),
        (("--preprocess", "crop"), "models.rows.preprocess: expected"),
    ],
)
def test_options_that_make_no_sense(
    terminal: Terminal, model: Path, words: tuple[str, ...], said: str
) -> None:
    """Mistakes in them are those of the configuration, told in its words."""
    answer = terminal("infer", "-m", model, "-i", "any.png", *words)
    assert answer.code == 2
    assert said in answer.err


def test_inspect_tells_the_decoder_and_the_letterbox(terminal: Terminal, model: Path) -> None:
    """What `infer` will do with the model is said beforehand."""
    answer = terminal("inspect", model)
    assert "letterbox (pad 114) to 30x20 RGB" in answer.out
    assert "yolo (output 0 holds boxes, scores and classes of up to 300 objects" in answer.out
