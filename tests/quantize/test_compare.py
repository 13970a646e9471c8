"""`edge-agent compare`, and the figures that it tells."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.quantize import Dense, Model, quantize_layers
from edge_agent.quantize.agreement import OutputError, mean_average_precision
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.result import Detection
from tests.quantize.nets import mlp
from tests.support.cli import MODEL, Terminal
from tests.support.pictures import encode, picture


def box(score: float, x: float, index: int = 0) -> Detection:
    """A square of a tenth of the frame."""
    return Detection("thing", score, (x, 0.1, x + 0.1, 0.2), index)


def test_errors_of_outputs() -> None:
    """The largest, the mean, and how many are different."""
    error = OutputError("y")
    error.add(np.array([1.0, 2.0]), np.array([1.0, 2.5]))
    error.add(np.array([0.0, 0.0]), np.array([-1.0, 0.0]))
    assert (error.largest, error.mean, error.different, error.count) == (1.0, 0.375, 2, 4)


def test_map_of_equal_boxes_is_one() -> None:
    """Whatever the scores are."""
    pairs = [([box(0.9, 0.1), box(0.8, 0.5, 1)], [box(0.3, 0.1), box(0.2, 0.5, 1)])]
    assert mean_average_precision(pairs) == 1.0


def test_map_falls_with_boxes_that_miss_and_boxes_too_many() -> None:
    """One of two found: 51 of 101 recalls; a better scored false one halves the precision."""
    truth = [box(0.9, 0.1), box(0.9, 0.5)]
    assert mean_average_precision([(truth, [box(0.9, 0.1)])]) == pytest.approx(51 / 101)
    false_first = [box(0.9, 0.8), box(0.5, 0.1)]
    assert mean_average_precision([(truth[:1], false_first)]) == pytest.approx(0.5)
    twice = [box(0.9, 0.1), box(0.8, 0.1), box(0.7, 0.5)]
    assert mean_average_precision([(truth, twice)]) == pytest.approx((51 + 50 * 2 / 3) / 101)
    wrong_class = [box(0.9, 0.1, 1)]
    assert mean_average_precision([(truth, wrong_class)]) == 0.0


def test_map_of_nothing() -> None:
    """Two models that find nothing agree; one that sees things does not."""
    assert mean_average_precision([([], [])]) == 1.0
    assert mean_average_precision([([], [box(0.9, 0.1)])]) == 0.0


def test_a_float_model_and_its_int8_form(terminal: Terminal, tmp_path: Path) -> None:
    """Errors, classes and times of both; the data go into each in its own type."""
    rng = np.random.default_rng(0)
    layers, shape = mlp(rng)
    x = rng.normal(0, 1, (40, *shape)).astype(np.float32)
    a = Model(program_of_layers(layers, shape)).save(tmp_path / "a.tflite")
    b = quantize_layers(layers, x).save(tmp_path / "b.npz")
    np.save(tmp_path / "x.npy", x)
    answer = terminal("compare", a, b, "-d", tmp_path / "x.npy", "--engines", "numpy", "numpy",
                      "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["samples"] == 40
    assert 0 < found["outputs"][0]["mean_error"] < found["outputs"][0]["max_error"] < 0.03
    assert found["outputs"][0]["numbers"] == 160
    assert found["top1_agreement"] > 0.9
    assert found["box_map"] is None
    assert [model["engine"] for model in found["models"]] == ["numpy", "numpy"]
    assert all(model["p50_ms"] > 0 for model in found["models"])


def test_two_engines_on_pictures(terminal: Terminal, tmp_path: Path) -> None:
    """The bundled detector in the same engine twice: no error, and every box is found again."""
    pictures = [tmp_path / f"{i}.png" for i in range(2)]
    for seed, path in enumerate(pictures):
        path.write_bytes(encode(picture(seed), ".png"))
    answer = terminal("compare", MODEL, MODEL, "--engines", "numpy", "numpy", "-d", *pictures,
                      "--threshold", "0.02", "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    assert {output["max_error"] for output in answer.json["outputs"]} == {0.0}
    assert answer.json["box_map"] == 1.0
    text = terminal("compare", MODEL, MODEL, "--engines", "numpy", "numpy", "-d", pictures[0])
    assert "boxes of B against those of A: mAP 1.0000 at IoU 0.5" in text.out


def test_data_that_do_not_fit_are_named(terminal: Terminal, tmp_path: Path) -> None:
    """The file and what is expected."""
    path = Model(program_of_layers([Dense(np.eye(4))], (4,))).save(tmp_path / "a.npz")
    np.save(tmp_path / "x.npy", np.ones((3, 5), np.float32))
    answer = terminal("compare", path, path, "-d", tmp_path / "x.npy")
    assert answer.code == 2
    assert "x.npy cannot be used: an array of shape 3x5 does not fit input" in answer.complaint
