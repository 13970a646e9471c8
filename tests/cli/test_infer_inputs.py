"""`edge-agent infer` on arrays, tables and sound."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions
from edge_agent.sources.pictures import load_picture
from tests.support.cli import MODEL, Terminal
from tests.support.tflite_writer import (
    GraphDef,
    OpDef,
    TensorDef,
    sum_graph,
    write_model,
)

SUM = "input 'x' (float32 4)"


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """A model that doubles four real numbers."""
    graph = GraphDef(
        [TensorDef("x", (4,)), TensorDef("y", (4,))], [OpDef("ADD", (0, 0), (1,))], (0,), (1,)
    )
    return write_model(tmp_path / "twice.tflite", graph)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """A model that adds two inputs."""
    tensors = [TensorDef(name, (1, 1, 1, 3)) for name in ("x", "state", "y")]
    graph = GraphDef(tensors, [OpDef("ADD", (0, 1), (2,))], (0, 1), (2,))
    return write_model(tmp_path / "both.tflite", graph)


def outputs(answer: str) -> list[Any]:
    """The values of the only output in each line."""
    return [json.loads(line)["outputs"][0]["values"] for line in answer.splitlines()]


def _npy(path: Path, values: list[list[float]]) -> Path:
    np.save(path.with_suffix(".npy"), values)
    return path.with_suffix(".npy")


def _npz(path: Path, values: list[list[float]]) -> Path:
    np.savez(path.with_suffix(".npz"), x=np.array(values, np.float32))
    return path.with_suffix(".npz")


def _csv(path: Path, values: list[list[float]]) -> Path:
    lines = [",".join(map(str, row)) for row in values]
    path.with_suffix(".csv").write_text("\n".join(["a,b,c,d", *lines]))
    return path.with_suffix(".csv")


def _wav(path: Path, values: list[list[float]], rate: int = 16000) -> Path:
    with wave.open(str(path.with_suffix(".wav")), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        file.writeframes((np.array(values) * 2**15).astype("<i2").tobytes())
    return path.with_suffix(".wav")


@pytest.mark.parametrize("write", [_npy, _npz, _csv, _wav])
def test_every_kind_of_file(
    terminal: Terminal, twice: Path, tmp_path: Path, write: Callable[..., Path]
) -> None:
    """An object for each sample, numbered, with the outputs of the model."""
    path = write(tmp_path / "in", [[0.5, 0.25, 0.0, -0.5], [0.125, 0.0, 0.25, 0.5]])
    answer = terminal("infer", "-m", twice, "-i", path, "--json", "--engine", "numpy")
    assert (answer.code, answer.err) == (0, "")
    assert outputs(answer.out) == [[1.0, 0.5, 0.0, -1.0], [0.25, 0.0, 0.5, 1.0]]
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert list(lines[0]) == ["input", "sample", "model", "kind", "outputs", "latency_ms"]
    assert [(line["input"], line["sample"]) for line in lines] == [(str(path), 0), (str(path), 1)]


def test_an_array_in_place_of_its_picture(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """The same input tensor gives the same results; there is no picture to give pixels of."""
    spec = read_model_info(Path(MODEL)).inputs[0]
    tensor = np.zeros(spec.shape, spec.dtype)
    ImagePreprocessor(spec, {}, PreprocessOptions()).write(load_picture(frame), tensor)
    np.save(tmp_path / "frame.npy", tensor[0])
    by_picture = terminal("infer", "-m", MODEL, "-i", frame, "--json").json["results"]
    found = terminal("infer", "-m", MODEL, "-i", tmp_path / "frame.npy", "--json").json["results"]
    assert len(found) == 9
    assert [list(each) for each in found] == [["label", "score", "box"]] * 9
    assert found == [{key: each[key] for key in found[0]} for each in by_picture]


def test_as_text(terminal: Terminal, twice: Path, tmp_path: Path) -> None:
    """Several samples are numbered, a single one needs none."""
    two, one = _npy(tmp_path / "two", [[0.0] * 4] * 2), _npy(tmp_path / "one", [[0.0] * 4])
    heads = terminal("infer", "-m", twice, "-i", two, one).out.splitlines()[::2]
    names = [head.rsplit("  (", 1)[0] for head in heads]
    assert names == [f"{two} [0]", f"{two} [1]", str(one)]


def test_inputs_that_a_file_says_nothing_of(
    terminal: Terminal, both: Path, frame: Path, tmp_path: Path
) -> None:
    """They are zero, and it is told; the others come by name, or from a picture."""
    np.savez(tmp_path / "all.npz", x=np.array([1, 2, 3], "f4"), state=np.array([4, 5, 6], "f4"))
    full = terminal("infer", "-m", both, "-i", tmp_path / "all.npz", "--json")
    assert (outputs(full.out), full.err) == ([[[[[5.0, 7.0, 9.0]]]]], "")
    path = _npy(tmp_path / "x", [[1.0, 2.0, 3.0]])
    part = terminal("infer", "-m", both, "-i", path, "--json")
    assert outputs(part.out) == [[[[[1.0, 2.0, 3.0]]]]]
    assert part.complaint == f"{path} says nothing of state: zero"
    seen = terminal("infer", "-m", both, "-i", frame, "--json", "--task", "raw")
    assert seen.complaint == f"{frame} says nothing of state: zero"
    (values,) = outputs(seen.out)
    assert all(0.0 < value <= 1.0 for value in values[0][0][0])


@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_inputs_of_one_number(terminal: Terminal, frame: Path, tmp_path: Path, engine: str) -> None:
    """An input without axes takes a number of a table, and what is no number is told."""
    tensors = [TensorDef("x", ()), TensorDef("y", ())]
    graph = GraphDef(tensors, [OpDef("ADD", (0, 0), (1,))], (0,), (1,))
    model = write_model(tmp_path / "one.tflite", graph)
    (tmp_path / "two.csv").write_text("1\n2.5\n")
    words = ("--engine", engine, "--json", "--task", "raw")
    answer = terminal("infer", "-m", model, "-i", tmp_path / "two.csv", *words)
    assert (outputs(answer.out), answer.err) == ([2.0, 5.0], "")
    refused = terminal("infer", "-m", model, "-i", frame, *words)
    assert (refused.code, refused.out) == (1, "")
    assert "takes no picture" in refused.complaint


@pytest.mark.parametrize("name", ["frame.png", "x.npy", "x.csv", "x.wav"])
def test_a_model_that_takes_nothing(
    terminal: Terminal, frame: Path, tmp_path: Path, name: str
) -> None:
    """It is told of once, whatever it is to be given."""
    constants = [TensorDef(each, (1,), data=np.ones(1, np.float32)) for each in ("a", "b")]
    graph = GraphDef([*constants, TensorDef("y", (1,))], [OpDef("ADD", (0, 1), (2,))], (), (2,))
    model = write_model(tmp_path / "none.tflite", graph)
    for write in (_npy, _csv, _wav):
        write(tmp_path / "x", [[1.0]])
    answer = terminal("infer", "-m", model, "-i", frame if name == "frame.png" else tmp_path / name)
    assert (answer.code, answer.out) == (1, "")
    assert answer.complaint.startswith(f"{model} has 0 inputs: none (")


def test_sound_of_an_unusual_rate(terminal: Terminal, twice: Path, tmp_path: Path) -> None:
    """It is used as it is, and said so."""
    path = _wav(tmp_path / "x", [[0.5] * 4], rate=48000)
    answer = terminal("infer", "-m", twice, "-i", path, "--json")
    assert outputs(answer.out) == [[1.0] * 4]
    assert answer.complaint == (
        f"{path} has 48000 samples a second and goes in as it is: most models want 16000"
    )


def test_what_cannot_be_used_does_not_stop_the_others(
    terminal: Terminal, twice: Path, frame: Path, tmp_path: Path
) -> None:
    """One line for each, with the spec that the model wants where it is a matter of fit."""
    (tmp_path / "bad.npy").write_bytes(b"no array")
    np.save(tmp_path / "ints.npy", np.zeros(4, np.int32))
    (tmp_path / "gap.csv").write_text("1,2,3\n")
    good = _npy(tmp_path / "good", [[0.0] * 4])
    paths = [tmp_path / "bad.npy", tmp_path / "ints.npy", tmp_path / "gap.csv", frame, good]
    answer = terminal("infer", "-m", twice, "-i", *paths, "--json")
    assert answer.code == 1
    assert answer.json["input"] == str(good)
    bad, ints, gap, picture = answer.err.splitlines()
    assert "bad.npy cannot be used: it is no .npy file of plain arrays" in bad
    assert ints.endswith(
        f"ints.npy cannot be used: an array of int32 does not fit {SUM} (give float32 or real "
        "numbers (float))"
    )
    assert gap.endswith(
        f"gap.csv cannot be used: its 3 numbers do not fill {SUM} (give 4 numbers for each sample)"
    )
    assert f"{frame} cannot be used: input 'x' of shape 4 takes no picture" in picture


def test_there_is_nothing_to_draw_into(terminal: Terminal, twice: Path, tmp_path: Path) -> None:
    """Wrong usage, before anything is inferred."""
    path = _npy(tmp_path / "x", [[0.0] * 4])
    answer = terminal("infer", "-m", twice, "-i", path, "--draw", tmp_path / "out.jpg")
    assert (answer.code, answer.out) == (2, "")
    assert answer.complaint == f"--draw draws into pictures, and {path} is none"


def _sums(answer: str) -> list[float]:
    """The largest value of the second output in each line."""
    lines = [json.loads(line) for line in answer.splitlines()]
    return [float(np.max(line["outputs"][1]["values"])) for line in lines]


def test_pictures_of_a_model_that_feeds_outputs_back(terminal: Terminal, tmp_path: Path) -> None:
    """They are one stream; without the wire each begins at zero, which is told."""
    model = write_model(tmp_path / "sum.tflite", sum_graph())
    cv2.imwrite(str(tmp_path / "a.png"), np.full((2, 2, 3), 135, np.uint8))  # 135 - 128 is 7
    pictures = [tmp_path / "a.png"] * 3
    words: list[str | Path] = ["infer", "-m", model, "--json", "--task", "raw", "-i", *pictures]
    answer = terminal(*words)
    assert (answer.code, answer.err, _sums(answer.out)) == (0, "", [7.0, 14.0, 21.0])
    alone = terminal(*words, "--state", "{}")
    assert _sums(alone.out) == [7.0] * 3
    assert "says nothing of sum_in: zero" in alone.err


def test_wires_by_hand(terminal: Terminal, tmp_path: Path) -> None:
    """Where the names leave a doubt the option settles it; a wrong name is told with the others."""
    model = write_model(tmp_path / "sum.tflite", sum_graph("a", "b"))
    words = ("infer", "-m", model, "-i", tmp_path / "a.npy", "--json", "--task", "raw", "--state")
    np.save(tmp_path / "a.npy", np.full((2, 2, 2, 3), 7, np.int8))
    assert _sums(terminal(*words, "{b: a}").out) == [7.0, 14.0]
    wrong = terminal(*words, "{b: c}")
    assert wrong.code == 1
    assert wrong.complaint == "state: the model has no input 'c' (its inputs: picture, a)"


def test_inspect_tells_the_wires(terminal: Terminal, tmp_path: Path) -> None:
    """As text and as JSON; what is left is a model with one picture."""
    model = write_model(tmp_path / "sum.tflite", sum_graph())
    facts = terminal("inspect", model, "--json").json
    assert facts["state"] == {"sum_out": "sum_in"}
    assert facts["preprocess"].startswith("stretch to 2x2 RGB")
    assert "state       sum_out is sum_in of the next frame\n" in terminal("inspect", model).out
