"""Memory of the numpy engine: none is taken in a run, and tensors share it without harm."""

from __future__ import annotations

import tracemalloc
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.engines.numpy.arena import Arena, lifetimes, margin_strips
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Graph, Operator, Tensor
from edge_agent.errors import ModelError
from scripts.verify_numpy_engine import random_inputs
from tests.engines.numpy.branching import DEPTH, SIDE, Branching
from tests.support import data
from tests.support.tflite_writer import GraphDef, OpDef, write_model

_FOLDER = data.test_data()
_MODELS = sorted((_FOLDER / "models").rglob("*.tflite")) if _FOLDER else []
_WHOLE = [path for path in _MODELS if "robustness" not in path.parts]
FLOAT = np.dtype(np.float32)


def compare(path: Path, runs: int = 2) -> NumpyEngine:
    """Hold outputs against those of an engine in which nothing is shared.

    Between runs all shared memory becomes NaN: nothing in it may be needed by the next one.
    """
    kept, sharing = NumpyEngine(path, keep_all=True), NumpyEngine(path)
    for inputs in islice(random_inputs(kept.inputs), runs):
        sharing._plan.arena.memory.fill(0xFF)
        with np.errstate(all="ignore"):
            pairs = zip(kept.run(*inputs), sharing.run(*inputs), strict=True)
        for right, found in pairs:
            np.testing.assert_array_equal(found, right)
    return sharing


@pytest.mark.data
@pytest.mark.usefixtures("shared_plans")
@pytest.mark.parametrize("path", _WHOLE, ids=lambda path: path.stem)
def test_models_share_without_harm(path: Path) -> None:
    """Every model gives the same outputs with and without sharing."""
    try:
        compare(path)
    except ModelError as error:
        pytest.skip(str(error)[:100])


@settings(max_examples=30)
@given(st.integers(0, 2**31), st.integers(1, 14))
def test_random_graphs_share_without_harm(
    tmp_path_factory: pytest.TempPathFactory, seed: int, count: int
) -> None:
    """So do graphs with branches, views, borders and tensors that are read much later."""
    graph = Branching(np.random.default_rng(seed)).graph(count)
    compare(write_model(tmp_path_factory.mktemp("m") / "model.tflite", graph))


def chain(count: int) -> GraphDef:
    """As many depthwise convolutions, one after the other."""
    growing = Branching(np.random.default_rng(1))
    for _ in range(count):
        growing.any = lambda: growing.whole[-1]  # type: ignore[method-assign]
        growing.depthwise()
    return GraphDef(growing.tensors, growing.operators, (0,), (growing.whole[-1],))


def test_a_chain_takes_two_tensors(tmp_path: Path) -> None:
    """However many layers there are, one is read while the other is written."""
    engine = compare(write_model(tmp_path / "model.tflite", chain(12)))
    padded = 4 * (SIDE + 2) ** 2 * DEPTH
    assert 0 < engine._plan.arena.used <= 2 * padded + 256


def conv_net() -> GraphDef:
    """Convolutions of each kind, some channels of which have no float32 chain."""
    growing = Branching(np.random.default_rng(2))
    growing.conv(0, filters=300)
    wide = growing.operators[-1].outputs[0]
    growing.conv(wide, 300)
    growing.depthwise()
    growing.add()
    last = growing.whole[-1]
    weights, y = growing.constant((10, SIDE * SIDE * DEPTH)), growing.new((1, 10))
    growing.operators.append(OpDef("FULLY_CONNECTED", (last, weights, -1), (y,), 8, {}))
    return GraphDef(growing.tensors, growing.operators, (0,), (y,))


