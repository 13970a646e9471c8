"""Models that remember in tensors or resources of their own: told, kept apart, forgotten."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.npz import Notes, write_npz
from edge_agent.engines.numpy.reading import read_program
from edge_agent.engines.state import Memory
from edge_agent.engines.streams import EnginePerStream, Forgetful
from tests.support.data import data_file
from tests.support.tflite_writer import (
    GraphDef,
    add_graph,
    counter_graphs,
    memory_graph,
    write_model,
)

both = pytest.mark.parametrize("kind", ["tflite", "numpy"])
each = pytest.mark.parametrize(
    "graphs", [memory_graph(), counter_graphs()], ids=["tensor", "resource"]
)
Graphs = GraphDef | Sequence[GraphDef]


def _opener(tmp_path: Path, graphs: Graphs, kind: str) -> Callable[[], Engine]:
    return partial(open_engine, write_model(tmp_path / "m.tflite", graphs), kind)


def _ask(engine: Engine, number: float) -> float:
    """Of a model that gives the sum of its newest two or of all numbers."""
    x = np.full(engine.inputs[0].shape, number, np.float32)
    return float(engine.run(x)[0].item())


@each
def test_which_models_remember(graphs: Graphs, tmp_path: Path) -> None:
    """Told by their tensors and operators, in both formats."""
    path = write_model(tmp_path / "m.tflite", graphs)
    assert read_model_info(path).remembers
    assert not read_model_info(write_model(tmp_path / "n.tflite", add_graph())).remembers


def test_a_state_is_told_of_an_npz_too(tmp_path: Path) -> None:
    """The own format says of a tensor that it is a variable."""
    program = read_program(write_model(tmp_path / "m.tflite", memory_graph()))
    with (tmp_path / "m.npz").open("wb") as file:
        write_npz(program, Notes("", None, {}), file)
    assert read_model_info(tmp_path / "m.npz").remembers


@both
@each
def test_streams_do_not_mix(graphs: Graphs, kind: str, tmp_path: Path) -> None:
    """Of two streams in turn each hears what is its own."""
    one = _opener(tmp_path, graphs, kind)
    with closing(EnginePerStream(one(), one)) as engine:
        streams = [Memory(), Memory()]
        found: list[list[float]] = [[], []]
        for numbers in ((1, 10), (2, 20)):
            for memory, number, sums in zip(streams, numbers, found, strict=True):
                engine.memory = memory
                sums.append(_ask(engine, number))
        assert found == [[1, 3], [10, 30]]
        engine.reset()
        assert _ask(engine, 20) == 20
        engine.memory = streams[0]
        assert _ask(engine, 4) in (6, 7)


@both
@each
def test_a_forgetful_model_begins_anew(graphs: Graphs, kind: str, tmp_path: Path) -> None:
    """Whether its input is given or filled in place, nothing is left of the run before."""
    with closing(Forgetful(_opener(tmp_path, graphs, kind)())) as engine:
        for _ in range(2):
            assert _ask(engine, 1) == 1
            engine.fill(lambda x: x.fill(2))
            assert float(engine.run()[0].item()) == 2


@pytest.mark.data
@both
def test_a_real_model_in_two_streams(kind: str) -> None:
    """The int8 LSTM of a Coral model gives each stream what it gives it alone."""
    one = partial(open_engine, data_file("models/coral_keras_lstm_mnist_ptq.tflite"), kind)
    noise = np.random.default_rng(1)
    streams = noise.integers(0, 256, (2, 5, 1, 28, 28)).astype(np.uint8)
    alone = []
    for stream in streams:
        with closing(one()) as engine:
            alone.append([engine.run(x)[0].tolist() for x in stream])
    assert alone[0][0] != alone[0][1]
    with closing(EnginePerStream(one(), one)) as engine:
        memories = [Memory(), Memory()]
        mixed: list[list[list[float]]] = [[], []]
        for pair in zip(*streams, strict=True):
            for memory, x, found in zip(memories, pair, mixed, strict=True):
                engine.memory = memory
                found.append(engine.run(x)[0].tolist())
        assert mixed == alone
        engine.reset()
        assert engine.run(streams[1][0])[0].tolist() == alone[1][0]
