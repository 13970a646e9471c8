"""ONNX files: read without its library, with channels last."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import ModelError
from edge_agent.quantize import (
    Activation,
    Conv1D,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Model,
)
from edge_agent.quantize.layers import Layer
from edge_agent.quantize.onnx import read_onnx
from edge_agent.quantize.prepare import simplify
from tests.quantize.nets import Array, norm, random_weights, run_plainly
from tests.support.cli import Terminal
from tests.support.onnx_writer import node, write_onnx


def cnn(path: Path) -> tuple[Path, list[Layer]]:
    """Convolution padded as PyTorch does, batch norm, ReLU, pool, flattened into a dense layer."""
    rng = np.random.default_rng(0)
    w, b, v, c = (random_weights(rng, *s) for s in ((3, 3, 2, 4), (4,), (64, 3), (3,)))
    bn = norm(rng, 4)
    constants: dict[str, Array] = {
        "w": w.transpose(3, 2, 0, 1), "b": b, "v": v.T, "c": c,
        "gamma": bn.gamma.astype(np.float32), "beta": bn.beta.astype(np.float32),
        "mean": bn.mean.astype(np.float32), "variance": bn.variance.astype(np.float32),
    }  # fmt: skip
    nodes = [
        node("Conv", ["x", "w", "b"], "1", pads=[1, 1, 1, 1], strides=[1, 1], kernel_shape=[3, 3]),
        node("BatchNormalization", ["1", "gamma", "beta", "mean", "variance"], "2", epsilon=1e-3),
        node("Relu", ["2"], "3"),
        node("MaxPool", ["3"], "4", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["4"], "5"),
        node("Gemm", ["5", "v", "c"], "6", transB=1),
        node("Softmax", ["6"], "y", axis=-1),
    ]
    layers: list[Layer] = [Conv2D(w, b, padding=1), bn, Activation("relu"), MaxPool(2)]
    # The rows of v are in ONNX's order: channels first.
    layers += [Flatten(channels_first=True), Dense(v, c, "softmax")]
    return write_onnx(path, nodes, constants, (1, 2, 8, 8)), layers


def test_a_cnn_is_what_the_same_layers_are(tmp_path: Path) -> None:
    """The same numbers as plain loops; SAME padding and batch norm cost no operator."""
    path, layers = cnn(tmp_path / "cnn.onnx")
    program = read_onnx(path)
    x = np.random.default_rng(1).normal(0, 1, (4, 8, 8, 2))
    for sample, answer in zip(x, Model(program).predict(x), strict=True):
        np.testing.assert_allclose(answer, run_plainly(layers, sample), atol=1e-5)
    names = [op.name for op in simplify(program).main.operators]
    assert names == ["CONV_2D", "MAX_POOL_2D", "TRANSPOSE", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]


def test_time_is_a_picture_of_one_row(tmp_path: Path) -> None:
    """A convolution along time with zeros that are not SAME's, and a mean over time."""
    rng = np.random.default_rng(0)
    w, v = random_weights(rng, 5, 3, 4), random_weights(rng, 4, 2)
    nodes = [
        node("Conv", ["x", "w"], "1", pads=[2, 2], strides=[2]),
        node("Clip", ["1", "", "six"], "2", min=0.0),
        node("GlobalAveragePool", ["2"], "3"),
        node("Squeeze", ["3"], "4", axes=[2]),
        node("MatMul", ["4", "v"], "y"),
    ]
    constants = {"w": w.transpose(2, 1, 0), "v": v, "six": np.array(6.0, np.float32)}
    program = read_onnx(write_onnx(tmp_path / "time.onnx", nodes, constants, (1, 3, 20)))
    layers: list[Layer] = [
        Conv1D(w, None, "relu6", stride=2, padding=2),
        GlobalAveragePool(),
        Dense(v),
    ]
    x = rng.normal(0, 3, (3, 20, 3))
    for sample, answer in zip(x, Model(program).predict(x[:, np.newaxis]), strict=True):
        np.testing.assert_allclose(answer, run_plainly(layers, sample).reshape(-1), atol=1e-5)


def test_sums_products_and_joined_channels(tmp_path: Path) -> None:
    """Rows for each channel, two branches, depthwise weights, functions."""
    rng = np.random.default_rng(0)
    row, taps = random_weights(rng, 1, 3, 1, 1), random_weights(rng, 3, 1, 3, 3)
    nodes = [
        node("Constant", [], "row", value=row),
        node("Mul", ["x", "row"], "scaled"),
        node("Conv", ["x", "taps"], "each", group=3, auto_pad="SAME_UPPER"),
        node("Add", ["scaled", "each"], "sum"),
        node("Sigmoid", ["sum"], "low"),
        node("LeakyRelu", ["sum"], "high", alpha=0.2),
        node("Dropout", ["high"], "same"),
        node("Concat", ["low", "same"], "both", axis=1),
        node("ReduceMean", ["both"], "y", axes=[2, 3], keepdims=0),
    ]
    program = read_onnx(write_onnx(tmp_path / "both.onnx", nodes, {"taps": taps}, (1, 3, 6, 6)))
    x = rng.normal(0, 1, (6, 6, 3))
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    total = x * row.reshape(3) + np.einsum("hwcij,cij->hwc", windows, taps[:, 0])
    expected = [(1 / (1 + np.exp(-total))), np.where(total > 0, total, 0.2 * total)]
    joined = np.concatenate(expected, axis=2).mean(axis=(0, 1))
    np.testing.assert_allclose(Model(program).predict(x)[0], joined, atol=1e-5)


