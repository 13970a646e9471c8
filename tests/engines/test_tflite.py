"""The TFLite engine, on whichever runtime is installed here."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine, Rounding
from edge_agent.engines.tflite import TfliteEngine
from edge_agent.errors import InferenceError, ModelError
from tests.support.data import data_file
from tests.support.tflite_writer import (
    GraphDef,
    TensorDef,
    add_graph,
    counter_graphs,
    custom_graph,
    int8_add_graph,
    memory_graph,
    where_graph,
    write_model,
)

_ROOT = Path(__file__).resolve().parents[2]


def _engine(tmp_path: Path, graphs: Any) -> Engine:
    return open_engine(write_model(tmp_path / "model.tflite", graphs), kind="tflite")


def _x(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_float_model(tmp_path: Path) -> None:
    """A float model adds one; the engine tells what it is and what it runs on."""
    engine = _engine(tmp_path, add_graph())
    (y,) = engine.run(_x(0, 1, 2, 3)[None])
    assert y.tolist() == [[1, 2, 3, 4]]
    assert (engine.name, engine.device, engine.fallback_reason) == ("tflite", "cpu", "")
    package, _, version = engine.runtime.partition(" ")
    assert importlib.metadata.version(package) == version


def test_whether_a_delegate_is_at_work(tmp_path: Path) -> None:
    """XNNPACK takes a float model over, and none where TFLite's own kernels are asked for."""
    path = write_model(tmp_path / "model.tflite", add_graph())
    kernels: dict[Rounding, bool] = {"xnnpack": True, "builtin": False, "reference": False}
    for rounding, expected in kernels.items():
        assert TfliteEngine(path, 1, None, rounding).is_delegated is expected


def test_several_quantised_inputs_and_outputs(tmp_path: Path) -> None:
    """Inputs and outputs keep their order and their native type; a repeated input is an output."""
    engine = _engine(tmp_path, int8_add_graph())
    a, b = np.full((1, 2, 3), 5, np.int8), np.full((1, 2, 3), 7, np.int8)
    total, same = engine.run(a, b)
    assert (total == 9).all()  # (5 - 3) + (7 - 3) + 3
    assert (same == b).all()
    assert [(spec.dtype, spec.scale, spec.zero_point) for spec in engine.outputs] == [
        (np.dtype(np.int8), 0.5, 3)
    ] * 2


def test_inputs_are_filled_in_place(tmp_path: Path) -> None:
    """`fill` hands out the interpreter's own memory and returns what the writer returns."""
    engine = _engine(tmp_path, int8_add_graph())

    def write(a: NDArray[np.int8], b: NDArray[np.int8]) -> str:
        a[:], b[:] = 4, 6
        return "done"

    assert engine.fill(write) == "done"
    assert (engine.run()[0] == 7).all()


def test_an_input_of_one_number(tmp_path: Path) -> None:
    """An input without axes is filled and given as any other, and keeps its number."""
    engine = _engine(tmp_path, add_graph(()))

    def write(x: NDArray[np.float32]) -> None:
        x[...] = 2.5

    engine.fill(write)
    assert [engine.run()[0].item() for _ in range(2)] == [3.5, 3.5]
    assert engine.run(np.array(-1, np.float32))[0].item() == 0


def test_an_output_of_one_number(tmp_path: Path) -> None:
    """One that gets its memory in the run only is an array as any other, run after run."""
    engine = _engine(tmp_path, counter_graphs(()))
    for x, total in ((1, 1), (2, 3), (-3, 0)):
        (y,) = engine.run(np.array(x, np.float32))
        assert isinstance(y, np.ndarray)
        assert (y.shape, y.item()) == ((), total)


def test_outputs_use_the_same_memory_in_every_run(tmp_path: Path) -> None:
    """A run with fixed shapes allocates no arrays: results stay where they are."""
    engine = _engine(tmp_path, add_graph((1, 100_000)))
    x = np.zeros((1, 100_000), np.float32)
    first = engine.run(x)[0]
    tracemalloc.start()
    second = engine.run(x)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert first is second
    assert peak < 20_000