@pytest.mark.parametrize("keep_all", [False, True])
def test_a_run_allocates_nothing(tmp_path: Path, keep_all: bool) -> None:
    """The convolution path keeps nothing, and borrows no more than NumPy's iterator does.

    Its buffer of a fixed size is for operands that repeat or change their type; a layer of this
    net has 2.7 MB.
    """
    engine = NumpyEngine(write_model(tmp_path / "model.tflite", conv_net()), keep_all=keep_all)
    x = np.ones(engine.inputs[0].shape, np.int8)
    figures = np.zeros((5, 2), np.int64)
    tracemalloc.start()
    try:
        for row in figures:
            tracemalloc.reset_peak()
            engine.run(x)
            row[:] = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    now, peak = figures[2:].T
    assert len(set(now.tolist())) == 1
    assert (peak - now).max() < 128 << 10


def test_patched_channels_are_part_of_the_net(tmp_path: Path) -> None:
    """The net above has channels that are computed beside the others."""
    engine = NumpyEngine(write_model(tmp_path / "model.tflite", conv_net()))
    assert any(call[0].__name__ == "_put" for call in engine._plan.calls)


@given(st.lists(st.integers(0, 999), min_size=1, max_size=40), st.randoms())
def test_blocks_never_overlap(sizes: list[int], random: object) -> None:
    """Blocks that are lent at the same time are apart, within the range, and all come back."""
    noise = np.random.default_rng(abs(hash(random)) % 2**32)
    arena = Arena(8192)
    lent: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = {}
    for tenant, size in enumerate(sizes):
        if lent and noise.random() < 0.5:
            gone = int(noise.choice(list(lent)))
            assert (lent.pop(gone) == gone).all()
            arena.leave(gone)
        array = arena.lend((size,), FLOAT, tenant)
        if array is not None:
            assert arena.holds(array) or not size
            array.fill(tenant)
            lent[tenant] = array
    for tenant, array in lent.items():
        assert (array == tenant).all()
        arena.leave(tenant)
    assert arena.lend((2048,), FLOAT, -1) is not None


def test_a_full_arena_lends_nothing() -> None:
    """What does not fit is refused: such a tensor gets memory of its own."""
    arena = Arena(128)
    assert arena.lend((16,), FLOAT, 0) is not None
    assert arena.lend((17,), FLOAT, 1) is None
    assert Arena(0).lend((1,), FLOAT, 0) is None


def test_a_block_stays_for_its_last_tenant() -> None:
    """A view keeps the memory of the tensor that it is a view of."""
    arena = Arena(64)
    array = arena.lend((16,), FLOAT, 0)
    arena.join(array[4:8], 1)
    arena.leave(0)
    assert arena.lend((1,), FLOAT, 2) is None
    arena.leave(1)
    assert arena.lend((1,), FLOAT, 2) is not None


def test_lifetimes() -> None:
    """From the one writer to the last reader; all that is not so plain is left alone."""
    tensors = tuple(
        Tensor(i, str(i), (1,), FLOAT, constant=np.zeros(1) if i == 5 else None, is_variable=i == 6)
        for i in range(9)
    )
    steps = (
        ((0, 5, 8), (1, 6)),  # 8 is read before it is written
        ((1, -1), (2, 7)),
        ((1, 6), (3, 7)),  # 7 is written twice
        ((2,), (8,)),
        ((3,), (4,)),
    )
    operators = tuple(Operator(i, "ANY", x, y, {}) for i, (x, y) in enumerate(steps))
    assert lifetimes(Graph(tensors, (0,), (4,), operators)) == {1: 2, 2: 3, 3: 4}


@given(*(st.integers(0, 3),) * 4, st.integers(1, 4), st.integers(1, 4), st.integers(1, 2))
def test_strips_are_what_is_around(
    top: int, bottom: int, left: int, right: int, height: int, width: int, depth: int
) -> None:
    """The strips are the margins, all of them and nothing else."""
    base = np.ones((1, top + height + bottom, left + width + right, depth), np.float32)
    inner = slice(top, top + height), slice(left, left + width)
    for strip in margin_strips(base, inner):
        strip.fill(0)
    assert (base[(slice(None), *inner)] == 1).all()
    assert base.sum() == height * width * depth
