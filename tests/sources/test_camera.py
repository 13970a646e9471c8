"""V4L2 cameras; the device itself is a fake, all around it is real."""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources import camera as camera_module
from edge_agent.sources import v4l2
from edge_agent.sources.camera import CameraOptions, CameraSource
from tests.support.devices import FakeDevice
from tests.support.pictures import picture
from tests.support.reading import reading

Plug = Callable[[FakeDevice], Path]


@pytest.fixture(name="plug")
def _plug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Puts a fake device behind a path that exists."""

    def plug(device: FakeDevice) -> Path:
        path = tmp_path / "video0"
        path.touch()
        monkeypatch.setattr(v4l2, "check_camera", lambda path: None)
        monkeypatch.setattr(camera_module, "open_device", lambda path: device)
        return path

    return plug


def _source(device: Path | str | int, **options: Any) -> CameraSource:
    return CameraSource("door", CameraOptions(str(device), **{"timeout": 0.2, **options}))


def test_delivers_frames(plug: Plug) -> None:
    """Frames come as they are read, stamped with the monotonic clock."""
    source = _source(plug(FakeDevice(picture(n) for n in range(3))))
    source.start()
    frames = [source.read() for _ in range(3)]
    source.stop()
    assert [frame.seq for frame in frames if frame] == [0, 1, 2]
    assert source.read() is None


def test_settings_in_order(plug: Plug) -> None:
    """The format is set before the size, and that before the rate."""
    device = FakeDevice([picture()])
    source = _source(plug(device), fourcc="MJPG", size=(64, 48), fps=15.0)
    source.start()
    source.stop()
    assert device.settings == [
        (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
        (cv2.CAP_PROP_FRAME_WIDTH, 64),
        (cv2.CAP_PROP_FRAME_HEIGHT, 48),
        (cv2.CAP_PROP_FPS, 15.0),
    ]
    assert device.released == 1


def test_other_size_is_told_once(plug: Plug, caplog: pytest.LogCaptureFixture) -> None:
    """A size that differs from the one asked for is used, and told once."""
    source = _source(plug(FakeDevice(picture() for _ in range(5))), size=(1280, 720))
    source.start()
    for _ in range(5):
        assert source.read() is not None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "gives 64x48 instead of 1280x720" in caplog.text


@pytest.mark.parametrize("odd", [np.zeros((48, 64), np.uint8), np.zeros((48, 64, 4), np.uint8)])
def test_odd_shapes(plug: Plug, odd: Any) -> None:
    """Grey and four-channel images become BGR."""
    source = _source(plug(FakeDevice([odd])))
    source.start()
    frame = source.read()
    assert frame is not None
    assert frame.data.shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([None], "gives no frame for 0.2 s"),
        ([np.empty((0, 0, 3), np.uint8)], "sends garbage: the picture has no pixels for 0.2 s"),
        ([np.zeros((4, 4, 2), np.uint8)], "sends garbage"),
    ],
    ids=["frozen", "zero size", "two channels"],
)
def test_no_good_frame(plug: Plug, images: list[Any], reason: str) -> None:
    """A frozen camera and one that sends garbage are told after the time limit."""
    source = _source(plug(FakeDevice(cycle(images))))
    source.start()
    with pytest.raises(SourceUnavailable) as error:
        source.read()
    assert reason in str(error.value)
    assert error.value.cure


def test_a_bad_frame_is_skipped(plug: Plug) -> None:
    """One broken frame between good ones is no fault."""
    empty = np.empty((0, 0, 3), np.uint8)
    source = _source(plug(FakeDevice([picture(1), None, empty, picture(2)])), timeout=20.0)
    source.start()
    assert source.read() is not None
    assert source.read() is not None


def test_unplugged_and_plugged_in_again(plug: Plug) -> None:
    """An unplugged camera is told; plugged in again it goes on."""
    device = FakeDevice(picture() for _ in range(3))
    path = plug(device)
    with reading(_source(path, timeout=20.0)) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) == 3)
        path.unlink()
        assert "was unplugged" in watcher.wait_offline()
        plug(FakeDevice(cycle([picture()])))
        watcher.wait_online()
    assert device.released == 1


def test_stop_ends_a_wait(plug: Plug) -> None:
    """A camera without frames does not hold up a stop."""
    with reading(_source(plug(FakeDevice()), timeout=3600.0)):
        pass


def test_busy(plug: Plug) -> None:
    """A camera that another program uses is told with the way to find it."""
    device = FakeDevice(opened=False)
    with pytest.raises(SourceUnavailable, match=r"is busy.*fuser"):
        _source(plug(device)).start()
    assert device.released == 1


def test_missing_lists_those_that_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing camera is told together with those that exist, by name and lasting path."""
    known = tmp_path / "sys" / "video2"
    known.mkdir(parents=True)
    (known / "name").write_text("HD Webcam\n")
    monkeypatch.setattr(v4l2, "_SYS", tmp_path / "sys")
    monkeypatch.setattr(v4l2, "_DEV", tmp_path)
    (tmp_path / "video2").touch()
    with pytest.raises(SourceUnavailable, match=r"camera .*/video99 is missing.*HD Webcam"):
        _source(99).start()
    (tmp_path / "video2").unlink()
    with pytest.raises(SourceUnavailable, match=r"hidden from this process.*doctor --unit"):
        _source(2).start()
    monkeypatch.setattr(v4l2, "_SYS", tmp_path / "none")
    with pytest.raises(SourceUnavailable, match="no camera now"):
        _source("/dev/v4l/by-id/usb-gone").start()


