"""Every tensor of every real model equals TFLite's reference kernels, element by element."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.verify_numpy_engine import ReferenceRefuses, verify
from tests.support import data

INPUTS = 2
"""Random and real ones, of each; `scripts/verify_numpy_engine.py` takes as many as one likes."""

_FOLDER = data.test_data()
_MODELS = sorted((_FOLDER / "models").rglob("*.tflite")) if _FOLDER else []
_CHECKED = [path for path in _MODELS if "robustness" not in path.parts]

pytestmark = pytest.mark.skipif(
    find_spec("tflite_runtime") is None,
    reason="the reference is tflite-runtime 2.14, which this environment does not have",
)


@pytest.mark.data
@pytest.mark.usefixtures("shared_plans")
@pytest.mark.parametrize("path", _CHECKED, ids=lambda path: path.stem)
def test_no_element_differs(path: Path) -> None:
    """Zero differing elements, on random and on real inputs."""
    if path.name == "coral_posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite":
        pytest.skip("its decoder is an operator of Coral's own, which the reference lacks too")
    try:
        report = verify(path, INPUTS)
    except ReferenceRefuses as error:
        pytest.skip(str(error)[:100])
    assert report.elements > 0
    assert not report.differing, report.row()
