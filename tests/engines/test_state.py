"""Models whose outputs go back in as inputs of the next frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines import open_engine
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.state import Memory, StatefulEngine, Wire, state_wires, without_state
from edge_agent.errors import InferenceError, ModelError
from edge_agent.model import TensorSpec
from tests.support.data import data_file
from tests.support.models import make_info, make_spec
from tests.support.tflite_writer import sum_graph, write_model

ONES = np.ones((1, 2, 2, 3), np.int8)
PICTURE = make_spec((1, 4, 4, 3), "uint8", name="picture")


@pytest.fixture(params=["tflite", "numpy"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StatefulEngine]:
    """A model that adds up what it sees, in both engines."""
    path = write_model(tmp_path / "sum.tflite", sum_graph())
    inner = open_engine(path, request.param)
    with closing(StatefulEngine(inner, state_wires(read_model_info(path)))) as engine:
        yield engine


def total(engine: StatefulEngine, number: int = 1) -> int:
    """The sum so far, after one more picture of that number."""
    return int(engine.run(number * ONES)[1].max())


def test_the_sum_goes_on(engine: StatefulEngine) -> None:
    """Each run goes on from the one before, until it is told to forget."""
    assert [total(engine, number) for number in (1, 2, 3)] == [1, 3, 6]
    engine.reset()
    assert total(engine) == 1


def test_filled_in_place(engine: StatefulEngine) -> None:
    """Only the picture is left to fill, and two runs on it are two steps."""
    assert [spec.name for spec in engine.inputs] == ["picture"]

    def write(*tensors: NDArray[Any]) -> int:
        tensors[0][...] = 4
        return len(tensors)

    assert engine.fill(write) == 1
    assert [int(engine.run()[1].max()) for _ in range(2)] == [4, 8]


def test_each_stream_has_its_own_memory(engine: StatefulEngine) -> None:
    """Two streams that take turns know nothing of each other."""
    streams = [Memory(), Memory()]
    seen = []
    for turn in range(4):
        engine.memory = streams[turn % 2]
        seen.append(total(engine, 1 + 9 * (turn % 2)))
    assert seen == [1, 10, 2, 20]


def test_memory_of_another_model_is_none(engine: StatefulEngine, tmp_path: Path) -> None:
    """A stream that a model opened anew goes on with begins at zero there."""
    total(engine, 5)
    path = write_model(tmp_path / "other.tflite", sum_graph())
    with closing(StatefulEngine(open_engine(path), (Wire(1, 1),))) as other:
        other.memory = engine.memory
        assert total(other) == 1


def test_a_run_that_fails_is_not_remembered(engine: StatefulEngine) -> None:
    """Inputs of the wrong shape or number are refused, and the sum is what it was."""
    total(engine, 5)
    for tensors, reason in (((ONES[0],), "shape"), ((ONES, ONES), "2 inputs, 3 were given")):
        with pytest.raises(InferenceError, match=reason):
            engine.run(*tensors)
    assert total(engine) == 6


@pytest.mark.parametrize(
    ("fed", "output"),
    [
        ("raw_inputs/init_lstm_c", "raw_outputs/lstm_c"),
        ("serving_default_state_in_0:0", "state_out_0:0"),
        ("old", "anything"),
    ],
)
def test_found_by_itself(fed: str, output: str) -> None:
    """By the names, or because nothing else has its shape."""
    state = (1, 8)
    info = make_info(
        [make_spec((1, 10)), make_spec(state, name=output)],
        inputs=[PICTURE, make_spec(state, name=fed)],
    )
    assert state_wires(info) == (Wire(1, 1),)
    assert without_state(info, state_wires(info)).inputs == (PICTURE,)


def _spec(name: str, **more: Any) -> TensorSpec:
    return make_spec(**{"shape": (1, 8), "dtype": "int8", "scale": 0.5, **more}, name=name)


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([PICTURE, _spec("a"), _spec("b")], [_spec("x"), _spec("y")]),
        ([PICTURE, _spec("state")], [_spec("state", scale=0.25), _spec("z", shape=(1, 9))]),
        ([PICTURE, _spec("a", shape=(1,))], [_spec("z", shape=(1, 9)), _spec("n", shape=(1,))]),
        ([PICTURE, _spec("mask", shape=(1, 4, 4, 3))], [_spec("y", shape=(1, 4, 4, 3))]),
        ([_spec("a"), _spec("state_in")], [_spec("z", shape=(1, 9)), _spec("state_out")]),
    ],
)
def test_nothing_is_guessed(inputs: list[TensorSpec], outputs: list[TensorSpec]) -> None:
    """Two that might be either, another scale, one number, the only result, no picture."""
    assert state_wires(make_info(outputs, inputs=inputs)) == ()


def test_what_is_wanted_holds() -> None:
    """Also against what would be certain, and none is none."""
    info = make_info(
        [_spec("h_out"), _spec("c_out")], inputs=[PICTURE, _spec("h_in"), _spec("c_in")]
    )
    assert state_wires(info) == (Wire(0, 1), Wire(1, 2))
    assert state_wires(info, {"h_out": "c_in"}) == (Wire(0, 2),)
    assert state_wires(info, {}) == ()


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"x": "a"}, "no output 'x'"),
        ({"z": "x"}, "no input 'x'"),
        ({"z": "a"}, r"'z' \(int8 1x9, scale 0.5, zero point 0\) is not of the shape"),
        ({"b": "a", "c": "a"}, "two outputs go to one input"),
    ],
)
def test_wires_that_do_not_fit(wanted: dict[str, str], reason: str) -> None:
    """The error names both ends, and what there is."""
    outputs = [_spec("b"), _spec("c"), _spec("z", shape=(1, 9))]
    with pytest.raises(ModelError, match=reason):
        state_wires(make_info(outputs, inputs=[PICTURE, _spec("a")]), wanted)


@pytest.mark.parametrize("kind", ["tflite", "numpy"])
def test_the_traffic_model_runs_its_clip(kind: str) -> None:
    """All 20 frames give the bytes that feeding the state by hand gives.

    Zeros are all that this model ever puts out there, so what goes in is seen by another memory.
    """
    path = data_file("models/automl_traffic_model.tflite")
    inner = open_engine(path, kind)
    engine = StatefulEngine(inner, state_wires(read_model_info(path)))
    states: list[NDArray[Any]] = [np.zeros((1, 8, 8, 320), np.uint8)] * 2
    frames = _frames(data_file("video/automl_traffic_frames.mp4"))
    assert len(frames) == 20
    for frame in frames:
        expected = [output.copy() for output in inner.run(frame, *states)]
        states = expected[4:]
        assert _same(engine.run(frame), expected)
    for tensor in engine.memory.tensors:
        tensor.fill(200)
    assert not _same(engine.run(frame), expected)
    inner.close()


def _same(outputs: tuple[NDArray[Any], ...], expected: list[NDArray[Any]]) -> bool:
    return all(map(np.array_equal, outputs, expected))


def _frames(path: Path) -> list[NDArray[np.uint8]]:
    video = cv2.VideoCapture(str(path))
    frames: list[NDArray[np.uint8]] = []
    while True:
        is_there, image = video.read()
        if not is_there:
            return frames
        picture = cv2.cvtColor(cv2.resize(image, (256, 256)), cv2.COLOR_BGR2RGB)
        frames.append(picture[None].astype(np.uint8))
