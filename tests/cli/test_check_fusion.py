"""Pictures joined with numbers: what `check` finds before anything runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.agent import ROOT
from tests.support.classifiers import write_colour_classifier
from tests.support.cli import Terminal
from tests.support.configs import problems, write
from tests.support.two_inputs import write_two_inputs

GATE = """\
models:
  m: {file: m.tflite, task: classification, labels: [far, near, hot]}
sources:
  s:
    type: fusion
    parts:
      eye: {type: camera}
      radar: {type: lines, tcp: "127.0.0.1:9", channels: [distance, speed]}
      board: {type: sysfs, channels: {fan: "/sys/fan*", cpu: /sys/temp}}
      plug: {type: csv, file: rows.csv, pace: loop}
pipelines:
  p:
    source: s
    model: m
"""


def _found(folder: Path, more: str, text: str = GATE) -> list[str]:
    """Problems of the configuration with these lines in its pipeline, without file and place."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    return [line.split(": ", 1)[1] for line in problems(folder, text + lines)]


@pytest.mark.parametrize(
    "more",
    [
        "inputs: [radar.distance, board.cpu]",
        "inputs: {numbers: [board.fan_2, plug.whatever]}",
        "filters: {near: {readings: {radar.speed: {max: 3}}}}",
        "gate: {motion: {}}\nzones: {a: {polygon: [[0, 0], [1, 0], [1, 1]]}}",
        "inputs: [radar.speed]\nfeatures: {z_score: {mean: 1, std: 2}}",
    ],
)
def test_what_is_right(tmp_path: Path, more: str) -> None:
    """Channels of listed names, of patterns and of files, with all that pictures have."""
    assert _found(tmp_path, more) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "inputs: [radar.distanse]",
            "'radar.distanse' is no channel of the source (did you mean 'radar.distance'?)",
        ),
        (
            "inputs: {numbers: [radar.distance, distance]}",
            "pipelines.p.inputs.numbers[1]: 'distance' is no channel of the source",
        ),
        (
            "inputs: [eye.distance]",
            "pipelines.p.inputs[0]: 'eye.distance' is no channel of the source",
        ),
        (
            "filters: {near: {readings: {radar.far: {min: 0, max: 3}}}}",
            "near.readings.'radar.far': 'radar.far' is no channel of the source",
        ),
        ("inputs: []", "pipelines.p.inputs"),
        (
            "features: {z_score: {mean: 1, std: 1}}",
            "pipelines.p.features: is for a signal",
        ),
        ("window: {length: 2}\nstream: {difference: {}}", "pipelines.p.stream: is for a signal"),
        (
            "inputs: [radar.speed]\nfeatures: {z_score: {mean: [1, 2], std: 1}}",
            "features.z_score: mean",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, terminal: Terminal, more: str, message: str) -> None:
    """Each with its place and what to do."""
    lines = "".join(f"    {line}\n" for line in more.splitlines())
    file = write(tmp_path, GATE + lines)
    write_two_inputs(tmp_path / "m.tflite")
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert message in answer.out


def test_numbers_of_a_source_that_has_none(tmp_path: Path) -> None:
    """A camera alone measures nothing."""
    text = re.sub(r"type: fusion(.*\n)+?pipelines", "type: camera\npipelines", GATE)
    assert _found(tmp_path, "inputs: [radar.distance]", text) == [
        "pipelines.p.inputs[0]: is for a fusion of pictures and numbers (source s gives none)"
    ]


def test_parts_that_cannot_be_joined(tmp_path: Path) -> None:
    """Two cameras, and text."""
    text = GATE.replace("{type: lines", "{type: text").replace(", channels: [distance, speed]", "")
    text = text.replace("plug: {type: csv, file: rows.csv, pace: loop}", "yard: {type: picamera}")
    assert _found(tmp_path, "", text) == [
        "sources.s.parts.radar: gives text: pictures and numbers can be joined",
        (
            "sources.s.parts.yard: gives pictures as eye does, and one can "
            "(the pictures set the time of each frame; make a second fusion)"
        ),
    ]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("[radar.distance]", "takes 2 numbers and gets 1 (name 2 channels"),
        ("{distance: [radar.distance]}", "has no input 'distance' for numbers (those beside"),
    ],
)
def test_numbers_that_do_not_fit_the_model(
    tmp_path: Path, terminal: Terminal, inputs: str, message: str
) -> None:
    """The model is read: its inputs are named, with how much they take."""
    file = write(tmp_path, GATE + f"    inputs: {inputs}\n")
    write_two_inputs(tmp_path / "m.tflite")
    answer = terminal("check", "-c", file)
    assert (answer.code, message in answer.out) == (78, True), answer.out
    assert ":15:13: pipelines.p.inputs: " in answer.out


def test_models_and_numbers_that_do_not_belong_together(tmp_path: Path, terminal: Terminal) -> None:
    """A model with two inputs needs `inputs`, one of pictures alone has no use for them."""
    file = write(tmp_path, GATE)
    write_two_inputs(tmp_path / "m.tflite")
    answer = terminal("check", "-c", file)
    assert "name numbers that it takes beside it under inputs of the pipeline" in answer.out
    both = GATE + "    inputs: [radar.distance, radar.speed]\n"
    answer = terminal("check", "-c", write(tmp_path, both + "  q: {source: s, model: m}\n"))
    assert "pipelines.q.inputs: input 'numbers' (int8 1x2" in answer.out
    assert "gets no numbers (name its channels under inputs of the pipeline)" in answer.out
    file = write(tmp_path, both)
    assert terminal("check", "-c", file).code == 0
    write_colour_classifier(tmp_path / "m.tflite")
    assert "the model has no input for numbers" in terminal("check", "-c", file).out


@pytest.mark.parametrize("numbers_first", [False, True])
def test_a_picture_for_infer(
    tmp_path: Path, terminal: Terminal, frame: Path, numbers_first: bool
) -> None:
    """It says that numbers are missing, which are zero then; a file gives both."""
    model = write_two_inputs(tmp_path / "m.tflite", numbers_first)
    alone = terminal("infer", "-m", model, "-i", frame)
    assert (alone.code, alone.complaint) == (0, f"{frame} says nothing of numbers: zero")
    picture, numbers = np.zeros((1, 8, 8, 3), np.float32), np.ones((1, 2), np.float32)
    np.savez(tmp_path / "both.npz", picture=picture, numbers=numbers)
    told = terminal("infer", "-m", model, "-i", tmp_path / "both.npz")
    assert (told.code, told.err) == (0, "")


def test_the_yaml_of_the_docs(tmp_path: Path, terminal: Terminal) -> None:
    """The section on a camera and numbers in one frame is valid as it stands."""
    text = (ROOT / "docs" / "sensors.md").read_text("utf-8")
    section = text.split("## A camera and numbers in one frame", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        file = write(tmp_path, block)
        (tmp_path / "models").mkdir(exist_ok=True)
        write_colour_classifier(tmp_path / "models" / "coco.tflite")
        write_two_inputs(tmp_path / "models" / "distance.tflite")
        answer = terminal("check", "-c", file)
        assert (answer.code, answer.out) == (0, ""), answer.out
