"""Galleries with real models: pictures are looked at once, and what is like them is named."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.config.schema import Config, ModelConfig
from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import ModelError
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.opening import check_model, open_inference
from edge_agent.runtime.wire import build_agent
from tests.support.agent import belt_config
from tests.support.classifiers import COLOURS, NOTES, paint, write_colour_embedding, write_gallery
from tests.support.clips import write_start_of_belt
from tests.support.configs import good
from tests.support.cut import cut_at
from tests.support.data import data_file


@pytest.fixture
def model(tmp_path: Path) -> ModelConfig:
    """An embedding model of colours with a gallery of three."""
    return ModelConfig.model_validate(
        {
            "file": write_colour_embedding(tmp_path / "colour.tflite"),
            "task": {"name": "embedding", "gallery": str(write_gallery(tmp_path / "gallery"))},
            "preprocess": NOTES,
        }
    )


def opened(model: ModelConfig, kept: Path | None = None) -> Inference:
    """The model with its gallery filled."""
    return open_inference("colour", model, kept=kept)


def named(inference: Inference, colour: tuple[int, int, int]) -> str | None:
    """What a picture of one colour is taken for."""
    found = inference.run(np.full((9, 9, 3), colour, np.uint8), 0.0).results
    return found[0].label if found else None  # type: ignore[union-attr]


def looked_at(caplog: pytest.LogCaptureFixture) -> list[int]:
    """How many pictures were shown to the model, at each opening."""
    told = (record.message for record in caplog.records if "looked at anew" in record.message)
    return [int(each.split(", ")[-1].split()[0]) for each in told]


def test_what_is_like_a_picture_gets_its_name(model: ModelConfig) -> None:
    """Each colour, a shade of one, and one that is like none of them."""
    inference = opened(model)
    assert check_model(Config(models={"colour": model}), "colour")[:2] == (
        "class",
        ("blue", "green", "red", "unknown"),
    )
    assert [named(inference, colour) for colour in COLOURS.values()] == ["red", "green", "blue"]
    assert named(inference, (20, 20, 220)) == "red"
    assert named(inference, (255, 255, 255)) == "unknown"
    inference.close()


def test_each_picture_is_looked_at_once(
    model: ModelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Over restarts; one that is new or changed is, and so are all where the model is another."""
    caplog.set_level(logging.INFO)
    gallery, kept = tmp_path / "gallery", tmp_path / "kept"
    first, second = opened(model, kept), opened(model, kept)
    for name, colour in COLOURS.items():
        assert named(first, colour) == named(second, colour) == name
    paint(gallery / "red" / "bright.png", (10, 10, 250))
    paint(gallery / "white" / "1.png", (255, 255, 255))
    assert named(opened(model, kept), (255, 255, 255)) == "white"
    other = model.model_copy(update={"preprocess": ModelConfig(file=model.file).preprocess})
    opened(other, kept)
    assert looked_at(caplog) == [6, 0, 2, 7]


def test_what_is_gone_is_forgotten(model: ModelConfig, tmp_path: Path) -> None:
    """Nothing of a picture that was taken away is kept, neither its name nor its vector."""
    gallery, kept = tmp_path / "gallery", tmp_path / "kept"
    opened(model, kept)
    (file,) = kept.iterdir()
    before = file.stat().st_size
    for picture in (gallery / "red").iterdir():
        picture.unlink()
    assert named(opened(model, kept), COLOURS["red"]) == "unknown"
    assert file.stat().st_size < before


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_memory_is_made_anew(
    model: ModelConfig, tmp_path: Path, damage: bytes | None
) -> None:
    """Empty, nonsense, or cut in the middle."""
    opened(model, tmp_path / "kept")
    (file,) = (tmp_path / "kept").iterdir()
    file.write_bytes(file.read_bytes()[:200] if damage is None else damage)
    assert named(opened(model, tmp_path / "kept"), COLOURS["red"]) == "red"


def test_a_folder_that_cannot_be_written_stops_nothing(
    model: ModelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The pictures are looked at each time."""
    (tmp_path / "kept").touch()
    assert named(opened(model, tmp_path / "kept"), COLOURS["red"]) == "red"
    assert "is not kept" in caplog.text


def test_a_bad_picture_is_told_and_left_out(
    model: ModelConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The others of its name still count; where all are bad the model cannot be used."""
    gallery = tmp_path / "gallery"
    (gallery / "red" / "bright.png").write_bytes(b"no picture")
    assert named(opened(model), COLOURS["red"]) == "red"
    assert "bright.png is no picture" in caplog.text
    for picture in gallery.glob("*/*"):
        picture.write_bytes(b"")
    with pytest.raises(ModelError, match="no picture of the gallery"):
        opened(model)


def test_a_gallery_names_the_objects_of_a_pipeline(tmp_path: Path) -> None:
    """As the second model of the bundled clip: each part gets one of its names, or unknown."""
    values = belt_config(1, refine={"colour": {"min_size": 8, "threshold": 0.0}})
    values["sources"]["clip"]["file"] = str(write_start_of_belt(tmp_path / "clip.avi"))
    values["agent"]["state_dir"] = str(tmp_path / "state")
    values["models"]["colour"] = {
        "file": str(write_colour_embedding(tmp_path / "colour.tflite")),
        "task": {"name": "embedding", "gallery": "gallery"},
        "preprocess": NOTES,
    }
    write_gallery(tmp_path / "gallery")
    agent = build_agent(good(tmp_path, json.dumps(values)), publish=False)
    heard: list[Any] = []
    agent._assembly._built["belt"]._reporter._on_events = heard.extend
    assert agent.run(threading.Event()) == 0
    names = {event.sublabel for event in heard if event.type == "end"} - {None}
    assert names
    assert names <= {"red", "green", "blue", "unknown"}
    assert len(list((tmp_path / "state" / "galleries").iterdir())) == 1


def read(file: str) -> NDArray[Any]:
    """A picture of the test data."""
    picture = cv2.imread(str(data_file(file)))
    assert picture is not None
    return picture


def views(picture: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """The same picture mirrored, darker, and without its edges."""
    height, width = picture.shape[:2]
    yield picture[:, ::-1]
    yield (picture * 0.7).astype(np.uint8)
    yield picture[height // 8 : -height // 8, width // 8 : -width // 8]


def test_a_real_network_finds_its_pictures_again(tmp_path: Path) -> None:
    """MobileNet without its last layer: mirrored, darker and cut pictures get their names."""
    names = {"bird": "bird.bmp", "cat": "cat.bmp", "owl": "owl.jpg", "flower": "sunflower.bmp"}
    pictures = {}
    for name, file in names.items():
        pictures[name] = read(f"images/coral_{file}")
        (tmp_path / "gallery" / name).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "gallery" / name / "1.png"), pictures[name])
    full = data_file("models/coral_mobilenet_v1_0.25_128_quant.tflite")
    model = ModelConfig.model_validate(
        {
            "file": cut_at(full, "AVERAGE_POOL_2D", tmp_path / "cut.tflite"),
            "task": {"name": "embedding", "gallery": str(tmp_path / "gallery")},
        }
    )
    assert read_model_info(model.file).outputs[0].shape == (1, 1, 1, 256)
    inference = opened(model)
    for name, picture in pictures.items():
        for view in views(picture):
            (found,) = inference.run(np.ascontiguousarray(view), 0.0).results
            assert found.label == name  # type: ignore[union-attr]
    (found,) = inference.run(read("images/coral_hot_dog.jpg"), 0.0).results
    assert found.label == "unknown"  # type: ignore[union-attr]
    inference.close()
