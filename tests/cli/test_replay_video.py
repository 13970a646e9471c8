"""Replays of recorded clips, and the video of a replay."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from edge_agent.config.schema import Config
from edge_agent.frame import Frame
from edge_agent.runtime.replay.film import Film
from edge_agent.runtime.wire import build_agent
from edge_agent.sources.clip import read_clip
from edge_agent.sources.video import Recording
from tests.support.agent import belt_config
from tests.support.cli import CLIP
from tests.support.configs import good
from tests.support.replay import RULES, Desk, payloads, read
from tests.support.runtime import Told


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with what the recorder kept of a live run over the bundled clip, its top masked."""
    live = tmp_path / "live"
    live.mkdir()
    mask = [[[0, 0], [1, 0], [1, 0.25], [0, 0.25]]]
    record = {"fps": 15, "before": "1s", "after": "1s", "longest": "3s", "min_free": 0}
    values = belt_config(1, **RULES, privacy={"mask": mask}, record=record)
    values["agent"]["state_dir"] = str(tmp_path / "kept")
    agent = build_agent(good(live, json.dumps(values)), Told(), publish=False)
    agent.start()
    while not all(pipeline.finished.is_set() for pipeline in agent.pipelines):
        time.sleep(0.01)
    agent.stop()
    return tmp_path / "kept" / "dev.belt.clips"


def test_a_recorded_clip_is_replayed_at_its_true_time(
    desk: Desk, clips: Path, tmp_path: Path
) -> None:
    """Alone or all of a folder in a row, twice the same; what was masked is not in it."""
    files = sorted(clips.iterdir())
    assert len(files) >= 3
    (first, *_) = read_clip(files[0])
    assert first.image[:88].max() < 40
    assert first.image[100:].max() > 100
    words = ["replay", "-c", str(desk.file), "--out", str(desk.out)]
    found = []
    for recording in (files[0], files[0], clips):
        assert desk.terminal(*words, "--source", f"clip={recording}").code == 0
        found.append(desk.out.read_bytes())
        detections = payloads(read(found[-1]), "detections")
        assert detections[0]["time"] == pytest.approx(first.stamp.wall, abs=1e-6)
        assert any(each["results"] for each in detections)
    assert found[0] == found[1]
    spread = files[-1].stat().st_mtime - first.stamp.wall
    assert (
        0.0 < detections[-1]["time"] - detections[0]["time"] <= spread + 0.05
    )  # file times are coarse
    video = desk.cut(0.5).with_suffix(".mjpg")
    shutil.copy(desk.folder / "cut.avi", video)
    assert desk.terminal(*words, "--source", f"clip={video}").code == 0
    assert not (tmp_path / "state").exists()


def test_a_video_of_the_replay(desk: Desk) -> None:
    """Each frame at the clip's rate, with what was found drawn in; twice the same bytes."""
    clip, video = desk.cut(2.0), desk.folder / "out.mp4"
    mask = [[[0, 0], [0.2, 0], [0.2, 0.2], [0, 0.2]]]
    desk.configure(privacy={"mask": mask})
    words = ["replay", "-c", str(desk.file), "--source", f"clip={clip}", "--out", str(desk.out)]
    found = []
    for _ in range(2):
        answer = desk.terminal(*words, "--video", video)
        assert answer.code == 0, answer.err
        found.append(video.read_bytes())
    assert found[0] == found[1]
    ours, theirs = Recording(video), Recording(clip)
    assert (ours.fps, ours.expected) == (theirs.fps, theirs.expected)
    shown, plain = ours.next(), theirs.next()
    assert shown is not None
    assert plain is not None
    assert shown.shape == plain.shape
    assert shown[28:52, 75:120].max() < 60  # what nobody may see; captions stand above it
    assert abs(shown[180:, 319:322].astype(int) - plain[180:, 319:322]).mean() > 30  # the line
    assert {each.name for each in desk.folder.iterdir()} >= {"out.mp4", "out.jsonl"}
    assert not list(desk.folder.glob(".out*"))


def test_pictures_with_gaps_become_a_video_of_one_rate(desk: Desk) -> None:
    """A picture stands until the next; of a long pause only the beginning is left out."""
    path = desk.folder / "film.mp4"
    film = Film(path, path, 10.0, Config())
    image = np.full((48, 64, 3), 90, np.uint8)
    for number, now in enumerate((0.0, 0.1, 0.5, 100.0, 100.1)):
        film.show(Frame("s", number, image, now, 0, now, now))
    film.close()
    assert Recording(path).expected == 8


@pytest.mark.parametrize(
    ("video", "said"), [("out.avi", "must end in .mp4"), (".", "must end in .mp4")]
)
def test_videos_that_cannot_be_written(desk: Desk, video: str, said: str) -> None:
    """Neither in another format, nor onto a disk that is full."""
    words = ["--source", f"clip={CLIP}", "--out", str(desk.out), "--video"]
    answer = desk.fail(*words, str(desk.folder / video))
    assert answer.code == 2
    assert said in answer.err


def test_a_video_that_breaks_off(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV says nothing of a full disk: what it wrote is looked at, and not left behind."""
    clip = desk.cut(0.5)
    monkeypatch.setattr("edge_agent.runtime.replay.film._frames_in", lambda _: 3)
    words = ["--source", f"clip={clip}", "--out", str(desk.out), "--video"]
    answer = desk.fail(*words, str(desk.folder / "out.mp4"))
    assert answer.code == 1
    assert f"the video {desk.folder / 'out.mp4'} did not become whole" in answer.err


def test_a_video_shows_one_source(desk: Desk) -> None:
    """With two, one has to be chosen."""
    config = yaml.safe_load(desk.file.read_text())
    config["sources"]["other"] = {"type": "camera", "device": 1}
    config["pipelines"]["second"] = {**config["pipelines"]["belt"], "source": "other"}
    desk.file.write_text(yaml.safe_dump(config))
    sources = ["--source", f"clip={CLIP}", "--source", f"other={CLIP}"]
    words = [*sources, "--out", str(desk.out), "--video", str(desk.folder / "out.mp4")]
    assert "choose with --pipeline" in desk.fail(*words).err
