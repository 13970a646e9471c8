"""Sources, tried out for real."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.config.by_name import SourceConfig
from edge_agent.config.load import load_or_raise
from edge_agent.config.schema import Config
from edge_agent.options import Secret
from edge_agent.runtime.doctor import trial as trial_module
from edge_agent.runtime.doctor.finding import Finding
from edge_agent.runtime.doctor.sources import judge_source, judge_used, source
from edge_agent.runtime.doctor.trial import TrialFailed, trial, try_source
from edge_agent.sources.camera import CameraOptions
from edge_agent.sources.http import HttpOptions
from edge_agent.sources.sysfs import SysfsOptions
from tests.runtime.doctor.conftest import write_config
from tests.support.agent import ASSETS
from tests.support.broker import Mosquitto
from tests.support.mjpeg_server import MjpegServer
from tests.support.pictures import encode
from tests.support.sounds import noise, write_wav

_LIMIT = 30.0
_CAMERA = SourceConfig("camera", CameraOptions(device="/dev/video7", size=(640, 480), fps=10.0))
_SEEN = {
    "live": True, "size": [640, 480], "frames": 30, "different": 30, "fps": 9.9,
    "mean": 120.0, "spread": 50.0,
}  # fmt: skip


@pytest.fixture
def dark() -> Iterator[str]:
    """Address of a real camera whose pictures are black, and all the same."""
    with stills(np.zeros((48, 64, 3), np.uint8)) as url:
        yield url


@contextmanager
def stills(image: NDArray[np.uint8]) -> Iterator[str]:
    """Address of a real camera that always gives the same picture."""
    picture = encode(image, ".jpg")

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
    file = write_config(folder, sources={"s": options}, pipelines=pipelines)
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


def test_a_frozen_camera(tmp_path: Path) -> None:
    """Pictures arrive, always the same one; a camera that was restarted gives new ones."""
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    with stills(image) as url:
        finding = watch(tmp_path, type="http", url=url, fps=100)
    assert (finding.state, "15 frames are the same: frozen" in finding.found) == ("WARN", True)
    assert "unplug it" in finding.fix


def test_a_slow_camera(tmp_path: Path) -> None:
    """With the rate that the fix names it is as quick as it should be."""
    with MjpegServer(fps=40) as server:
        slow = watch(tmp_path, type="http", url=server.url("/mjpeg"), fps=100)
        assert (slow.state, "frames/s instead of 100" in slow.found) == ("WARN", True)
        fps = float(slow.fix.removeprefix("set sources.s.fps: "))
        assert watch(tmp_path, type="http", url=server.url("/mjpeg"), fps=fps).state == "OK"


def test_a_missing_camera_where_there_are_others() -> None:
    """Those that are there are named, for the key in the YAML."""

    def missing() -> dict[str, Any]:
        raise TrialFailed("camera /dev/video7 is missing", "cameras here: /dev/video0 (Webcam)")

    finding = source("door", _CAMERA, missing)
    assert finding.state == "FAIL"
    assert finding.fix == "set sources.door.device to one of the cameras here: /dev/video0 (Webcam)"


def test_a_broken_recording(tmp_path: Path) -> None:
    """A file that is no video fails, and a video in its place is fine."""
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"nothing" * 99)
    finding = watch(tmp_path, type="video", file=str(clip))
    assert (finding.state, "no video" in finding.fix) == ("FAIL", True)
    shutil.copy(ASSETS / "belt.mp4", clip)
    assert watch(tmp_path, type="video", file=str(clip)).state == "OK"


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


def test_numbers_and_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources of numbers tell their channels, those of text that it comes, or that nothing does."""
    (tmp_path / "a.csv").write_text("x,y\n1,2\n3,4\n")
    finding = watch(tmp_path, type="csv", file="a.csv", rate=10, pace="fast")
    assert (finding.state, finding.found) == ("OK", "opens, x, y, 10 rows/s, recorded")
    assert watch(tmp_path, type="text", file="a.csv", pace="fast").state == "OK"
    monkeypatch.setattr(trial_module, "_SECONDS", 0.1)
    finding = watch(tmp_path, type="text", file="a.csv")
    assert (finding.state, "nothing came" in finding.found) == ("OK", True)


@pytest.mark.parametrize(
    ("changed", "found", "fix"),
    [
        ({"mean": 3.0, "spread": 1.0}, "black", "v4l2-ctl -d /dev/video7 -c auto_exposure=3"),
        ({"mean": 252.0, "spread": 1.0}, "white", "v4l2-ctl -d /dev/video7 -c auto_exposure=3"),
        ({"different": 1}, "30 frames are the same: frozen", "plug it in again"),
        (
            {"size": [320, 240]},
            "not 640x480 as configured",
            "sources.s.size: [320, 240], or to one",
        ),
        ({"fps": 4.0}, "4.0 frames/s instead of 10", "set sources.s.fps: 4"),
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


_SENSOR = SourceConfig("sysfs", SysfsOptions({"x": "/x"}))
_HEARD = {
    "channels": ["x", "y"], "live": True, "rows": 90, "rate": 99.0, "wanted": 100.0, "gaps": 0,
    "missing": 0.0, "constant": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "changed", "state", "found", "fix"),
    [
        ("sysfs", {}, "OK", "x, y, 99 rows/s", ""),
        ("sysfs", {"constant": True}, "OK", "99 rows/s", ""),
        ("audio", {"constant": True}, "WARN", "silence", "alsamixer"),
        ("mqtt", {"missing": 0.5}, "WARN", "50% of the values are missing", "mosquitto_sub"),
        ("iio", {"gaps": 3}, "WARN", "rows were lost 3 times", "lower sources.s.rate"),
        ("iio", {"rate": 40.0}, "WARN", "40 rows/s instead of 100", "sources.s.rate: 40"),
        ("mqtt", {"rate": None, "wanted": None}, "OK", "x, y, one row", ""),
        ("audio", {"live": False}, "OK", "100 rows/s, recorded", ""),
        ("sysfs", {"channels": list("abcdef")}, "OK", "a, b, c, d and 2 more", ""),
    ],
)
def test_what_is_wrong_with_a_sensor(
    kind: str, changed: dict[str, Any], state: str, found: str, fix: str
) -> None:
    """Each fault alone, with its cure."""
    chosen = SourceConfig(kind, _SENSOR.options)
    finding = judge_source("s", chosen, {**_HEARD, **changed})
    assert finding.state == state
    assert found in finding.found
    assert fix in finding.fix


def test_sensors_that_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of numbers, a sound, a broker without a message, and one with lines of text."""
    monkeypatch.setattr(trial_module, "_SECONDS", 0.5)
    (tmp_path / "x").write_text("21.5")
    sensor = {"type": "sysfs", "channels": {"temp": str(tmp_path / "x")}, "rate": 50}
    assert watch(tmp_path, **sensor).found.startswith("temp, ")
    write_wav(tmp_path / "x.wav", noise(16000))
    assert watch(tmp_path, type="audio", file="x.wav").found == (
        "opens, audio, 16000 rows/s, recorded"
    )
    broker = Mosquitto(tmp_path).start()
    text = {"type": "mqtt", "port": broker.port, "text": {"topic": "log"}, "retained": True}
    finding = watch(tmp_path, **text)
    assert (finding.state, "nothing came" in finding.found) == ("OK", True)
    publish = ["mosquitto_pub", "-p", str(broker.port), "-t", "log", "-m", "hello", "-r"]
    subprocess.run(publish, check=True)
    assert watch(tmp_path, **text).found == "opens, 1 lines of text"
    broker.kill()


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
