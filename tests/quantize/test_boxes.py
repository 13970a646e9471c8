"""`edge-agent quantize --evaluate` of a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.cli.boxes import load_boxes
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.program import Program
from edge_agent.errors import UsageError
from edge_agent.quantize import Model
from edge_agent.quantize.draft import Draft
from tests.support.cli import Terminal

CELL = 8
"""Pixels of a cell; the picture has four by four of them."""


def detector() -> Program:
    """Finds white squares that fill a cell: its mean brightness is the logit of a fixed anchor."""
    draft = Draft()
    x = draft.tensor("picture", (1, 4 * CELL, 4 * CELL, 3))
    taps = draft.constant("taps", np.full((1, CELL, CELL, 3), 8 / (3 * CELL * CELL), np.float32))
    bias = draft.constant("bias", np.array([-4.0], np.float32))
    logits, rows = draft.tensor("logits", (1, 4, 4, 1)), draft.tensor("rows", (1, 16, 1))
    scores = draft.tensor("scores", (1, 16, 1))
    window = {"padding": 1, "stride_w": CELL, "stride_h": CELL, "dilation_w": 1, "dilation_h": 1}
    draft.apply("CONV_2D", (x, taps, bias), (logits,), {**window, "activation": 0})
    shape = draft.constant("shape", np.array([1, 16, 1], np.int32))
    draft.apply("RESHAPE", (logits, shape), (rows,), {"new_shape": (1, 16, 1)})
    draft.apply("LOGISTIC", (rows,), (scores,))
    codes = draft.constant("codes", np.zeros((1, 16, 4), np.float32))
    centres = (np.mgrid[0:4, 0:4].reshape(2, 16).T + 0.5) / 4
    boxes = np.concatenate([centres, np.full((16, 2), 0.25)], axis=1).astype(np.float32)
    anchors = draft.constant("anchors", boxes)
    outputs = [draft.tensor(f"TFLite_Detection_PostProcess{i}", s)
               for i, s in enumerate([(1, 5, 4), (1, 5), (1, 5), (1,)])]  # fmt: skip
    options: dict[str, Any] = {
        "max_detections": 5, "max_classes_per_detection": 1, "num_classes": 1,
        "nms_score_threshold": 0.05, "nms_iou_threshold": 0.5, "y_scale": 10.0, "x_scale": 10.0,
        "h_scale": 5.0, "w_scale": 5.0, "use_regular_nms": False,
    }  # fmt: skip
    draft.apply("TFLite_Detection_PostProcess", (codes, scores, anchors), outputs, options)
    return Program("squares", (draft.finish((x,), outputs),))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Six pictures with two white squares each, and one with none; their labels as a table."""
    rng = np.random.default_rng(0)
    rows = ["file,label,x1,y1,x2,y2"]
    for number in range(7):
        image = rng.integers(0, 60, (4 * CELL, 4 * CELL, 3)).astype(np.uint8)
        cells = rng.permutation(16)[: 2 if number else 0]
        for cell in cells:
            top, left = divmod(int(cell), 4)
            image[top * CELL : (top + 1) * CELL, left * CELL : (left + 1) * CELL] = 250
            rows.append(
                f"{number}.png,square,{left / 4},{top / 4},{(left + 1) / 4},{(top + 1) / 4}"
            )
        if not len(cells):
            rows.append(f"{number}.png,,,,,")
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_map_before_and_after(terminal: Terminal, pictures: Path) -> None:
    """A detector that finds every square does so in int8, too: the report says it."""
    model = Model(detector(), Notes("", ("square",), {}))
    path = model.save(pictures / "float.tflite")
    words: list[Any] = ["quantize", path, "--calibrate", *pictures.glob("*.png"), "--evaluate",
                        pictures / "truth.csv", "-o", pictures / "int8.tflite"]  # fmt: skip
    answer = terminal(*words, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["box_map"] == {"samples": 7, "float": 1.0, "int8": 1.0}
    assert "box mAP    1.0000 -> 1.0000 at IoU 0.5 of 7 pictures" in terminal(*words).out


def test_what_is_missing_counts(terminal: Terminal, pictures: Path) -> None:
    """A box that no white square is in cannot be found, and the mAP falls."""
    with (pictures / "truth.csv").open("a") as file:
        file.write("0.png,square,0,0,0.25,0.25\n")
    path = Model(detector(), Notes("", ("square",), {})).save(pictures / "float.tflite")
    answer = terminal(
        "quantize", path, "--calibrate", pictures / "1.png", "--evaluate", pictures / "truth.csv",
        "-o", pictures / "int8.npz", "--json",
    )  # fmt: skip
    assert 0.8 < answer.json["box_map"]["int8"] < 1.0


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1.png,circle,0,0,1,1", "truth.csv:2: 1.png,circle,0,0,1,1"),
        ("1.png,square,0,0,1", "truth.csv:2: 1.png,square,0,0,1"),
        ("1.png,square,0,0,1,wide", "truth.csv:2: could not convert"),
        ("1.png,,,,,", "holds no boxes"),
    ],
)
def test_rows_that_are_wrong_are_named(row: str, said: str, tmp_path: Path) -> None:
    """With the line, and the labels that there are."""
    path = tmp_path / "truth.csv"
    path.write_text(f"file,label,x1,y1,x2,y2\n{row}\n")
    with pytest.raises(UsageError, match=said):
        load_boxes(path, ("square",))
    with pytest.raises(UsageError, match="the model has no labels"):
        load_boxes(path, None)
