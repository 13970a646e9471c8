"""Clips begin before an event, end after it, and never cost more than they may."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_agent.event import Event
from edge_agent.frame import Frame
from edge_agent.recorder import recorder as module
from edge_agent.recorder.options import RecordOptions
from edge_agent.recorder.recorder import Recorder
from edge_agent.recorder.tape import Tape
from edge_agent.sources.clip import ClipPicture, read_clip
from tests.support.agent import ROOT
from tests.support.broker import wait_until
from tests.support.samples import event as sample_event
from tests.support.small_disk import needs_root, told_by_child

WALL = 1_780_000_000.0
NOISE = np.random.default_rng(1).integers(0, 255, (48, 64, 3)).astype(np.uint8)
HABITS = RecordOptions(before=2.0, after=1.0, fps=5.0, min_free=0)


def frame(now: float) -> Frame:
    """A frame of a camera that has run for so many seconds."""
    return Frame("s", round(10 * now), NOISE, WALL + now, round(1e9 * now), 50.0 + now)


def event(kind: str = "new", track: int = 1, **changes: object) -> Event:
    """Something that happened to an object."""
    return sample_event(type=kind, track=track, **changes)


class Scene:
    """A recorder, and a camera at 10 frames a second that waits for it."""

    def __init__(self, folder: Path, options: RecordOptions = HABITS) -> None:
        self.folder = folder / "clips"
        self.recorder = Recorder(self.folder, options)
        self._number = itertools.count()

    def run(self, seconds: float) -> None:
        """Let the camera run."""
        for _ in range(round(10 * seconds)):
            self.recorder.offer(frame(next(self._number) / 10))
            wait_until(lambda: not self.recorder._frames, 5.0)

    def note(self, *events: Event) -> None:
        """Let something happen."""
        self.recorder.note(events)

    def clips(self) -> list[list[ClipPicture]]:
        """The pictures of each clip."""
        self.recorder.close(5.0)
        return [list(read_clip(path)) for path in sorted(self.folder.glob("*.mjpg"))]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Two seconds before, one after, five pictures a second."""
    return Scene(tmp_path)


def test_a_clip_around_an_event(scene: Scene) -> None:
    """It begins two seconds before and ends one after; the times are those of the frames."""
    scene.run(5.0)
    scene.note(event())
    scene.run(1.0)
    scene.note(event("end"))
    scene.run(4.0)
    (clip,) = scene.clips()
    at = [picture.stamp.at for picture in clip]
    assert at == pytest.approx([n / 5 for n in range(len(clip))])
    assert clip[0].stamp.wall == pytest.approx(WALL + 5.0 - 2.0, abs=0.21)
    assert clip[-1].stamp.wall == pytest.approx(WALL + 6.0 + 1.0, abs=0.21)
    (path,) = scene.folder.iterdir()
    assert path.name.startswith("2026-05-28T20-26-4")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(scene.folder.stat().st_mode) == 0o700


def test_nothing_happens_nothing_is_kept(scene: Scene) -> None:
    """Not even a folder."""
    scene.run(3.0)
    assert scene.clips() == []
    assert not scene.folder.exists()


def test_an_object_that_rests_does_not_fill_the_disk(scene: Scene) -> None:
    """A parked car ends its clip; when it moves again another begins, and no picture is twice."""
    scene.run(2.0)
    scene.note(event())
    scene.run(1.0)
    scene.note(event("update", stationary=True))
    scene.run(10.0)
    scene.note(event("update", changes=("moving",)))
    scene.run(1.0)
    first, second = scene.clips()
    assert first[-1].stamp.wall == pytest.approx(WALL + 4.0, abs=0.3)
    assert second[0].stamp.wall == pytest.approx(WALL + 11.0, abs=0.3)


def test_one_that_stays_for_ever(tmp_path: Path) -> None:
    """Its clip ends after the longest time; for one who came meanwhile another goes on."""
    scene = Scene(tmp_path, replace(HABITS, longest=3.0))
    scene.run(2.0)
    scene.note(event())
    scene.run(0.5)
    scene.note(event(track=2))
    scene.run(9.0)
    first, second = scene.clips()
    assert [clip[-1].stamp.at for clip in (first, second)] == pytest.approx([3.0, 3.0], abs=0.21)
    assert second[0].stamp.wall == pytest.approx(first[-1].stamp.wall + 0.2)


