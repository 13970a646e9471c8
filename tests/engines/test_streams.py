"""Models that remember in variables of their own, one for each stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from weakref import ref

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.state import Memory
from edge_agent.engines.streams import EnginePerStream
from tests.support.data import data_file

pytestmark = pytest.mark.data


@pytest.fixture(params=["tflite", "numpy"])
def engine(request: pytest.FixtureRequest) -> Iterator[EnginePerStream]:
    """A wake word, in both engines."""
    one = partial(open_engine, data_file("models/mww_alexa.tflite"), request.param)
    with closing(EnginePerStream(one(), one)) as engine:
        yield engine


def heard(name: str) -> NDArray[np.int8]:
    """What the front end made of a recording, three rows at a time (n x 1 x 3 x 40)."""
    rows = np.load(data_file("audio/micro_frontend_features.npz"))[f"{name}.wav"]
    whole = rows[: len(rows) // 3 * 3].reshape(-1, 1, 3, 40)
    quantised: NDArray[np.int8] = (
        np.rint(whole / 0.10196078568696976 - 128).clip(-128, 127).astype(np.int8)
    )
    return quantised


def score(engine: EnginePerStream, rows: NDArray[np.int8]) -> int:
    """The probability in steps of 1/256."""
    return int(engine.run(rows)[0].item())


def test_streams_do_not_mix(engine: EnginePerStream) -> None:
    """Two streams in turn give what each gives alone, and one is the word."""
    sounds = [heard("mww_alexa_1"), heard("mww_okay_nabu_2")]
    alone = []
    for rows in sounds:
        engine.memory = Memory()
        alone.append([score(engine, row) for row in rows])
    streams = [Memory(), Memory()]
    mixed: list[list[int]] = [[], []]
    for each in zip(*sounds, strict=False):
        for memory, row, scores in zip(streams, each, mixed, strict=True):
            engine.memory = memory
            scores.append(score(engine, row))
    assert mixed == [scores[: len(mixed[0])] for scores in alone]
    assert max(alone[0]) > 230 > max(alone[1])


def test_reset_forgets_the_stream_in_work(engine: EnginePerStream) -> None:
    """One stream begins again, the other goes on where it was."""
    rows = heard("mww_alexa_1")
    whole = [score(engine, row) for row in rows]
    streams = [Memory(), Memory()]
    for memory in streams:
        engine.memory = memory
        assert [score(engine, row) for row in rows[:30]] == whole[:30]
    engine.reset()
    assert [score(engine, row) for row in rows] == whole
    engine.memory = streams[0]
    assert [score(engine, row) for row in rows[30:]] == whole[30:]


def test_a_stream_that_is_gone_takes_its_model_along(engine: EnginePerStream) -> None:
    """A source that comes and goes for months leaves nothing behind."""
    engine.memory = Memory()
    engine.run(heard("mww_alexa_1")[0])
    assert engine.memory.seat.own is not None
    gone = ref(engine.memory.seat.own[1])
    engine.memory = Memory()
    assert gone() is None


def test_the_next_stream_in_a_place_takes_its_model_over(engine: EnginePerStream) -> None:
    """It begins anew, and no model is opened for it."""
    rows = heard("mww_alexa_1")[:30]
    whole = [score(engine, row) for row in rows]
    opened = engine.memory.seat.own
    for _ in range(2):
        engine.memory = engine.memory.anew()
        assert [score(engine, row) for row in rows] == whole
        assert engine.memory.seat.own is opened


def test_memory_of_another_model_is_none(engine: EnginePerStream) -> None:
    """After a model was opened again, its streams begin anew."""
    row = heard("mww_alexa_1")[0]
    fresh = score(engine, row)
    one = partial(open_engine, data_file("models/mww_alexa.tflite"), engine.name)
    with closing(EnginePerStream(one(), one)) as other:
        other.memory = engine.memory
        assert score(other, row) == fresh
        assert other.memory.seat.own is not None
        assert other.memory.seat.own[0] is other


def test_which_models_remember() -> None:
    """Told by the operators of the model."""
    infos = [
        read_model_info(data_file(f"models/{n}.tflite")) for n in ("mww_vad", "mlperf_kws_ref_int8")
    ]
    assert [info.remembers for info in infos] == [True, False]


def test_an_engine_that_was_given_back(engine: EnginePerStream) -> None:
    """What ran for a trial opens nothing more: the first stream has its engine, which is clear."""
    rows = heard("mww_alexa_1")
    score(engine, rows[0])
    first = engine.memory.seat.own
    engine.give_back()
    engine.memory = Memory()
    found = [score(engine, row) for row in rows]
    assert first is not None
    assert engine.memory.seat.own is not None
    assert engine.memory.seat.own[1] is first[1]
    engine.memory = Memory()
    assert found == [score(engine, row) for row in rows]


def test_a_model_that_comes_back(engine: EnginePerStream) -> None:
    """Where another one had its place for a while it begins anew, without its file."""
    rows, memory = heard("mww_alexa_1"), Memory()
    one = partial(open_engine, data_file("models/mww_alexa.tflite"), engine.name)
    with closing(one()) as first, closing(EnginePerStream(first, _gone)) as before:
        before.memory = engine.memory = memory
        scores = [score(before, row) for row in rows[:40]]
        assert [score(engine, row) for row in rows[:40]] == scores
        assert [score(before, row) for row in rows[:40]] == scores


def _gone() -> Engine:
    raise AssertionError("the file is another one by now")
