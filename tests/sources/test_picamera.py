"""Pi cameras, on a fake picamera2."""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.sources.picamera import PicameraOptions, PicameraSource
from tests.support.pictures import picture
from tests.support.reading import reading


class FakePicamera2:
    """The part of picamera2.Picamera2 that is used."""

    cameras: ClassVar[list[dict[str, Any]]] = [{"Model": "imx708"}]
    made: ClassVar[list[FakePicamera2]] = []
    busy = False
    frames: ClassVar[list[Any]] = []

    def __init__(self, number: int) -> None:
        if self.busy:
            raise RuntimeError("Camera __init__ sequence did not complete.")
        self.calls: list[Any] = []
        self.made.append(self)

    @classmethod
    def global_camera_info(cls) -> list[dict[str, Any]]:
        """The cameras that exist."""
        return cls.cameras

    def create_video_configuration(self, **wanted: Any) -> dict[str, Any]:
        """Keep what is wanted."""
        return wanted

    def configure(self, configuration: dict[str, Any]) -> None:
        """Note it."""
        self.calls.append(configuration)

    def start(self) -> None:
        """Note it."""
        self.calls.append("start")

    def capture_array(self, name: str, wait: bool) -> Any:
        """A job whose result is the next frame."""
        return SimpleNamespace(get_result=self._result)

    def _result(self, timeout: float) -> Any:
        frame = self.frames.pop(0) if self.frames else picture()
        if isinstance(frame, Exception):
            raise frame
        return frame

    def stop(self) -> None:
        """Note it."""
        self.calls.append("stop")

    def close(self) -> None:
        """Note it."""
        self.calls.append("close")


@pytest.fixture(name="fake")
def _fake(monkeypatch: pytest.MonkeyPatch) -> type[FakePicamera2]:
    """Installs a fresh fake picamera2."""

    class Fresh(FakePicamera2):
        made: ClassVar[list[FakePicamera2]] = []
        frames: ClassVar[list[Any]] = []

    module: Any = ModuleType("picamera2")
    module.Picamera2 = Fresh
    monkeypatch.setitem(sys.modules, "picamera2", module)
    return Fresh


def _source() -> PicameraSource:
    return PicameraSource("door", PicameraOptions(size=(64, 48), fps=5.0, timeout=0.5))


def test_delivers_frames(fake: type[FakePicamera2]) -> None:
    """Frames come in BGR at the size and rate asked for, and the camera is closed."""
    with reading(_source()) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) >= 3)
    assert watcher.frames[0].size == (64, 48)
    configuration, *calls = fake.made[0].calls
    assert configuration["main"] == {"size": (64, 48), "format": "RGB888"}
    assert configuration["controls"] == {"FrameRate": 5.0}
    assert calls == ["start", "stop", "close"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (TimeoutError(), "is frozen: no frame for 0.5 s"),
        (RuntimeError("Camera frontend has timed out!"), "frontend has timed out"),
        (picture()[:0], "sends garbage"),
    ],
)
def test_faults(fake: type[FakePicamera2], fault: Any, reason: str) -> None:
    """A frozen or broken camera is told, closed and opened again."""
    fake.frames.extend([picture(), fault])
    with reading(_source()) as (watcher, _):
        watcher.wait(lambda: len(watcher.statuses) == 3)
    assert reason in watcher.statuses[1].reason
    assert len(fake.made) == 2
    assert fake.made[0].calls[-2:] == ["stop", "close"]


def test_missing_and_busy(fake: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    """No camera and a busy one are told with a cure."""
    monkeypatch.setattr(fake, "busy", True)
    with pytest.raises(SourceUnavailable, match="busy or does not start"):
        _source().start()
    monkeypatch.setattr(fake, "cameras", [])
    with pytest.raises(SourceUnavailable, match="rpicam-hello"):
        _source().start()


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without picamera2 the error says how to install it."""
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(
        SourceUnusable, match=r"apt install python3-picamera2.*system-site-packages"
    ):
        _source().start()


def test_stop_during_a_read(fake: type[FakePicamera2], monkeypatch: pytest.MonkeyPatch) -> None:
    """The camera is not closed under a running read, but right after it."""
    entered, release = threading.Event(), threading.Event()

    def slow(self: FakePicamera2, timeout: float) -> Any:
        entered.set()
        release.wait(20)
        return picture()

    monkeypatch.setattr(fake, "_result", slow)
    source = _source()
    source.start()
    thread = threading.Thread(target=source.read)
    thread.start()
    assert entered.wait(20)
    source.stop()
    assert "close" not in fake.made[0].calls
    release.set()
    thread.join(20)
    assert fake.made[0].calls[-1] == "close"