def test_output_whose_shape_depends_on_the_input(tmp_path: Path) -> None:
    """It is declared free, comes in the size it has, and may have no elements at all."""
    engine = _engine(tmp_path, where_graph())
    assert engine.outputs[0].shape == (-1, 1)
    assert engine.run(np.array([True, False, True, True]))[0].tolist() == [[0], [2], [3]]
    assert engine.run(np.zeros(4, np.bool_))[0].shape == (0, 1)
    assert engine.run(np.array([False, True, False, False]))[0].tolist() == [[1]]


def test_free_batch_is_one(tmp_path: Path) -> None:
    """A free first dimension is set to one, even where the file suggests another size."""
    engine = _engine(tmp_path, add_graph((4, 2), signature=(-1, 2)))
    assert (engine.inputs[0].shape, engine.outputs[0].shape) == ((1, 2), (1, 2))
    assert engine.run(_x(1, 2)[None])[0].tolist() == [[2, 3]]


def test_other_free_sizes_follow_the_input(tmp_path: Path) -> None:
    """Any size may be run where the file leaves it open, but there is nothing to fill in place."""
    engine = _engine(tmp_path, add_graph((1, 1, 2), signature=(1, -1, 2)))
    assert (engine.inputs[0].shape, engine.outputs[0].shape) == ((1, -1, 2), (1, -1, 2))
    for length in (3, 5, 3):
        assert engine.run(np.zeros((1, length, 2), np.float32))[0].shape == (1, length, 2)
    with pytest.raises(ModelError, match="has no fixed size"):
        engine.fill(lambda x: x.fill(0))


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ((np.zeros((1, 5), np.float32),), r"input 'x' .* float32 of shape \(1, 4\), float32 .*5"),
        ((np.zeros((1, 4), np.uint8),), r"float32 of shape \(1, 4\), uint8 of shape \(1, 4\)"),
        ((np.zeros((4,), np.float32),), r"shape \(4,\) was given"),
        ((np.zeros((1, 4), np.float32),) * 2, "takes 1 inputs, 2 were given"),
    ],
)
def test_wrong_inputs_name_the_expected_tensor(
    tmp_path: Path, tensors: tuple[NDArray[Any], ...], said: str
) -> None:
    """Shape, type or number that do not fit are told together with what fits."""
    with pytest.raises(InferenceError, match=said):
        _engine(tmp_path, add_graph()).run(*tensors)


@pytest.mark.parametrize("graphs", [memory_graph(), counter_graphs()], ids=["variable", "resource"])
def test_reset_forgets_streaming_state(tmp_path: Path, graphs: Any) -> None:
    """State in variable tensors and in resource variables alike is gone after a reset."""
    engine = _engine(tmp_path, graphs)
    x = np.ones(engine.inputs[0].shape, np.float32)
    assert [float(engine.run(x)[0].item()) for _ in range(2)] == [1, 2]
    engine.reset()
    assert [float(engine.run(x)[0].item()) for _ in range(2)] == [1, 2]


def test_reset_of_a_model_without_state_changes_nothing(tmp_path: Path) -> None:
    """Models that remember nothing run on after a reset."""
    engine = _engine(tmp_path, add_graph())
    engine.reset()
    assert engine.run(np.zeros((1, 4), np.float32))[0].tolist() == [[1, 1, 1, 1]]


def test_close_is_safe_twice(tmp_path: Path) -> None:
    """Closing frees the interpreter and may be repeated."""
    engine = _engine(tmp_path, add_graph())
    engine.close()
    engine.close()


def test_unknown_custom_operator_is_named(tmp_path: Path) -> None:
    """The library's own reason is in the error, once, on one line, with a cure."""
    with pytest.raises(ModelError) as caught:
        _engine(tmp_path, custom_graph("Frobnicate"))
    text = str(caught.value)
    assert text.count("Encountered unresolved custom op: Frobnicate.") == 1
    assert "\n" not in text
    assert caught.value.cure


