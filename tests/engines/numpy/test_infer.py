"""`edge-agent infer --engine numpy` on every real model, with an input that it is made for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines import open_engine
from edge_agent.engines.base import Rounding
from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import ModelError
from edge_agent.model import dequantize
from scripts.real_inputs import real_inputs
from scripts.verify_numpy_engine import models_of
from tests.support import data
from tests.support.cli import Terminal

_FOLDER = data.test_data() or Path()
_HAS_OLD = find_spec("tflite_runtime") is not None
_COUNTED = "TFLite_Detection_PostProcess"

Arrays = Sequence[NDArray[Any]]


def _tflite(path: Path, inputs: Arrays, rounding: Rounding) -> list[NDArray[Any]]:
    """Outputs of the native runtime as real numbers; skips where it cannot run the model."""
    try:
        engine = open_engine(path, "tflite", rounding=rounding)
    except ModelError as error:
        pytest.skip(str(error)[:100])
    outputs = zip(engine.run(*inputs), engine.outputs, strict=True)
    return [values if spec.scale is None else dequantize(values, spec) for values, spec in outputs]


def _rounding(path: Path) -> Rounding:
    """What is the same in both: LiteRT's reference kernels round dense layers in their own way."""
    if _HAS_OLD:
        return "reference"
    try:
        open_engine(path, "numpy", rounding="xnnpack").close()
    except ModelError:
        return "reference"
    return "xnnpack"


def _counted(operators: Sequence[str], outputs: Arrays) -> Arrays:
    """Without the rows behind the detections that are counted, in which TFLite leaves anything."""
    if _COUNTED not in operators:
        return outputs
    boxes, classes, scores, count, *others = outputs
    rows = slice(int(count[0]))
    return [boxes[:, rows], classes[:, rows], scores[:, rows], count, *others]


@pytest.mark.data
@pytest.mark.usefixtures("shared_plans")
@pytest.mark.parametrize("path", models_of(_FOLDER), ids=lambda path: path.stem)
def test_the_outputs_of_tflite(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, path: Path
) -> None:
    """Every number of every output of every model that TFLite runs."""
    info = read_model_info(path)
    inputs = next(real_inputs(_FOLDER, info.inputs))
    rounding = _rounding(path)
    wanted = _tflite(path, inputs, rounding)
    np.savez(tmp_path / "in.npz", *inputs)
    words = (
        *("--task", "raw", "--state", "{}"),  # every input is given here
        *("--engine", "numpy", "--rounding", rounding, "--json"),
    )
    answer = Terminal(capsys)("infer", "-m", path, "-i", tmp_path / "in.npz", *words)
    assert answer.code == 0, answer.err
    found = [np.array(output["values"]) for output in answer.json["outputs"]]
    pairs = zip(_counted(info.operators, found), _counted(info.operators, wanted), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)