def test_the_command_takes_it(terminal: Terminal, tmp_path: Path) -> None:
    """From .onnx to int8 with an input of channels last."""
    path, _ = cnn(tmp_path / "cnn.onnx")
    x = np.random.default_rng(0).normal(0, 1, (20, 8, 8, 2)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "int8.tflite"
    answer = terminal("quantize", path, "--calibrate", tmp_path / "x.npy", "-o", out, "--json")
    assert answer.code == 0, answer.err
    assert {layer["kind"] for layer in answer.json["layers"]} == {"int8"}
    assert read_model_info(out).inputs[0].shape == (1, 8, 8, 2)


SQUARE = np.ones((2, 2), np.float32)


@pytest.mark.parametrize(
    ("nodes", "shape", "said"),
    [
        ([node("Einsum", ["x", "w"], "y")], (1, 2), r"node 0 \(Einsum, y\): it is not known"),
        ([node("Gemm", ["x", "w"], "y", alpha=2.0)], (1, 2), "transA, alpha or beta"),
        ([node("Gemm", ["x", "x"], "y")], (1, 2), "'x' is no constant"),
        ([node("Relu", ["gone"], "y")], (1, 2), "'gone' is not computed by a node"),
        ([node("Relu", ["x"], "z")], (1, 2), "nothing computes its output 'y'"),
        ([node("Relu", ["x"], "y")], (1, "C", 8), "has no fixed shape of one sample"),
        ([node("Softmax", ["x"], "y", axis=1)], (1, 2, 4, 4), "an axis other than that of a row"),
        (
            [node("MaxPool", ["x"], "y", kernel_shape=[2, 2], ceil_mode=1)],
            (1, 2, 4, 4),
            "ceil_mode",
        ),
        ([node("Conv", ["x", "w"], "y")], (1, 2, 4, 4), "does not fit its tensors"),
        ([node("Clip", ["x"], "y", min=0.0, max=3.0)], (1, 2), r"limits \[0.0, 3.0\]"),
        ([node("Reshape", ["x", "w"], "y")], (1, 2), "only one row is known"),
        ([node("Concat", ["x", "x"], "y", axis=0)], (1, 2), "an axis other than"),
        ([], (1, 2), "there is no graph in it"),
    ],
)
def test_what_is_not_known_is_named(
    nodes: list[bytes], shape: tuple[Any, ...], said: str, tmp_path: Path
) -> None:
    """The place, kind and output of the node, and what about it."""
    path = write_onnx(tmp_path / "bad.onnx", nodes, {"w": SQUARE}, shape)
    with pytest.raises(ModelError, match=said):
        read_onnx(path)


def test_a_free_batch_is_one(tmp_path: Path) -> None:
    """As it is for .tflite."""
    path = write_onnx(tmp_path / "free.onnx", [node("Relu", ["x"], "y")], {}, ("N", 2, 8))
    assert read_onnx(path).main.tensors[0].shape == (1, 1, 8, 2)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    """Cut off anywhere, or with bytes changed: one error or a program, nothing else."""
    path, _ = cnn(tmp_path / "cnn.onnx")
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for number in range(300):
        damaged = bytearray(content[: rng.integers(len(content))] if number % 2 else content)
        for place in rng.integers(0, len(damaged) or 1, 3 if damaged else 0):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_onnx(path)
        except ModelError:
            refused += 1
    assert refused > 100


@pytest.mark.parametrize("is_new", [False, True])
def test_what_pytorch_exports(is_new: bool, tmp_path: Path) -> None:
    """Either exporter's file gives what ONNX Runtime gives for it, where both are installed."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript" if is_new else "onnx")
    nn = torch.nn
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU6(),
        nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Hardswish(), nn.Conv2d(8, 12, 1), nn.ReLU(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(300, 4), nn.Softmax(1),
    ).eval()  # fmt: skip
    path = tmp_path / "net.onnx"
    more = {"dynamo": is_new} | ({"external_data": False} if is_new else {})
    torch.onnx.export(net, torch.zeros(1, 3, 20, 20), str(path), **more)
    session = runtime.InferenceSession(str(path))
    x = np.random.default_rng(0).normal(0, 1, (5, 3, 20, 20)).astype(np.float32)
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: sample[None]})[0] for sample in x])
    answers = Model(read_onnx(path)).predict(x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(answers, expected, atol=1e-5)
