"""Pruning: what is taken out, what stays, and what it is told to cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.program import Program
from edge_agent.errors import ModelError
from edge_agent.quantize import Conv2D, Dense, DepthwiseConv2D, Flatten, Model, quantize
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.evaluate import milliseconds
from edge_agent.quantize.prune import prune_channels, prune_weights
from tests.quantize.nets import cnn_1d, mlp, random_weights
from tests.support.cli import Terminal

CONV = {"padding": 0, "stride_w": 1, "stride_h": 1, "dilation_w": 1, "dilation_h": 1,
        "activation": 1}  # fmt: skip


def flat_cnn(rng: np.random.Generator) -> tuple[list[Any], tuple[int, ...]]:
    """Convolution, depthwise, convolution, flattened into a dense layer."""
    w = random_weights
    return [
        Conv2D(w(rng, 3, 3, 3, 8), w(rng, 8), "relu"),
        DepthwiseConv2D(w(rng, 3, 3, 8, 1), w(rng, 8), "relu6", padding="same"),
        Conv2D(w(rng, 1, 1, 8, 12), w(rng, 12), "relu", stride=2),
        Flatten(),
        Dense(w(rng, 4 * 4 * 12, 6), w(rng, 6), "relu"),
        Dense(w(rng, 6, 3), w(rng, 3)),
    ], (10, 10, 3)


def shortcut() -> Program:
    """Two convolutions whose outputs are added, with a row of numbers in between, and a third."""
    rng = np.random.default_rng(5)
    draft = Draft()
    x = draft.tensor("x", (1, 5, 5, 3))
    ends = []
    for name in ("left", "right"):
        w = draft.constant(f"{name}_w", random_weights(rng, 8, 3, 3, 3))
        b = draft.constant(f"{name}_b", random_weights(rng, 8))
        ends.append(draft.tensor(name, (1, 5, 5, 8)))
        draft.apply("CONV_2D", (x, w, b), (ends[-1],), CONV)
    row = draft.constant("row", random_weights(rng, 1, 1, 1, 8))
    scaled, total, y = (draft.tensor(n, (1, 5, 5, c)) for n, c in (("s", 8), ("t", 8), ("y", 2)))
    draft.apply("MUL", (ends[0], row), (scaled,), {"activation": 0})
    draft.apply("ADD", (scaled, ends[1]), (total,), {"activation": 0})
    w = draft.constant("w", random_weights(rng, 2, 1, 1, 8))
    b = draft.constant("b", np.zeros(2, np.float32))
    draft.apply("CONV_2D", (total, w, b), (y,), {**CONV, "activation": 0})
    return Program("shortcut", (draft.finish((x,), (y,)),))


def with_dead_channels(program: Program, every: int) -> Program:
    """The program with each such output channel of every hidden layer at zero."""
    graph = program.main
    tensors = list(graph.tensors)
    ends = {*graph.outputs, *(op.inputs[0] for op in graph.operators if op.name == "SOFTMAX")}
    for operator in graph.operators:
        if operator.name not in ("CONV_2D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D"):
            continue
        if operator.outputs[0] in ends:
            continue
        for index in operator.inputs[1:3]:
            values = tensors[index].constant
            assert values is not None
            fewer = values.copy()
            is_depthwise = operator.name == "DEPTHWISE_CONV_2D" and fewer.ndim == 4
            (fewer[..., ::every] if is_depthwise else fewer[::every])[...] = 0.0
            tensors[index] = replace(tensors[index], constant=fewer)
    return Program(program.name, (replace(graph, tensors=tuple(tensors)),))


def programs() -> Sequence[tuple[str, Program]]:
    """Nets with channels that run through all kinds of operators."""
    rng = np.random.default_rng(4)
    layered = [(f.__name__, program_of_layers(*f(rng))) for f in (mlp, flat_cnn)]
    return [*layered, ("shortcut", shortcut())]


@pytest.mark.parametrize(("name", "program"), programs())
def test_channels_that_do_nothing_go_without_a_trace(name: str, program: Program) -> None:
    """Half of the channels are dead: cut in half, the net is smaller and answers the same."""
    dead = with_dead_channels(program, 2)
    smaller = prune_channels(dead, 0.5)
    x = np.random.default_rng(0).normal(
        0, 1, (4, *dead.main.tensors[dead.main.inputs[0]].shape[1:])
    )
    np.testing.assert_allclose(Model(smaller).predict(x), Model(dead).predict(x), atol=1e-5)
    before, after = (
        sum(t.constant.size for t in p.main.tensors if t.constant is not None)
        for p in (dead, smaller)
    )
    assert after < 0.6 * before


def test_pruned_models_are_quantised_and_saved(tmp_path: Path) -> None:
    """The smaller net goes on to int8, and its file can be read."""
    rng = np.random.default_rng(4)
    smaller = prune_channels(program_of_layers(*flat_cnn(rng)), 0.5)
    samples = [(x[np.newaxis],) for x in rng.normal(0, 1, (20, 10, 10, 3)).astype(np.float32)]
    made = quantize(Model(smaller), samples)
    assert made.report.layers[-1].sqnr_db > 30
    assert read_model_info(made.save(tmp_path / "half.tflite")).inputs[0].shape == (1, 10, 10, 3)


def test_what_the_others_tell_of_a_lost_channel_is_used() -> None:
    """Channels that are sums of others can go: with samples the answers stay, without they move."""
    rng = np.random.default_rng(0)
    basis = np.abs(random_weights(rng, 6, 8))
    first = np.concatenate([basis, 0.3 * basis @ np.abs(random_weights(rng, 8, 8))], axis=1)
    last = random_weights(rng, 16, 4)
    layers = [Dense(first, np.full(16, 20.0), "relu"), Dense(last, np.zeros(4))]
    program = program_of_layers(layers, (6,))
    x = rng.normal(0, 1, (100, 6)).astype(np.float32)
    real = Model(program).predict(x)
    samples = [(row[np.newaxis],) for row in x]
    guessed = Model(prune_channels(program, 0.5, samples)).predict(x)
    plain = Model(prune_channels(program, 0.5)).predict(x)
    np.testing.assert_allclose(guessed, real, atol=0.1)
    assert np.abs(plain - real).max() > 1


def test_weights_of_least_size_become_zero() -> None:
    """The part that was asked for, in each layer, and no others."""
    program = program_of_layers(*mlp(np.random.default_rng(0)))
    sparse = prune_weights(program, 0.6)
    for before, after in zip(program.main.tensors, sparse.main.tensors, strict=True):
        if before.constant is not None and before.constant.ndim == 2:
            assert after.constant is not None
            gone = after.constant == 0
            assert gone.mean() == pytest.approx(0.6, abs=0.01)
            assert np.abs(before.constant[gone]).max() <= np.abs(before.constant[~gone]).min()
            np.testing.assert_array_equal(after.constant[~gone], before.constant[~gone])


def test_nothing_to_take() -> None:
    """One layer between input and output has only channels that others count on."""
    program = program_of_layers([Dense(np.eye(4))], (4,))
    with pytest.raises(ModelError, match="has no channels that could go"):
        prune_channels(program, 0.5)


def test_half_of_the_channels_make_the_engine_faster() -> None:
    """An int8 CNN of the size of a keyword spotter runs at least 1.5 times as fast."""
    rng = np.random.default_rng(0)
    w = random_weights
    layers: list[Any] = [Conv2D(w(rng, 10, 4, 1, 128), w(rng, 128), "relu", 2, "same")]
    for _ in range(3):
        layers.append(DepthwiseConv2D(w(rng, 3, 3, 128, 1), w(rng, 128), "relu", 1, "same"))
        layers.append(Conv2D(w(rng, 1, 1, 128, 128), w(rng, 128), "relu"))
    layers += [Flatten(), Dense(w(rng, 25 * 5 * 128, 12), w(rng, 12), "softmax")]
    program = program_of_layers(layers, (49, 10, 1))
    samples = [(x[np.newaxis],) for x in rng.normal(0, 1, (4, 49, 10, 1)).astype(np.float32)]
    whole, half = (
        quantize(Model(each), samples).program for each in (program, prune_channels(program, 0.5))
    )
    ratios = [milliseconds(whole, samples[0]) / milliseconds(half, samples[0]) for _ in range(3)]
    assert max(ratios) >= 1.5


def test_the_command_prints_a_table(terminal: Terminal, tmp_path: Path) -> None:
    """Size, packed size, time and accuracy of four sizes; the one asked for is written."""
    rng = np.random.default_rng(0)
    layers, shape = cnn_1d(rng)
    model = Model(program_of_layers(layers, shape))
    path = model.save(tmp_path / "float.tflite")
    x = rng.normal(0, 1, (30, *shape)).astype(np.float32)
    labels = model.predict(x).argmax(axis=1)
    np.savez(tmp_path / "x.npz", x=x, labels=labels)
    out = tmp_path / "half.tflite"
    answer = terminal(
        "prune", path, "--channels", "0.5", "--calibrate", tmp_path / "x.npz",
        "--evaluate", tmp_path / "x.npz", "-o", out, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    rows = answer.json["rows"]
    assert [row["pruned"] for row in rows] == [0.0, 0.25, 0.5, 0.75]
    sizes = [row["bytes"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert rows[0]["accuracy"] == 1.0
    assert out.stat().st_size < path.stat().st_size
    sparse = terminal("prune", path, "--weights", "0.6", "-o", out)
    assert sparse.code == 0, sparse.err
    assert "packed_bytes" in sparse.out
    neither = terminal("prune", path, "-o", out)
    assert neither.code == 2
    assert "give either --channels P or --weights P" in neither.complaint
