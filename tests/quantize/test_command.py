"""`edge-agent quantize` on files."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.engines import open_engine
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.program import Program
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions
from edge_agent.quantize import Conv2D, Dense, GlobalAveragePool, MaxPool, Model
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.quantize.arrays_file import save_layers
from edge_agent.quantize.layers import Layer
from tests.support.agent import ASSETS
from tests.support.cli import Terminal
from tests.support.tflite_writer import (
    GraphDef,
    OpDef,
    TensorDef,
    add_graph,
    counter_graphs,
    write_model,
)


def red_or_blue() -> list[Layer]:
    """A classifier of pictures: which of red and blue there is more of."""
    filters = np.zeros((3, 3, 3, 2), np.float32)
    filters[1, 1, 0, 0] = filters[1, 1, 2, 1] = 1.0
    return [
        Conv2D(filters, None, "relu", padding="same"),
        MaxPool(2),
        GlobalAveragePool(),
        Dense(np.array([[4.0, -4.0], [-4.0, 4.0]]), None, "softmax"),
    ]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The classifier as a float .tflite for 16 x 16 pictures."""
    return Model(program_of_layers(red_or_blue(), (16, 16, 3))).save(tmp_path / "float.tflite")


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten noisy pictures in a folder for each class."""
    rng = np.random.default_rng(0)
    for name, channel in (("red", 2), ("blue", 0)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(5):
            picture = rng.integers(0, 90, (20, 20, 3)).astype(np.uint8)
            picture[..., channel] += 60
            cv2.imwrite(str(tmp_path / "pictures" / name / f"{number}.png"), picture)
    return tmp_path / "pictures"


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """The names of the classes in the model's order."""
    (tmp_path / "labels.txt").write_text("red\nblue\n")
    return tmp_path / "labels.txt"