def test_operator_that_refuses_its_inputs_is_named(tmp_path: Path) -> None:
    """A graph that is sound in form but not in meaning gives the kernel's reason."""
    good = memory_graph()
    bad = replace(good.tensors[3], shape=(1, 3))
    graph = replace(good, tensors=[*good.tensors[:3], bad, good.tensors[4]])
    with pytest.raises(ModelError, match=r"cannot run model\.tflite: .*svdf.*\(SVDF\) failed"):
        _engine(tmp_path, graph)


def test_text_tensors_are_refused(tmp_path: Path) -> None:
    """Models that take or give text are told apart before the interpreter sees them."""
    graph = GraphDef([TensorDef("words", (1,), "STRING")], [], (0,), (0,))
    with pytest.raises(ModelError, match=r"'words' of model\.tflite is of type STRING"):
        _engine(tmp_path, graph)


def test_damaged_file_never_reaches_the_interpreter(tmp_path: Path) -> None:
    """A cut file, which may crash TFLite, is refused by the reader."""
    path = write_model(tmp_path / "model.tflite", add_graph())
    path.write_bytes(path.read_bytes()[:-120])
    with pytest.raises(ModelError, match="damaged"):
        open_engine(path)


def test_talk_of_the_library_stays_off_stderr(tmp_path: Path) -> None:
    """What TFLite prints once in a process at its first model goes to the debug log."""
    path = write_model(tmp_path / "model.tflite", add_graph())
    code = f"""
import logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
from edge_agent.engines import open_engine
open_engine({str(path)!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=_ROOT
    )
    assert done.stderr == ""
    assert "DEBUG:edge_agent.engines.stderr:native: INFO: " in done.stdout


def test_threads_are_passed_on(tmp_path: Path) -> None:
    """Two threads give the same result as one."""
    path = write_model(tmp_path / "model.tflite", add_graph())
    (y,) = open_engine(path, threads=2).run(_x(0, 1, 2, 3)[None])
    assert y.tolist() == [[1, 2, 3, 4]]


@pytest.mark.data
def test_real_classifier() -> None:
    """Coral's MobileNet on noise gives 1001 scores that sum to about one."""
    engine = open_engine(data_file("models/coral_mobilenet_v1_0.25_128_quant.tflite"))
    noise = np.random.default_rng(1).integers(0, 256, (1, 128, 128, 3), np.uint8)
    (scores,) = engine.run(noise)
    assert (scores.shape, scores.dtype.name) == ((1, 1001), "uint8")
    assert 200 < int(scores.sum()) < 300


@pytest.mark.data
def test_real_detector_outputs_are_fixed() -> None:
    """The outputs of the detection operator, undeclared in the file, are known after opening."""
    engine = open_engine(data_file("models/coco_ssd_mobilenet_v1_1.0_quant.tflite"))
    assert [spec.shape for spec in engine.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]


@pytest.mark.data
def test_real_wake_word_model_is_reset() -> None:
    """A streaming model with resource variables repeats its first answers after a reset."""
    engine = open_engine(data_file("models/mww_alexa.tflite"))
    rng = np.random.default_rng(2)
    windows = rng.integers(-128, 128, (20, 1, 3, 40), np.int8)
    first = [engine.run(window)[0].item() for window in windows]
    engine.reset()
    assert [engine.run(window)[0].item() for window in windows] == first


@pytest.mark.data
def test_rounding_of_the_reference_kernels() -> None:
    """`builtin` and `reference` agree on this uint8 model, whose results XNNPACK rounds its way."""
    path = data_file("models/coco_ssd_mobilenet_v1_1.0_quant.tflite")
    x = np.random.default_rng(0).integers(0, 256, (1, 300, 300, 3), np.uint8)
    scores = {}
    for rounding in ("reference", "builtin", "xnnpack"):
        engine = open_engine(path, rounding=rounding)
        scores[rounding] = engine.run(x)[2].copy()
        engine.close()
    np.testing.assert_array_equal(scores["builtin"], scores["reference"])
    np.testing.assert_allclose(scores["xnnpack"], scores["reference"], atol=0.1)
