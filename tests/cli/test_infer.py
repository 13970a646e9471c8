"""`edge-agent infer`: a model on pictures, as text, as JSON, as drawn pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from tests.support.cli import MODEL, Terminal, belt_frame
from tests.support.data import data_file
from tests.support.pictures import picture
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model

COCO_PICTURES = (
    "cats_and_dogs.jpg",
    "coco_000000373353.jpg",
    "coco_000000038829.jpg",
    "coco_000000574315.jpg",
)
COCO = "models/coco_ssd_mobilenet_v1_1.0_quant.tflite"
# One step of coco_ssd's quantised logits is 0.06, which is at most a quarter of that in a score.
SCORE_STEP = 0.015
BOX_TOLERANCE = 2.0  # px of the original picture


def found_in(terminal: Terminal, frame: Path, *options: str | Path) -> Any:
    """The JSON object of one picture by the bundled model."""
    return terminal("infer", "-m", MODEL, "-i", frame, "--json", *options).json


def test_the_json_of_the_contract(terminal: Terminal, frame: Path) -> None:
    """One object with these keys in this order, which other programs build on."""
    found = found_in(terminal, frame)
    assert list(found) == ["input", "model", "kind", "results", "latency_ms"]
    assert (found["input"], found["kind"]) == (str(frame), "object")
    sha256 = read_model_info(Path(MODEL)).sha256
    assert found["model"] == {"name": "belt", "sha256": sha256, "engine": "tflite"}
    assert list(found["latency_ms"]) == ["preprocess", "infer", "decode"]
    assert all(value > 0 for value in found["latency_ms"].values())
    for result in found["results"]:
        assert list(result) == ["label", "score", "box", "box_px"]
        assert 0.5 <= result["score"] <= 1.0
        pixels = np.array(result["box"]) * (640, 360, 640, 360)
        assert result["box_px"] == pytest.approx(pixels, abs=0.01)


def test_what_is_on_the_belt(terminal: Terminal, frame: Path) -> None:
    """The parts that the frame really shows, the surest first."""
    results = found_in(terminal, frame)["results"]
    labels = sorted(result["label"] for result in results)
    assert labels == ["bolt"] * 2 + ["gear"] + ["nut"] * 3 + ["washer"] * 3
    scores = [result["score"] for result in results]
    assert scores == sorted(scores, reverse=True)


def test_the_threshold(terminal: Terminal, frame: Path) -> None:
    """Only results of that score or more are told."""
    all_scores = [result["score"] for result in found_in(terminal, frame)["results"]]
    sure = [score for score in all_scores if score >= 0.9]
    assert 0 < len(sure) < len(all_scores)
    results = found_in(terminal, frame, "--threshold", "0.9")["results"]
    assert [result["score"] for result in results] == sure


def test_as_text(terminal: Terminal, frame: Path) -> None:
    """The name of the picture, then a line for each result."""
    results = found_in(terminal, frame)["results"]
    answer = terminal("infer", "-m", MODEL, "-i", frame)
    head, *lines = answer.out.splitlines()
    assert (answer.code, answer.err) == (0, "")
    assert head.startswith(f"{frame}  (")
    assert [line.split()[:2] for line in lines] == [
        [f"{result['score']:.3f}", result["label"]] for result in results
    ]
    assert lines[0].endswith("at " + " ".join(f"{side:.3f}" for side in results[0]["box"]))


def test_nothing_found(terminal: Terminal, frame: Path) -> None:
    """It is said so, and it is no failure."""
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--threshold", "1")
    assert answer.code == 0
    assert answer.out.splitlines()[1:] == ["  nothing above the threshold"]
    assert found_in(terminal, frame, "--threshold", "1")["results"] == []


def test_drawing(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """The picture is the same size, and differs along the box of the best result."""
    out = tmp_path / "out.png"
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--json", "--draw", out)
    assert (answer.code, answer.err) == (0, f"{out} drawn\n")
    before, after = cv2.imread(str(frame)), cv2.imread(str(out))
    assert before is not None
    assert after is not None
    assert before.shape == after.shape
    x1, y1, x2, y2 = map(round, answer.json["results"][0]["box_px"])
    for edge in (np.s_[y2, x1 : x2 + 1], np.s_[y1 : y2 + 1, x1], np.s_[y1 : y2 + 1, x2]):
        assert len(np.unique(after[edge], axis=0)) == 1
        assert len(np.unique(before[edge], axis=0)) > 1
    inside = np.s_[(y1 + y2) // 2, (x1 + x2) // 2]
    assert (before[inside] == after[inside]).all()


def test_each_picture_is_drawn_into_its_own(terminal: Terminal, tmp_path: Path) -> None:
    """Also pictures of the same name in two folders, or with two endings."""
    names = ("a/x.png", "b/x.png", "b/x-2.png", "y.png")
    frames = [belt_frame(tmp_path / name) for name in names]
    answer = terminal("infer", "-m", MODEL, "-i", *frames, "--draw", tmp_path / "out.jpg")
    drawn = ["out-x.jpg", "out-x-2.jpg", "out-x-2-2.jpg", "out-y.jpg"]
    assert answer.code == 0
    assert answer.err.splitlines() == [f"{tmp_path / name} drawn" for name in drawn]
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == sorted(drawn)


def test_a_bad_picture_does_not_stop_the_others(
    terminal: Terminal, frame: Path, tmp_path: Path
) -> None:
    """One line on stderr for each that cannot be used; the rest is inferred; exit code 1."""
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "half.png").write_bytes(frame.read_bytes()[:2000])
    bad = {
        "text.jpg": "it is not a JPEG, PNG, BMP, WebP or TIFF picture",
        "empty.jpg": "it is empty",
        "half.png": "it breaks off before its end",
        "none.jpg": "it cannot be read: No such file or directory",
    }
    paths = [tmp_path / name for name in bad]
    answer = terminal("infer", "-m", MODEL, "-i", *paths, frame, "--json")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        f"edge-agent: {tmp_path / name} cannot be used: {why}" for name, why in bad.items()
    ]
    assert answer.json["input"] == str(frame)


def test_one_json_line_for_each_picture(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """In the order in which they were given."""
    frames = [frame, belt_frame(tmp_path / "later.png", 5.0)]
    answer = terminal("infer", "-m", MODEL, "-i", *frames, "--json")
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert [line["input"] for line in lines] == [str(path) for path in frames]


def test_a_file_name_that_is_no_text(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """Bytes that are not UTF-8 end neither the command nor its JSON."""
    path = tmp_path / os.fsdecode(b"\xff.png")
    path.write_bytes(frame.read_bytes())
    assert found_in(terminal, path)["input"] == str(path)
    assert terminal("infer", "-m", MODEL, "-i", path).code == 0


def test_raw_outputs(terminal: Terminal, frame: Path) -> None:
    """With the decoder `raw` the outputs are arrays of real numbers, by their names."""
    found = found_in(terminal, frame, "--task", "raw")
    assert list(found) == ["input", "model", "kind", "outputs", "latency_ms"]
    assert found["kind"] == "raw"
    info = read_model_info(Path(MODEL))
    assert [output["name"] for output in found["outputs"]] == [spec.name for spec in info.outputs]
    shapes = [np.shape(output["values"]) for output in found["outputs"]]
    assert shapes == [spec.shape for spec in info.outputs]
    answer = terminal("infer", "-m", MODEL, "-i", frame, "--task", "raw")
    assert f"  {info.outputs[0].name}  1x25x4  float32" in answer.out.splitlines()


def test_numbers_that_json_does_not_have(terminal: Terminal, frame: Path, tmp_path: Path) -> None:
    """Infinity and NaN become null."""
    graph = GraphDef(
        [TensorDef("x", (1, 1, 1, 3)), TensorDef("y", (1, 1, 1, 3))],
        [OpDef("LOG", (0,), (1,))],
        (0,),
        (1,),
    )
    model = write_model(tmp_path / "log.tflite", graph)
    black = tmp_path / "black.png"
    cv2.imwrite(str(black), picture()[:1, :1] * 0)
    answer = terminal("infer", "-m", model, "-i", black, "--json", "--task", "raw")
    assert answer.json["outputs"] == [{"name": "y", "values": [[[[None] * 3]]]}]


@pytest.mark.data
@pytest.mark.parametrize("name", COCO_PICTURES)
def test_real_pictures(terminal: Terminal, name: str) -> None:
    """Labels, scores and boxes of a real model are those that were measured elsewhere."""
    golden = json.loads(data_file("GOLDENS.json").read_text())["detection"]["coco_ssd"][name]
    image = data_file(f"images/{name}")
    words = ("-i", image, "--json", "--threshold", "0.4")
    results = terminal("infer", "-m", data_file(COCO), *words).json["results"]
    assert [result["label"] for result in results] == [label for label, _, _ in golden]
    shape = cv2.imread(str(image)).shape  # type: ignore[union-attr]
    for result, (_, score, box) in zip(results, golden, strict=True):
        assert result["score"] == pytest.approx(score, abs=SCORE_STEP)
        clipped = np.clip(box, 0, (shape[1], shape[0]) * 2)
        assert result["box_px"] == pytest.approx(clipped, abs=BOX_TOLERANCE)
