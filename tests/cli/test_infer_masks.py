"""`edge-agent infer` with a model that gives masks: a real file, whatever the picture."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.decoders.segment_models import segment_model
from tests.decoders.yolo_models import HEIGHT, WIDTH, Truth
from tests.support.cli import Terminal
from tests.support.tflite_writer import ADD_OPTIONS, GraphDef, OpDef, TensorDef, write_model

BOX = (0.25, 0.125, 0.75, 0.875)


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    """A model that sees one object, whose mask is the left half of its box."""
    prototypes = np.ones((HEIGHT // 4, WIDTH // 4, 1), np.float32)
    prototypes[:, WIDTH // 8 :] = -1.0
    _, outputs = segment_model("v8", [Truth(0, 0.9, BOX)], prototypes, np.ones((1, 1), np.float32))
    tensors = [TensorDef("picture", (1, HEIGHT, WIDTH, 3)), TensorDef("none", (1,), data=_NONE)]
    operators = []
    for number, values in enumerate(outputs):
        first = len(tensors)
        tensors.append(TensorDef(f"numbers{number}", values.shape, data=values))
        tensors.append(TensorDef(f"output{number}", values.shape))
        operators.append(OpDef("ADD", (first, 1), (first + 1,), ADD_OPTIONS, {}))
    graph = GraphDef(tensors, operators, (0,), (3, 5))
    return write_model(tmp_path / "masks.tflite", graph)


_NONE = np.zeros(1, np.float32)


def test_masks_are_told_and_drawn(terminal: Terminal, masks: Path, tmp_path: Path) -> None:
    """The JSON has the outline of the mask, and the picture a tint inside it alone."""
    source, drawn = tmp_path / "grey.png", tmp_path / "out.png"
    cv2.imwrite(str(source), np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    found = terminal("infer", "-m", masks, "-i", source, "--json", "--draw", drawn).json
    (result,) = found["results"]
    assert result["box"] == pytest.approx(BOX, abs=1e-5)
    (line,) = result["polygons"]
    low, high = np.min(line, axis=0), np.max(line, axis=0)
    assert (*low, *high) == pytest.approx((0.25, 0.125, 0.5, 0.875), abs=0.005)
    picture = cv2.imread(str(drawn))
    assert picture is not None
    assert (picture[HEIGHT // 2, 2 * WIDTH // 5] != 128).any()
    assert (picture[HEIGHT // 2, 3 * WIDTH // 5] == 128).all()