def test_from_pictures_to_both_formats(
    terminal: Terminal, model: Path, pictures: Path, labels: Path, tmp_path: Path
) -> None:
    """Calibrated and judged with folders of pictures; both files give the same, labels inside."""
    outs = (tmp_path / "int8.tflite", tmp_path / "int8.npz")
    answer = terminal(
        "quantize", model, "--calibrate", pictures, "--evaluate", pictures, "--labels", labels,
        "--input-type", "uint8", "-o", *outs, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    report = answer.json
    assert report["accuracy"] == {"samples": 10, "float": 1.0, "int8": 1.0, "agreement": 1.0}
    assert report["files"] == {str(out): out.stat().st_size for out in outs}
    assert {layer["kind"] for layer in report["layers"]} == {"int8"}
    assert report["float_ms"] > 0
    assert report["int8_ms"] > 0
    picture = np.random.default_rng(1).integers(0, 256, (1, 16, 16, 3)).astype(np.uint8)
    first, second = (open_engine(out, kind="numpy").run(picture)[0] for out in outs)
    np.testing.assert_array_equal(first, second)
    assert read_model_info(outs[0]).labels == read_model_info(outs[1]).labels == ("red", "blue")
    assert terminal("infer", "-m", outs[1], "-i", pictures / "red" / "0.png").out.count(" red") == 1


def test_black_and_white_fit_into_the_input_whatever_the_pictures_show(
    terminal: Terminal, model: Path, pictures: Path, tmp_path: Path
) -> None:
    """Dark pictures do not narrow the input: a pixel is the stored number of uint8 as it is."""
    out = tmp_path / "int8.npz"
    answer = terminal(
        "quantize", model, "--calibrate", pictures, "-o", out, "--input-type", "uint8"
    )
    assert answer.code == 0, answer.err
    spec = read_model_info(out).inputs[0]
    assert spec.scale == pytest.approx(1 / 255)
    assert spec.zero_point == 0


def test_normalisation_is_written_into_the_file(
    terminal: Terminal, model: Path, pictures: Path, tmp_path: Path
) -> None:
    """Mean and std of the command line hold for the int8 model without being said again."""
    out = tmp_path / "int8.tflite"
    options = "{mean: [100, 110, 120], std: 60}"
    answer = terminal(
        "quantize", model, "--calibrate", pictures, "-o", out, "--preprocess", options
    )
    assert answer.code == 0, answer.err
    info = read_model_info(out)
    spec = info.inputs[0]
    tensor = np.zeros(spec.shape, spec.dtype)
    picture = np.full((16, 16, 3), 160, np.uint8)
    ImagePreprocessor(spec, info.metadata, PreprocessOptions()).write(picture, tensor)
    assert isinstance(spec.scale, float)
    real = (tensor[0, 0, 0].astype(float) - float(spec.zero_point or 0)) * spec.scale
    np.testing.assert_allclose(real, (160 - np.array([100, 110, 120])) / 60, atol=spec.scale)


def test_labelled_arrays_and_tables(
    terminal: Terminal, model: Path, pictures: Path, tmp_path: Path
) -> None:
    """An .npz with labels and a .csv of files say the same of a model as the folders do."""
    x = np.zeros((4, 16, 16, 3), np.float32)
    x[:2, ..., 0] = x[2:, ..., 2] = 1.0
    np.savez(tmp_path / "test.npz", x=x, labels=np.array([0, 0, 1, 0]))
    rows = "file,label\npictures/red/0.png,0\npictures/blue/0.png,1\n"
    (tmp_path / "test.csv").write_text(rows)
    found = {}
    for name in ("test.npz", "test.csv"):
        answer = terminal(
            "quantize", model, "--calibrate", tmp_path / "test.npz", "--json",
            "--evaluate", tmp_path / name, "-o", tmp_path / "out.npz",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        found[name] = answer.json["accuracy"]
    assert found["test.npz"]["int8"] == 0.75
    assert found["test.csv"]["int8"] == 1.0


def test_text(terminal: Terminal, model: Path, pictures: Path, tmp_path: Path) -> None:
    """Without --json people get some lines, with the operator that was kept and why."""
    out = tmp_path / "out.npz"
    answer = terminal(
        "quantize", model, "--calibrate", pictures, "-o", out, "--keep-float", "SOFTMAX",
        "--equalize", "--correct-bias", "--observer", "percentile",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert "kept float 4 SOFTMAX: asked for" in answer.out
    assert "operators  4 int8, 1 float32; 10 samples" in answer.out
    assert "ms, numpy engine" in answer.out


def test_layers_as_arrays(terminal: Terminal, tmp_path: Path) -> None:
    """--from-arrays reads what `save_layers` wrote, options of the layers too."""
    save_layers(tmp_path / "layers.npz", red_or_blue())
    x = np.random.default_rng(0).uniform(0, 1, (20, 16, 16, 3)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / "model.npz"
    answer = terminal(
        "quantize", "--from-arrays", tmp_path / "layers.npz", "--calibrate", tmp_path / "x.npy",
        "-o", out,
    )  # fmt: skip
    assert answer.code == 0, answer.err
    expected = Model(program_of_layers(red_or_blue(), (16, 16, 3))).predict(x)
    spec = read_model_info(out).inputs[0]
    assert isinstance(spec.scale, float)
    whole = np.rint(x / spec.scale) + float(spec.zero_point or 0)
    engine = open_engine(out)
    for sample, answers in zip(np.clip(whole, -128, 127).astype(np.int8), expected, strict=True):
        real = (engine.run(sample[np.newaxis])[0].astype(float) + 128) / 256
        np.testing.assert_allclose(real[0], answers, atol=0.02)


@pytest.mark.parametrize("ending", ["wav", "csv"])
def test_sound_and_tables(ending: str, terminal: Terminal, tmp_path: Path) -> None:
    """A waveform model takes its windows from a .wav, or rows of numbers."""
    rng = np.random.default_rng(0)
    sound = rng.uniform(-0.5, 0.5, 320)
    if ending == "wav":
        with wave.open(str(tmp_path / "x.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((sound * 32767).astype("<i2").tobytes())
    else:
        np.savetxt(tmp_path / "x.csv", sound.reshape(-1, 32), delimiter=",")
    layers = [Dense(rng.normal(0, 0.2, (32, 4)), None, "softmax")]
    path = Model(program_of_layers(layers, (32,))).save(tmp_path / "float.tflite")
    answer = terminal("quantize", path, "--calibrate", tmp_path / f"x.{ending}", "--json",
                      "-o", tmp_path / "out.npz")  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["samples"] == 10
    spec = read_model_info(tmp_path / "out.npz").inputs[0]
    assert spec.scale == pytest.approx(np.ptp(sound) / 255, rel=0.01)


Complaint = Callable[[Path], tuple[list[Any], str]]


def _nan(folder: Path) -> tuple[list[Any], str]:
    weights = np.full((4, 2), np.nan, np.float32)
    program = program_of_layers([Dense(weights)], (4,))
    return [Model(program).save(folder / "bad.tflite")], "holds NaN or infinity"


def _int8(folder: Path) -> tuple[list[Any], str]:
    del folder
    return [ASSETS / "belt.tflite"], "is quantised already: operator 0 (QUANTIZE"


def _unknown(folder: Path) -> tuple[list[Any], str]:
    graph = GraphDef(
        [TensorDef("x", (1, 4)), TensorDef("y", (1, 4))], [OpDef("COS", (0,), (1,))], (0,), (1,)
    )
    return [write_model(folder / "cos.tflite", graph)], "operator 0 (COS)"


def _free_shape(folder: Path) -> tuple[list[Any], str]:
    path = write_model(folder / "free.tflite", add_graph((1, 4), (1, -1)))
    return [path], "input 'x' has no fixed shape (1x?)"


def _states(folder: Path) -> tuple[list[Any], str]:
    return [write_model(folder / "sum.tflite", counter_graphs())], "keeps a state between runs"


def _neither(folder: Path) -> tuple[list[Any], str]:
    return [], "give either a model or --from-arrays"


@pytest.mark.parametrize("bad", [_nan, _int8, _unknown, _free_shape, _states, _neither])
def test_models_that_cannot_be_quantised(
    bad: Complaint, terminal: Terminal, tmp_path: Path
) -> None:
    """One line says what is wrong and where; nothing is written."""
    np.save(tmp_path / "x.npy", np.ones((3, 1, 4), np.float32))
    words, said = bad(tmp_path)
    out = tmp_path / "out.tflite"
    answer = terminal("quantize", *words, "--calibrate", tmp_path / "x.npy", "-o", out)
    assert answer.code in (1, 2)
    assert said in answer.complaint
    assert not out.exists()


def test_data_that_cannot_be_used(terminal: Terminal, model: Path, tmp_path: Path) -> None:
    """No data, data of another shape, labels that nobody knows: each is told by name."""
    (tmp_path / "empty").mkdir()
    np.save(tmp_path / "narrow.npy", np.ones((3, 8, 8, 3), np.float32))
    np.save(tmp_path / "good.npy", np.ones((3, 16, 16, 3), np.float32))
    (tmp_path / "cats.csv").write_text("good.npy,cat\n")
    (tmp_path / "wide.csv").write_text("good.npy,cat,dog\n")
    (tmp_path / "labels.txt").write_text("red\nblue\n")
    good: list[Any] = ["--calibrate", tmp_path / "good.npy", "--labels", tmp_path / "labels.txt"]
    cases: list[tuple[list[Any], str]] = [
        (["--calibrate", tmp_path / "empty"], "there is no data in"),
        (["--calibrate", tmp_path / "gone"], "does not exist"),
        (["--calibrate", tmp_path / "narrow.npy"], "does not fit input"),
        ([*good, "--evaluate", tmp_path / "cats.csv"], "'cat' is no label of the model"),
        ([*good, "--evaluate", tmp_path / "wide.csv"], "wide.csv:1: 3 columns"),
        ([*good, "--evaluate", tmp_path / "empty"], "holds no labelled data"),
        ([*good, "--preprocess", "{size: 3}"], "--preprocess"),
    ]
    for words, said in cases:
        answer = terminal("quantize", model, *words, "-o", tmp_path / "out.npz")
        assert answer.code == 2, said
        assert said in answer.complaint


def test_what_detects_has_no_accuracy(terminal: Terminal, tmp_path: Path) -> None:
    """Labels of classes say nothing of a model whose output is no row of scores."""
    program: Program = program_of_layers(red_or_blue()[:2], (16, 16, 3))
    path = Model(program).save(tmp_path / "map.tflite")
    np.savez(tmp_path / "x.npz", x=np.ones((2, 16, 16, 3), np.float32), labels=np.array([0, 1]))
    data = tmp_path / "x.npz"
    answer = terminal(
        "quantize", path, "--calibrate", data, "--evaluate", data, "-o", tmp_path / "out.npz"
    )
    assert answer.code == 1
    assert "is no row of scores" in answer.complaint