def test_list_leaves_out_metadata_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second node of a camera is not offered; one that cannot be asked is."""
    for node in ("video0", "video1", "video10"):
        (tmp_path / node).mkdir()
    monkeypatch.setattr(v4l2, "_SYS", tmp_path)

    def query(path: Path) -> int:
        if path.name == "video10":
            raise OSError
        return 0x04200001 if path.name == "video0" else 0x00A00000

    monkeypatch.setattr(v4l2, "_query", query)
    assert v4l2.cameras() == ["/dev/video0 (unknown)", "/dev/video10 (unknown)"]


def test_no_camera(tmp_path: Path) -> None:
    """A file, a folder and another device are not opened as a camera."""
    file = tmp_path / "clip.mp4"
    file.touch()
    for path in (file, tmp_path, Path("/dev/null")):
        with pytest.raises(SourceUnusable, match="is not a camera"):
            _source(path).start()


@pytest.mark.parametrize(
    ("result", "kind", "words"),
    [
        (PermissionError(errno.EACCES, "denied"), SourceUnusable, "group video"),
        (OSError(errno.EBUSY, "busy"), SourceUnavailable, "is busy"),
        (OSError(errno.ENODEV, "No such device"), SourceUnavailable, "fails: No such device"),
        (0x00A00000, SourceUnusable, "metadata"),
        (0x04200001, None, ""),
    ],
)
def test_what_linux_says(
    monkeypatch: pytest.MonkeyPatch, result: Any, kind: type[SourceError] | None, words: str
) -> None:
    """No permission, a busy device and a node without pictures are told apart."""

    def query(path: Path) -> int:
        if isinstance(result, OSError):
            raise result
        return int(result)

    node = SimpleNamespace(st_mode=stat.S_IFCHR, st_rdev=os.makedev(81, 0))
    monkeypatch.setattr(Path, "stat", lambda self: node)
    monkeypatch.setattr(v4l2, "_query", query)
    if kind is None:
        v4l2.check_camera(Path("/dev/video0"))
        return
    with pytest.raises(kind, match=words):
        v4l2.check_camera(Path("/dev/video0"))


@pytest.mark.parametrize("device", ["video0", "", "-1"])
def test_bad_device(device: str) -> None:
    """What is neither number nor path is refused when the source is built."""
    with pytest.raises(ValueError, match="neither a number nor a path"):
        _source(device)
    with pytest.raises(ValueError, match="four letters"):
        _source(0, fourcc="MJPEG")


def test_number_is_a_path() -> None:
    """A number means that video device."""
    assert v4l2.device_path(2) == v4l2.device_path("2") == Path("/dev/video2")
