"""Runtime, models and sources, tried out in real child processes."""

from __future__ import annotations

import http.server
import os
import platform
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_agent.config.by_name import SourceConfig
from edge_agent.config.load import load_or_raise
from edge_agent.config.schema import Config
from edge_agent.engines.interpreter import find_runtime
from edge_agent.errors import ModelError
from edge_agent.options import Secret
from edge_agent.runtime.doctor import trial as trial_module
from edge_agent.runtime.doctor.engines import engines
from edge_agent.runtime.doctor.finding import Finding
from edge_agent.runtime.doctor.models import judge_model, model, wanted_fps
from edge_agent.runtime.doctor.sources import judge_source, judge_used, source
from edge_agent.runtime.doctor.trial import TrialFailed, trial, try_source
from edge_agent.sources.camera import CameraOptions
from edge_agent.sources.http import HttpOptions
from tests.support.agent import ASSETS, ROOT
from tests.support.mjpeg_server import MjpegServer
from tests.support.pictures import encode

_LIMIT = 30.0
_MODEL = {
    "runtime": "ai-edge-litert 2", "device": "cpu", "fallback": "", "xnnpack": True,
    "decoder": "ssd", "labels": 4, "ms": 100.0, "rss": 90 * 2**20,
}  # fmt: skip
_CAMERA = SourceConfig("camera", CameraOptions(device="/dev/video7", size=(640, 480), fps=10.0))
_SEEN = {
    "live": True, "size": [640, 480], "frames": 30, "different": 30, "fps": 9.9,
    "mean": 120.0, "spread": 50.0,
}  # fmt: skip


def write(folder: Path, **sections: Any) -> Path:
    """A configuration with the bundled model, and other sections."""
    values = {
        "models": {"parts": {"file": str(ASSETS / "belt.tflite")}},
        "sources": {"clip": {"type": "video", "file": str(ASSETS / "belt.mp4")}},
        "pipelines": {"p": {"source": "clip", "model": "parts"}},
        **sections,
    }
    file = folder / "doctor.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def has_xnnpack() -> bool:
    """Whether the runtime that is installed here runs int8 models with XNNPACK."""
    try:
        return find_runtime().name.startswith("ai-edge-litert")
    except ModelError:
        return False


def test_the_runtime_that_is_installed() -> None:
    """LiteRT runs the bundled int8 model with XNNPACK; the forerunner does not, and says so."""
    finding = engines(partial(trial, "runtime", limit=_LIMIT), needed=True)
    if has_xnnpack():
        assert (finding.state, "XNNPACK on" in finding.found) == ("OK", True)
    elif platform.machine() == "x86_64":
        assert finding.state in ("WARN", "FAIL")


def test_a_hidden_cpuinfo_switches_xnnpack_off() -> None:
    """In a process that sees no /proc/cpuinfo, as under ProcSubset=pid, it is found out."""
    if not has_xnnpack():
        pytest.skip("needs ai-edge-litert: pip install ai-edge-litert")
    command = f"{sys.executable} -m edge_agent.runtime.doctor.trial runtime 20"
    hidden = ["unshare", "-m", "sh", "-c", f"mount -t proc -o subset=pid proc /proc && {command}"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(hidden, capture_output=True, text=True, check=False, env=env)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"needs root for a mount of its own: {done.stderr.strip()}")
    answer = yaml.safe_load(done.stdout)
    finding = engines(lambda: answer, needed=False)
    assert (finding.state, "XNNPACK is off" in finding.found) == ("WARN", True)
    assert "`cpu`" in finding.fix


def test_no_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that cannot be imported costs speed, or the models that ask for it."""
    for name in ("ai_edge_litert", "tflite_runtime"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('libfoo.so is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TrialFailed) as caught:
        trial("runtime", limit=_LIMIT)

    def broken() -> dict[str, Any]:
        raise caught.value

    finding = engines(broken, needed=False)
    assert finding.state == "WARN"
    assert caught.value.message in finding.found
    assert "pip install" in finding.fix
    assert engines(broken, needed=True).state == "FAIL"


def test_tflite_runtime_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no XNNPACK for int8; on 32-bit ARM there is nothing better."""
    found = {"runtime": "tflite-runtime 2.14.0", "xnnpack": False}
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    finding = engines(lambda: found, needed=False)
    assert (finding.state, "pip install ai-edge-litert" in finding.fix) == ("WARN", True)
    monkeypatch.setattr(platform, "machine", lambda: "armv7l")
    assert engines(lambda: found, needed=False).state == "OK"


def look(folder: Path, name: str, **sections: Any) -> Finding:
    """The finding of one model of a configuration."""
    file = write(folder, **sections)
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
    return load_or_raise(write(folder, sources=camera, pipelines=pipelines))


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


@pytest.fixture
def dark() -> Iterator[str]:
    """Address of a real camera whose pictures are black, and all the same."""
    picture = encode(np.zeros((48, 64, 3), np.uint8), ".jpg")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/black.jpg"
        server.shutdown()


