"""Models, tried out in real child processes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

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
    cured = paced(tmp_path, gate={"rate": {"fps": 9}})
    assert judge_model("parts", _MODEL, wanted_fps(cured, "parts"), None).state == "OK"
    off = paced(tmp_path, enabled=False)
    assert judge_model("parts", _MODEL, wanted_fps(off, "parts"), None).state == "OK"


def test_a_model_that_fell_back(tmp_path: Path) -> None:
    """It runs, but not where it should."""
    found = {**_MODEL, "fallback": "libedgetpu.so.1 is missing"}
    finding = judge_model("parts", found, {}, "ab" * 32)
    assert (finding.state, "libedgetpu.so.1 is missing" in finding.found) == ("WARN", True)
    assert "remove models.parts.delegate" in finding.fix
