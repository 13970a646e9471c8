"""Models, tried out in real child processes."""

from __future__ import annotations

import re
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.load import load_or_raise
from edge_agent.config.schema import Config
from edge_agent.runtime.doctor.finding import Finding
from edge_agent.runtime.doctor.models import judge_model, model, wanted_fps
from edge_agent.runtime.doctor.trial import trial
from tests.runtime.doctor.conftest import write_config
from tests.support.agent import ASSETS

_LIMIT = 30.0
_MODEL = {
    "runtime": "ai-edge-litert 2", "device": "cpu", "fallback": "", "xnnpack": True,
    "decoder": "ssd", "labels": 4, "ms": 100.0, "rss": 90 * 2**20,
}  # fmt: skip


def look(folder: Path, name: str, **sections: Any) -> Finding:
    """The finding of one model of a configuration."""
    file = write_config(folder, **sections)
    config = load_or_raise(file)
    return model(config, name, partial(trial, "model", file, name, limit=_LIMIT))


def test_a_model_that_runs(tmp_path: Path) -> None:
    """It is opened, timed and weighed."""
    finding = look(tmp_path, "parts")
    assert finding.state == "OK"
    assert "decoder ssd" in finding.found
    assert "frames/s" in finding.found


def test_models_that_do_not_run(tmp_path: Path) -> None:
    """Another file than the sha256 says, none at all, and one that is no model."""
    belt = str(ASSETS / "belt.tflite")
    (tmp_path / "broken.tflite").write_bytes(b"TFL3" * 9)
    models = {
        "other": {"file": belt, "sha256": "0" * 64},
        "gone": {"file": "gone.tflite"},
        "broken": {"file": "broken.tflite"},
    }
    pipelines = {name: {"source": "clip", "model": name} for name in models}
    parts = {"other": "its new sha256", "gone": "models.gone.file", "broken": ""}
    for name, part in parts.items():
        finding = look(tmp_path, name, models=models, pipelines=pipelines)
        assert finding.state == "FAIL"
        assert finding.fix
        assert part in finding.fix


def paced(folder: Path, **pipeline: Any) -> Config:
    """A configuration of a camera of 10 frames/s with one pipeline."""
    camera = {"cam": {"type": "camera", "fps": 10}}
    pipelines = {"p": {"source": "cam", "model": "parts", **pipeline}}
    return load_or_raise(write_config(folder, sources=camera, pipelines=pipelines))


def test_speed_against_the_rate(tmp_path: Path) -> None:
    """A model of 10 frames/s is too slow for a camera of 10, and quick enough behind a gate."""
    finding = judge_model("parts", _MODEL, wanted_fps(paced(tmp_path), "parts"), None)
    assert (finding.state, "p may ask for 10 frames/s" in finding.found) == ("WARN", True)
    assert "set pipelines.p.gate.rate.fps: 9" in finding.fix
    off = paced(tmp_path, enabled=False)
    assert judge_model("parts", _MODEL, wanted_fps(off, "parts"), None).state == "OK"


def test_the_rate_of_a_stream_is_not_that_of_stills(tmp_path: Path) -> None:
    """What `http` fetches a second is for stills, and which it is only the camera knows."""
    camera = {"cam": {"type": "http", "url": "http://127.0.0.1:9/video"}}
    pipelines = {"p": {"source": "cam", "model": "parts"}}
    file = write_config(tmp_path, sources=camera, pipelines=pipelines)
    assert wanted_fps(load_or_raise(file), "parts") == {}


@pytest.mark.parametrize("ms", [100.0, 105.7, 7.0, 1333.0])
def test_the_rates_of_the_cure_are_slow_enough(tmp_path: Path, ms: float) -> None:
    """With what it says in the YAML all is well; who asks for little may go on as before."""
    clip = {"type": "video", "file": str(ASSETS / "belt.mp4")}
    found = {**_MODEL, "ms": ms}

    def configured(rates: dict[str, float]) -> Config:
        pipelines = {
            name: {"source": "clip", "model": "parts", "gate": {"rate": {"fps": fps}}}
            for name, fps in rates.items()
        }
        return load_or_raise(write_config(tmp_path, sources={"clip": clip}, pipelines=pipelines))

    rates = {"idle": 0.01, "a": 500.0, "b": 400.0}
    finding = judge_model("parts", found, wanted_fps(configured(rates), "parts"), None)
    assert finding.state == "WARN"
    said = re.findall(r"pipelines\.(\w+)\.gate\.rate\.fps: ([0-9.]+)[, ]", f"{finding.fix} ")
    assert [name for name, _ in said] == ["a", "b"]
    cured = configured({**rates, **{name: float(fps.rstrip(".")) for name, fps in said}})
    assert judge_model("parts", found, wanted_fps(cured, "parts"), None).state == "OK"


def test_the_cures_of_a_model_work(tmp_path: Path) -> None:
    """The sha256 as it is said, the file where it is missed, and a delegate that is removed."""
    model = {"file": str(tmp_path / "m.tflite"), "sha256": "0" * 64}
    assert look(tmp_path, "parts", models={"parts": model}).state == "FAIL"
    shutil.copy(ASSETS / "belt.tflite", tmp_path / "m.tflite")
    finding = look(tmp_path, "parts", models={"parts": model})
    assert (finding.state, "write its new sha256" in finding.fix) == ("FAIL", True)
    model["sha256"] = finding.found.rpartition("it has ")[2]
    assert look(tmp_path, "parts", models={"parts": model}).state == "OK"


def test_a_model_that_fell_back(tmp_path: Path) -> None:
    """It runs, but not where it should."""
    found = {**_MODEL, "fallback": "libedgetpu.so.1 is missing"}
    finding = judge_model("parts", found, {}, "ab" * 32)
    assert (finding.state, "libedgetpu.so.1 is missing" in finding.found) == ("WARN", True)
    assert "remove models.parts.delegate" in finding.fix
