"""`edge-agent inspect`: what a model file holds, as text and as JSON."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines import ENGINES
from tests.support.cli import MODEL, Terminal
from tests.support.tflite_writer import custom_graph, int8_add_graph, write_model
from tests.support.two_inputs import write_two_inputs

CONTRACT = {"inputs", "outputs", "ops", "labels", "decoder", "engines", "sha256"}


def test_the_json_of_the_contract(terminal: Terminal) -> None:
    """The keys that other programs build on, with what the bundled model really has."""
    answer = terminal("inspect", MODEL, "--json")
    assert (answer.code, answer.err) == (0, "")
    facts = answer.json
    assert set(facts) >= CONTRACT
    content = Path(MODEL).read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert facts["size"] == len(content)
    assert facts["labels"] == ["bolt", "nut", "washer", "gear"]
    assert facts["ops"]["CONV_2D"] == 18
    assert facts["ops"]["TFLite_Detection_PostProcess"] == 1
    assert facts["decoder"]["name"] == "ssd"
    assert "TFLite_Detection_PostProcess" in facts["decoder"]["why"]


def test_each_engine_is_tried(terminal: Terminal) -> None:
    """True where it runs the model, and every engine has an answer."""
    engines = terminal("inspect", MODEL, "--json").json["engines"]
    assert set(engines) == set(ENGINES.names())
    assert engines["tflite"] is True


def test_tensors(terminal: Terminal) -> None:
    """Name, shape, type and quantisation, which is null where there is none."""
    facts = terminal("inspect", MODEL, "--json").json
    (image,) = facts["inputs"]
    assert list(image) == ["name", "shape", "dtype", "scale", "zero_point"]
    assert (image["shape"], image["dtype"]) == ([1, 144, 256, 3], "uint8")
    assert image["scale"] == pytest.approx(1 / 255)
    assert image["zero_point"] == 0
    assert [output["shape"] for output in facts["outputs"]] == [[1, 25, 4], [1, 25], [1, 25], [1]]
    assert {output["scale"] for output in facts["outputs"]} == {None}


def test_as_text(terminal: Terminal) -> None:
    """The same facts, a line each."""
    answer = terminal("inspect", MODEL)
    sha256 = hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert lines[0] == f"{MODEL}: 257,015 bytes, sha256 {sha256}"
    assert any("1 x 144 x 256 x 3  uint8    0.00392157 * (q - 0)" in line for line in lines)
    assert "labels      4 inside: bolt, nut, washer, gear" in lines
    assert "engine      tflite: runs it" in lines
    assert any(line.startswith("decoder     ssd (output 0 comes from") for line in lines)
    assert any(line.startswith("operators   ") and "18 CONV_2D" in line for line in lines)


def test_labels_alone(terminal: Terminal) -> None:
    """All of them, a line each, for those who look for a name."""
    assert terminal("inspect", MODEL, "--labels").out == "bolt\nnut\nwasher\ngear\n"


def test_a_model_that_takes_numbers_beside_a_picture(terminal: Terminal, tmp_path: Path) -> None:
    """What becomes of the picture, and which inputs are left for `inputs` of a pipeline."""
    model = write_two_inputs(tmp_path / "m.tflite", numbers_first=True)
    facts = terminal("inspect", model, "--json").json
    assert facts["preprocess"].startswith("stretch to 8x8 RGB, ")
    assert facts["preprocess"].endswith("; beside it numbers (inputs of a pipeline)")


def test_a_model_that_takes_no_picture(terminal: Terminal, tmp_path: Path) -> None:
    """It is described all the same, and no decoder is promised but `raw`."""
    model = write_model(tmp_path / "add.tflite", int8_add_graph())
    facts = terminal("inspect", model, "--json").json
    assert facts["preprocess"] == "2 inputs: no picture"
    assert facts["decoder"]["name"] == "raw"
    assert facts["labels"] is None
    assert facts["outputs"][0]["scale"] == 0.5
    assert facts["outputs"][0]["zero_point"] == 3
    assert "labels      none inside" in terminal("inspect", model).out.splitlines()


def test_a_model_that_no_engine_runs(terminal: Terminal, tmp_path: Path) -> None:
    """Why it does not run stands in place of true; to say so is no failure."""
    model = write_model(tmp_path / "custom.tflite", custom_graph("MyOperator"))
    answer = terminal("inspect", model, "--json")
    assert answer.code == 0
    assert answer.json["ops"] == {"MyOperator": 1}
    assert "MyOperator" in answer.json["engines"]["tflite"]
    assert "MyOperator" in terminal("inspect", model).out.splitlines()[-1]


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    ("content", "cure"),
    [
        (None, "(check the path)"),
        (b"", "(download or export it again)"),
        (b"this is no model at all", "(give a .tflite file, or download or export it again)"),
        (Path(MODEL).read_bytes()[:100_000], "(download or export the model again)"),
    ],
    ids=["missing", "empty", "text", "cut"],
)
def test_a_damaged_model(
    terminal: Terminal, tmp_path: Path, content: bytes | None, cure: str, options: list[str]
) -> None:
    """One line with the file and the cure, nothing on stdout."""
    model = tmp_path / "bad.tflite"
    if content is not None:
        model.write_bytes(content)
    answer = terminal("inspect", model, *options)
    assert (answer.code, answer.out) == (1, "")
    assert str(model) in answer.complaint
    assert answer.complaint.endswith(cure)


def test_noise_is_one_line(terminal: Terminal, tmp_path: Path) -> None:
    """A model with any bytes overwritten is described or refused, never a traceback."""
    random = np.random.default_rng(1)
    good = np.frombuffer(Path(MODEL).read_bytes(), np.uint8)
    refused = 0
    for number in range(20):
        content = good.copy()
        content[random.integers(0, 2000, 30)] = random.integers(0, 256, 30)
        model = tmp_path / f"{number}.tflite"
        model.write_bytes(content.tobytes())
        answer = terminal("inspect", model, "--json")
        assert (answer.code, len(answer.err.splitlines())) in {(0, 0), (1, 1)}
        refused += answer.code
    assert refused > 0
