"""`edge-agent infer` with Coral's PoseNet, whose last operator only their own library has."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.support.cli import Terminal
from tests.support.cut_model import without_last_operator
from tests.support.data import data_file

pytestmark = pytest.mark.data

_MODEL = "models/coral_posenet_mobilenet_v1_075_353_481_16_quant_decoder.tflite"
_MOVENET = "models/coral_movenet_single_pose_lightning_ptq_reference.csv"


@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_the_heads_of_a_real_posenet(terminal: Terminal, tmp_path: Path, engine: str) -> None:
    """Without that operator, the heads give the keypoints that MoveNet sees in the picture.

    All but the left elbow, which is behind the other arm: there the two models do not agree.
    """
    model = tmp_path / "posenet.tflite"
    model.write_bytes(without_last_operator(data_file(_MODEL).read_bytes()))
    picture = data_file("images/coral_squat.bmp")
    words = ("infer", "-m", model, "-i", picture, "--json", "--engine", engine)
    answer = terminal(*words).json
    assert answer["kind"] == "keypoints"
    (person,) = answer["results"]
    assert person["label"] == "person"
    with data_file(_MOVENET).open() as file:
        rows = [(float(r["keypoint_x"]), float(r["keypoint_y"])) for r in csv.DictReader(file)]
    points = enumerate(person["keypoints"])
    sure = [n for n, p in points if p["score"] > 0.5 and p["name"] != "left_elbow"]
    places = [(person["keypoints"][n]["x"], person["keypoints"][n]["y"]) for n in sure]
    assert len(sure) >= 15
    assert np.abs(np.array(places) - np.array(rows)[sure]).max() < 0.05