def source_config(folder: Path, options: dict[str, Any]) -> tuple[Path, Config]:
    """A configuration with one source."""
    pipelines = {"p": {"source": "s", "model": "parts"}}
    file = write(folder, sources={"s": options}, pipelines=pipelines)
    return file, load_or_raise(file)


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at a source takes less time."""
    monkeypatch.setattr(trial_module, "_FRAMES", 15)


def watch(where: Path, **options: Any) -> Finding:
    """The finding of one source, looked at without a child process."""
    _, config = source_config(where, options)
    return source("s", config.sources["s"], partial(try_source, config, "s"))


def test_a_camera_that_works(tmp_path: Path) -> None:
    """Its real size and rate are measured."""
    with MjpegServer() as server:
        finding = watch(tmp_path, type="http", url=server.url("/mjpeg"))
    assert (finding.state, finding.found[:6]) == ("OK", "64x48,")


def test_a_black_camera(tmp_path: Path, dark: str) -> None:
    """Pictures arrive, but there is nothing on them."""
    finding = watch(tmp_path, type="http", url=dark, fps=100)
    assert (finding.state, "the picture is black" in finding.found) == ("WARN", True)
    assert "take off its cap" in finding.fix


def test_sources_that_do_not_open(tmp_path: Path) -> None:
    """A camera that is not there, and an address without the camera; no password is shown."""
    finding = watch(tmp_path, type="camera", device="/dev/video97")
    assert (finding.state, "/dev/video97 is missing" in finding.found) == ("FAIL", True)
    file, config = source_config(
        tmp_path, {"type": "http", "url": "http://user:hunter2@127.0.0.1:1/"}
    )
    finding = source("s", config.sources["s"], partial(trial, "source", file, "s", limit=_LIMIT))
    assert finding.state == "FAIL"
    assert finding.fix
    assert "hunter2" not in finding.found + finding.fix


def test_recorded_sources(tmp_path: Path) -> None:
    """A recording opens; pictures of a watched folder are not used up by looking."""
    assert watch(tmp_path, type="video", file=str(ASSETS / "belt.mp4")).state == "OK"
    (tmp_path / "in").mkdir()
    picture = tmp_path / "in" / "a.png"
    picture.write_bytes(encode(np.zeros((9, 9, 3), np.uint8), ".png"))
    assert watch(tmp_path, type="images", folder="in").state == "OK"
    assert picture.exists()


def test_a_trial_that_hangs_or_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs in native code is killed in time; what crashes is named."""
    (tmp_path / "ai_edge_litert").mkdir()
    stub = tmp_path / "ai_edge_litert" / "__init__.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stub.write_text("import time; time.sleep(60)")
    with pytest.raises(TrialFailed, match=r"no answer within 0.5 s"):
        trial("runtime", limit=0.5)
    stub.write_text(f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    with pytest.raises(TrialFailed, match="crashes"):
        trial("runtime", limit=_LIMIT)


@pytest.mark.parametrize(
    ("changed", "found", "fix"),
    [
        ({"mean": 3.0, "spread": 1.0}, "black", "v4l2-ctl -d /dev/video7 -c auto_exposure=3"),
        ({"mean": 252.0, "spread": 1.0}, "white", "v4l2-ctl -d /dev/video7 -c auto_exposure=3"),
        ({"different": 1}, "30 frames are the same: frozen", "plug it in again"),
        ({"size": [320, 240]}, "not 640x480 as configured", "v4l2-ctl --list-formats-ext"),
        ({"fps": 4.0}, "4.0 frames/s instead of 10", "more light"),
        ({"fps": None, "frames": 1, "different": 1}, "less than one frame/s", "sources.s.fps"),
    ],
)
def test_what_is_wrong_with_a_camera(changed: dict[str, Any], found: str, fix: str) -> None:
    """Each fault alone, seen at a camera that is else in order."""
    assert judge_source("s", _CAMERA, _SEEN).state == "OK"
    finding = judge_source("s", _CAMERA, {**_SEEN, **changed})
    assert finding.state == "WARN"
    assert found in finding.found
    assert fix in finding.fix


def test_a_source_without_a_picture() -> None:
    """It opens and then ends at once."""
    finding = judge_source("s", SourceConfig("http", HttpOptions(Secret("http://cam/"))), {})
    assert (finding.state, "browser" in finding.fix) == ("FAIL", True)


def test_a_source_that_the_agent_uses() -> None:
    """What the running agent says of it counts."""

    def told(state: str, reason: str = "") -> dict[str, Any]:
        return {"state": state, "reason": reason, "fps": {"in": 9.8}}

    finding = judge_used("process 7", told("online"), "")
    assert finding.state == "OK"
    assert finding.found == "in use by the running agent (process 7): online, 9.8 frames/s"
    finding = judge_used("process 7", told("offline", "unplugged (plug it in)"), "")
    assert (finding.state, finding.fix) == ("FAIL", "plug it in")
    assert judge_used("process 7", told("starting"), "").state == "WARN"
    assert judge_used("process 7", None, "no broker").state == "SKIP"