def test_the_stream_stops_in_the_middle(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is gone ends the clip by itself, and one that comes back begins anew."""
    monkeypatch.setattr(module, "_IDLE", 0.1)
    scene.run(2.0)
    scene.note(event())
    scene.run(1.0)
    wait_until(lambda: not list(scene.folder.glob(".*")), 5.0)
    assert len(list(scene.folder.glob("*.mjpg"))) == 1


def test_neither_source_nor_model_waits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a disk that hangs, frames are left out and counted, and the end is not held up."""
    hang = threading.Event()
    monkeypatch.setattr(Tape, "add", lambda *_: hang.wait(20.0))
    began = time.monotonic()
    for number in range(50):
        scene.recorder.offer(frame(number / 5))
        scene.note(event())
    scene.recorder.close(0.1)
    assert time.monotonic() - began < 1.0
    assert scene.recorder.dropped >= 45
    hang.set()


def test_the_oldest_clips_go(tmp_path: Path) -> None:
    """All together they stay within their bytes, and none grows older than it may."""
    limit = 2**20
    scene = Scene(tmp_path, replace(HABITS, max_bytes=limit))
    scene.folder.mkdir()
    for hour in range(30):
        old = scene.folder / f"2026-05-27T{hour:02}-00-00.000Z.mjpg"
        old.write_bytes(bytes(50_000))
        os.utime(old, (WALL + hour, WALL + hour) if hour < 3 else None)
    scene.run(2.0)
    scene.note(event())
    scene.run(2.0)
    scene.recorder.close(5.0)
    left = sorted(path.name for path in scene.folder.iterdir())
    assert not [name for name in left if name < "2026-05-27T03"]
    assert sum(path.stat().st_size for path in scene.folder.iterdir()) <= limit
    assert left[-1].startswith("2026-05-28")


def test_a_disk_with_too_little_room(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Rather than taking the last bytes, no clip is kept, and that is said once."""
    scene = Scene(tmp_path, replace(HABITS, min_free=2**60))
    scene.folder.mkdir()
    (scene.folder / "2026-05-27T00-00-00.000Z.mjpg").write_bytes(bytes(1000))
    for _ in range(3):
        scene.run(1.0)
        scene.note(event())
    assert scene.clips() == [[]]  # the one before, which would not make room enough
    said = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert [each.getMessage().count("no room for a clip") for each in said] == [1]


_CHILD = """
import sys, time
from pathlib import Path
from tests.recorder.test_recorder import HABITS, event, frame
from edge_agent.recorder.recorder import Recorder

recorder = Recorder(Path(sys.argv[1]), HABITS)
number = 0
while True:
    recorder.offer(frame(number / 5))
    if number == 5:
        recorder.note([event()])
    number += 1
    if number == 400:
        print("go", flush=True)
    time.sleep(0.001)
"""


def test_a_kill_in_the_middle_leaves_a_clip_that_can_be_read(tmp_path: Path) -> None:
    """It gets its name with the next start; what had been written is whole."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "clips")],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"go\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    (part,) = (tmp_path / "clips").iterdir()
    assert part.name.startswith(".")
    scene = Scene(tmp_path)
    scene.run(0.2)
    (clip,) = scene.clips()
    assert len(clip) > 100
    assert [picture.stamp.at for picture in clip] == sorted(picture.stamp.at for picture in clip)


_FULL = """
import json, sys
from pathlib import Path
from dataclasses import replace
from tests.support.small_disk import SmallDisk, own_mounts
from tests.recorder.test_recorder import HABITS, NOISE, Scene, event

if not own_mounts():
    sys.exit("no mounts")
disk = SmallDisk(Path(sys.argv[1]), mounted=True)
scene = Scene(disk.folder, replace(HABITS, longest=600.0))
scene.run(1.0)
scene.note(event())
scene.run(1.0)
disk.fill()
scene.run(60.0)
alive = scene.recorder._thread.is_alive()
disk.free()
scene.note(event(track=2))
scene.run(2.0)
print(json.dumps([alive, [len(clip) for clip in scene.clips()],
                  [path.name for path in scene.folder.iterdir()]]))
"""


@needs_root
def test_a_full_disk_costs_clips_and_nothing_else(tmp_path: Path) -> None:
    """The clip in work ends with its last whole picture; with room there are clips again."""
    told = told_by_child(_FULL, str(tmp_path / "small"))
    alive, clips, names = told
    assert alive
    assert len(clips) == 2
    assert min(clips) >= 1
    assert all(name.endswith(".mjpg") for name in names)


def test_a_recorder_that_never_ran(tmp_path: Path) -> None:
    """It can be closed, also twice, and takes nothing afterwards."""
    scene = Scene(tmp_path)
    scene.recorder.close()
    scene.recorder.close()
    scene.recorder.offer(frame(0.0))
    assert scene.clips() == []
    assert not scene.folder.exists()
