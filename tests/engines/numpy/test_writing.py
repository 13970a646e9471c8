"""Programs written as .tflite: what is read again is the same."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile import open_model
from edge_agent.engines.numpy import options
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.program import Program
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.engines.numpy.writing import write_tflite
from tests.support.agent import ASSETS
from tests.support.data import data_file
from tests.support.reference import IS_HERE, run_reference

MODELS = [
    "models/mlperf_kws_ref_int8.tflite",
    "models/mlperf_resnet8_cifar10_int8.tflite",
    "models/coral_movenet_single_pose_lightning_ptq.tflite",
    "models/coral_keras_lstm_mnist_ptq.tflite",
    "models/coco_ssd_mobilenet_v1_1.0_quant.tflite",
    "models/nxp_fastestdet_person.tflite",
    "models/mww_okay_nabu.tflite",
]
NO_NOTES = Notes("", None, {})


def written(program: Program, path: Path) -> Path:
    """A file with this program."""
    path.write_bytes(write_tflite(program, NO_NOTES))
    return path


def assert_same(a: Program, b: Program) -> None:
    """Every tensor, operator and option of all graphs."""
    for ours, theirs in zip(a.graphs, b.graphs, strict=True):
        assert (ours.inputs, ours.outputs) == (theirs.inputs, theirs.outputs)
        for one, other in zip(ours.operators, theirs.operators, strict=True):
            assert _values(one) == _values(other)
        for tensor, same in zip(ours.tensors, theirs.tensors, strict=True):
            for key, value in _values(tensor).items():
                np.testing.assert_array_equal(value, _values(same)[key], err_msg=tensor.name)


def _values(what: Any) -> dict[str, Any]:
    return {each.name: getattr(what, each.name) for each in fields(what)}


def test_the_bundled_detector_comes_back(tmp_path: Path) -> None:
    """Reading what was written gives the same program, a custom operator's options too."""
    program = read_tflite(ASSETS / "belt.tflite")
    assert_same(program, read_tflite(written(program, tmp_path / "again.tflite")))


@pytest.mark.data
@pytest.mark.parametrize("name", MODELS)
def test_real_models_come_back(name: str, tmp_path: Path) -> None:
    """So it is with what other makers' converters wrote, with the same number of each table."""
    source = data_file(name)
    program = read_tflite(source)
    again = written(program, tmp_path / "again.tflite")
    assert_same(program, read_tflite(again))
    for one, other in zip(
        open_model(source).operators(), open_model(again).operators(), strict=True
    ):
        if one.options_type and other.options_type:
            assert one.options_type == other.options_type, one.name


@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
def test_tflite_runs_what_was_written(tmp_path: Path) -> None:
    """The same bytes from TFLite for the file and for its copy."""
    source = ASSETS / "belt.tflite"
    copy = written(read_tflite(source), tmp_path / "again.tflite")
    picture = np.random.default_rng(0).integers(0, 256, (1, 144, 256, 3)).astype(np.uint8)
    expected = run_reference(source.read_bytes(), [picture])
    for ours, theirs in zip(run_reference(copy.read_bytes(), [picture]), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_constants_can_be_read_in_place(tmp_path: Path) -> None:
    """They lie at multiples of 16 bytes, which vector loads of some kernels need."""
    path = written(read_tflite(ASSETS / "belt.tflite"), tmp_path / "again.tflite")
    content = path.read_bytes()
    for tensor in open_model(path).main.tensors:
        if tensor.data is not None and len(tensor.data) > 64:
            assert content.index(bytes(tensor.data)) % 16 == 0


def test_numbers_of_the_tables_are_those_of_the_schema() -> None:
    """As the generated reader of LiteRT has them, where it is installed."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated").BuiltinOptions
    for name, number in options._TYPES.items():
        plain = name.replace("_2D", "2D").title().replace("_", "")
        renamed = {
            "DepthwiseConv2D": "DepthwiseConv2D", "AveragePool2D": "Pool2D", "MaxPool2D": "Pool2D",
            "Mean": "Reducer", "Sum": "Reducer", "ReduceMax": "Reducer", "ReduceMin": "Reducer",
            "Maximum": "MaximumMinimum", "Minimum": "MaximumMinimum", "BatchMatmul": "BatchMatMul",
            "UnidirectionalSequenceLstm": "UnidirectionalSequenceLSTM", "Svdf": "SVDF",
        }.get(plain, plain)  # fmt: skip
        assert getattr(schema, f"{renamed}Options") == number, name
