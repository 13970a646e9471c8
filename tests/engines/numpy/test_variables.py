"""What a model keeps from run to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Array, tensor
from tests.support.data import data_file
from tests.support.reference import IS_HERE, RUNTIME
from tests.support.tflite_writer import (
    CALL_ONCE_OPTIONS,
    VAR_HANDLE_OPTIONS,
    GraphDef,
    OpDef,
    TensorDef,
    counter_graphs,
    write_model,
)

_RESOURCE = TensorDef("handle", (), "RESOURCE")


def _handle(index: int, name: str = "kept") -> OpDef:
    return OpDef("VAR_HANDLE", (), (index,), VAR_HANDLE_OPTIONS, {0: "", 1: name})


def _delay(start: int, name: str = "kept") -> list[GraphDef]:
    """Give what came in the run before; `start` at first."""
    first = tensor("first", (2,), np.int8, np.full(2, start, np.int8))
    begin = GraphDef([_RESOURCE, first], [_handle(0), OpDef("ASSIGN_VARIABLE", (0, 1), ())], (), ())
    main = GraphDef(
        [_RESOURCE, tensor("x", (2,), np.int8), tensor("y", (2,), np.int8)],
        [
            OpDef("CALL_ONCE", (), (), CALL_ONCE_OPTIONS, {0: ("<i", 1)}),
            _handle(0, name),
            OpDef("READ_VARIABLE", (0,), (2,)),
            OpDef("ASSIGN_VARIABLE", (0, 1), ()),
        ],
        inputs=(1,),
        outputs=(2,),
    )
    return [main, begin]


def test_a_sum_over_all_runs(tmp_path: Path) -> None:
    """A resource keeps its value until a reset, which runs the start again."""
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", counter_graphs()))
    one = np.ones(1, np.float32)
    assert [float(engine.run(one)[0][0]) for _ in range(3)] == [1, 2, 3]
    engine.reset()
    assert float(engine.run(one)[0][0]) == 1


def test_what_was_read_outlives_the_next_assignment(tmp_path: Path) -> None:
    """The output is the value from before, though the resource is assigned in the same run."""
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", _delay(start=-7)))
    given = [np.array([i, -i], np.int8) for i in range(4)]
    for _ in range(2):
        got = [engine.run(x)[0].tolist() for x in given]
        assert got == [[-7, -7], *(x.tolist() for x in given[:-1])]
        engine.reset()


def test_resources_of_other_names_are_apart(tmp_path: Path) -> None:
    """The name joins the graphs: another one is another resource."""
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", _delay(start=-7, name="other")))
    engine.run(np.zeros(2, np.int8))
    assert engine.run(np.ones(2, np.int8))[0].tolist() == [0, 0]


def test_a_resource_of_another_shape_is_refused(tmp_path: Path) -> None:
    """One resource cannot be read in one shape and assigned in another."""
    graphs = _delay(start=0)
    graphs[0].tensors[1].shape = (3,)
    with pytest.raises(ModelError, match="ASSIGN_VARIABLE"):
        NumpyEngine(write_model(tmp_path / "m.tflite", graphs))


def _reference(path: Path, inputs: list[Array]) -> list[Array]:
    """Outputs of a new interpreter for one input after the other."""
    interpreter = RUNTIME.Interpreter(
        str(path), experimental_op_resolver_type=RUNTIME.OpResolverType.BUILTIN_REF
    )
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    outputs = []
    for x in inputs:
        interpreter.set_tensor(taken["index"], x)
        interpreter.invoke()
        outputs.append(interpreter.get_tensor(given["index"]))
    return outputs


@pytest.mark.data
@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
@pytest.mark.parametrize("name", ["mww_alexa", "mww_okay_nabu", "mww_vad"])
def test_streams_of_sound(name: str) -> None:
    """A wake-word model follows a stream as the interpreter does, and again after a reset."""
    path = data_file(f"models/{name}.tflite")
    noise = np.random.default_rng(4)
    inputs = [noise.integers(-128, 128, (1, 3, 40)).astype(np.int8) for _ in range(40)]
    expected = np.array(_reference(path, inputs), int)
    engine = NumpyEngine(path)
    # LiteRT's FULLY_CONNECTED rounds in its own way.
    limit = 0 if RUNTIME.__name__.startswith("tflite_runtime") else 1
    for _ in range(2):
        got = np.array([engine.run(x)[0].copy() for x in inputs], int)
        assert np.abs(got - expected).max() <= limit
        engine.reset()
