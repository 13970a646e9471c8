"""`edge-agent replay`: the same bytes each time, and what becomes of mistakes."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml
from jsonschema import Draft202012Validator

from edge_agent.mqtt.payloads import load_schema
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.wire import build_agent
from edge_agent.sources.clip import read_clip
from edge_agent.sources.video import Recording
from tests.support.agent import TRUTH, belt_config
from tests.support.cli import CLIP, Answer, Children, Terminal, belt_frame, finish
from tests.support.configs import good
from tests.support.runtime import Told

RULES: dict[str, Any] = {
    "gate": {"motion": {}},
    "zones": {"left": {"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}},
    "lines": {"middle": {"from": [0.5, 1], "to": [0.5, 0], "anchor": "center"}},
    "publish": {"detections": True, "snapshots": "full"},
}
Lines = list[dict[str, Any]]


class Desk:
    """A configuration with a camera, replayed as often as one likes."""

    def __init__(self, folder: Path, terminal: Terminal) -> None:
        self.folder = folder
        self.file = folder / "agent.yaml"
        self.out = folder / "out.jsonl"
        self.terminal = terminal
        self.configure()

    def configure(self, threads: int = 1, **rules: Any) -> None:
        """Write the configuration anew."""
        config = belt_config(1, **{**RULES, **rules})
        config["sources"]["clip"] = {"type": "camera"}
        config["models"]["parts"]["threads"] = threads
        self.file.write_text(yaml.safe_dump(config))

    def words(self, *more: str | Path) -> tuple[str | Path, ...]:
        """The command line."""
        return ("replay", "-c", self.file, "--source", f"clip={CLIP}", "--out", self.out, *more)

    def cut(self, seconds: float) -> Path:
        """The beginning of the clip, as a recording of its own."""
        target = self.folder / "cut.avi"
        clip = Recording(Path(CLIP))
        writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"MJPG"), clip.fps, (640, 360))
        while (image := clip.next()) is not None and clip.time < seconds:
            writer.write(image)
        writer.release()
        return target

    def play(self, *more: str | Path) -> bytes:
        """The transcript of the bundled clip."""
        answer = self.terminal(*self.words(*more))
        assert answer.code == 0, answer.err
        return self.out.read_bytes()

    def lines(self, *more: str | Path) -> Lines:
        """The same, read."""
        return read(self.play(*more))

    def fail(self, *words: str | Path) -> Answer:
        """A replay with options that end it; it leaves no file behind."""
        before = set(self.folder.iterdir())
        answer = self.terminal("replay", "-c", self.file, *words)
        assert answer.code in (1, 2)
        assert set(self.folder.iterdir()) == before
        return answer


def read(transcript: bytes) -> Lines:
    """The lines of a transcript."""
    return [json.loads(line) for line in transcript.splitlines()]


def payloads(lines: Lines, topic: str) -> list[Any]:
    """What would have been published on a topic of the pipeline."""
    return [line["payload"] for line in lines if line["topic"] == f"edge/dev/belt/{topic}"]


def common(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what is different in each run."""
    own = ("id", "time", "start_time", "end_time", "clock", "latency_ms")
    return {key: value for key, value in event.items() if key not in own}


@pytest.fixture
def desk(tmp_path: Path, terminal: Terminal) -> Desk:
    """The bundled model behind a camera that is not there."""
    return Desk(tmp_path, terminal)


def test_the_same_bytes_whatever_the_machine_does(
    desk: Desk, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, in another process, with a model that takes its time, and with more threads."""
    first = desk.play()
    assert first.count(b"\n") > 300
    assert desk.play() == first
    other = desk.folder / "other.jsonl"
    child = finish(children(*desk.words()[:-1], other))
    assert (child.code, child.out) == (0, "")
    assert other.read_bytes() == first
    run = Inference.run

    def slow(self: Inference, *given: Any) -> Outcome:
        time.sleep(0.004)
        return run(self, *given)

    monkeypatch.setattr(Inference, "run", slow)
    desk.configure(threads=2)
    assert desk.play() == first


def test_another_rule_gives_another_transcript(desk: Desk) -> None:
    """A line elsewhere changes its counts, and nothing of the objects."""
    before = desk.lines()
    moved = {"middle": {"from": [0.02, 1], "to": [0.02, 0], "anchor": "center"}}
    desk.configure(lines=moved)
    after = desk.lines()
    counts = [payloads(each, "lines/middle/counts/nut/in")[-1] for each in (before, after)]
    assert counts[0] != counts[1]
    assert payloads(before, "events") == payloads(after, "events")


def test_the_transcript_is_what_would_have_been_published(desk: Desk, tmp_path: Path) -> None:
    """The live pipeline tells of the same objects, with its own ids, times and latencies."""
    lines = desk.lines()
    (tmp_path / "live").mkdir()
    config = good(tmp_path / "live", json.dumps(belt_config(1, **RULES)))
    told = Told()
    agent = build_agent(config, told, publish=False)
    agent.start()
    while not all(pipeline.finished.is_set() for pipeline in agent.pipelines):
        time.sleep(0.01)
    agent.stop()
    events = payloads(lines, "events")
    assert [common(event) for event in events] == [common(each) for each in told.events("belt")]
    for count in ("counts/nut", "lines/middle/counts/bolt/in", "zones/left/counts/gear"):
        assert payloads(lines, count) == [int(each) for each in told.of(f"belt/{count}")]
    assert payloads(lines, "status") == ["online", "offline"]


def test_what_a_line_holds(desk: Desk) -> None:
    """Events fit their schema, with virtual clocks; a picture is a size and a digest."""
    lines = desk.lines("--start", "2026-07-01T21:30:00Z")
    schema = Draft202012Validator(load_schema("event"))
    start = 1782941400.0
    events = payloads(lines, "events")
    for seq, event in enumerate(events, 1):
        assert not list(schema.iter_errors(event))
        assert event["seq"] == seq
        assert set(event["latency_ms"].values()) <= {0.0}
        assert event["clock"]["monotonic_ns"] / 1e9 == pytest.approx(event["media_time"], abs=1e-6)
        assert event["time"] == pytest.approx(start + event["media_time"], abs=1e-5)
        assert not event["clock"]["synchronized"]
    assert sum(event["type"] == "new" for event in events) == sum(TRUTH.values())
    assert {len(event["id"]) for event in events} == {26}
    (picture, *_) = payloads(lines, "snapshot")
    assert len(picture["sha256"]) == 64
    assert picture["bytes"] > 1000
    times = [line["media_time"] for line in lines]
    assert times == sorted(times)


def test_hours_are_those_of_the_recording(desk: Desk) -> None:
    """A schedule goes by --start, and a day that ends sets the lines to nought."""
    desk.configure(gate={"schedule": {"active": "08:00-20:00", "timezone": "UTC"}})
    assert payloads(desk.lines("--start", "2026-07-01T21:00:00Z"), "events") == []
    assert payloads(desk.lines("--start", "2026-07-01T12:00:00Z"), "events") != []
    desk.configure()
    midnight = time.mktime((2026, 7, 2, 0, 0, 0, 0, 0, -1))
    begin = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(midnight - 12))
    crossed = payloads(desk.lines("--start", begin), "lines/middle/counts/washer/in")
    assert 0 in crossed[2:]


def test_pictures_in_a_folder(desk: Desk) -> None:
    """They come in the order of their numbers, at the rate of the source, bad ones left out."""
    folder = desk.folder / "pictures"
    for number in range(1, 12):
        belt_frame(folder / f"p{number}.png", 3.0 + number / 15)
    (folder / "p3.png").write_bytes(b"no picture")
    config = yaml.safe_load(desk.file.read_text())
    config["sources"]["clip"]["fps"] = 15
    desk.file.write_text(yaml.safe_dump(config))
    answer = desk.terminal(*desk.words()[:4], f"clip={folder}", "--out", "-")
    assert answer.code == 0, answer.err
    found = payloads(read(answer.out.encode()), "detections")
    assert [each["media_time"] for each in found] == [round(n / 15, 6) for n in range(10)]
    assert "p3.png cannot be used" in answer.err


def test_several_sources_are_merged_by_time(desk: Desk) -> None:
    """Two recordings of one device come in turn; equal times in the order of the sources."""
    clip = desk.cut(4.0)
    config = yaml.safe_load(desk.file.read_text())
    config["sources"]["other"] = {"type": "rtsp", "url": "rtsp://u:p@cam/1"}
    config["pipelines"]["second"] = {**config["pipelines"]["belt"], "source": "other"}
    config["pipelines"]["third"] = {**config["pipelines"]["belt"], "source": "other"}
    desk.file.write_text(yaml.safe_dump(config))
    clips = [word for name in ("clip", "other") for word in ("--source", f"{name}={clip}")]
    words = ["replay", "-c", str(desk.file), "--out", str(desk.out), *clips]
    assert desk.terminal(*words).code == 0
    both = read(desk.out.read_bytes())
    assert [line["media_time"] for line in both] == sorted(line["media_time"] for line in both)
    events: dict[str, Lines] = {}
    for line in both:
        if line["topic"].endswith("/events"):
            events.setdefault(line["payload"]["pipeline"], []).append(line["payload"])
    assert [len(each) for each in events.values()] == [len(events["belt"])] * 3
    assert desk.terminal(*words, "--pipeline", "second").code == 0
    alone = read(desk.out.read_bytes())
    assert {line["topic"].split("/")[2] for line in alone} == {"second"}


def test_what_is_said_at_the_end(desk: Desk) -> None:
    """How many frames, events, objects and crossings, in words or as JSON."""
    answer = desk.terminal(*desk.words())
    assert answer.out == ""
    assert answer.err.startswith("belt: 346 frames, ")
    assert "; middle: " in answer.err
    (row,) = desk.terminal(*desk.words("--json")).json["pipelines"]
    assert row["objects"] == TRUTH
    assert row["events"]["new"] == row["events"]["end"] == sum(TRUTH.values())


def test_nothing_is_touched_but_the_transcript(desk: Desk, own_state: Path) -> None:
    """No state folder comes into being, and no other file."""
    desk.play()
    assert not own_state.exists()
    assert {each.name for each in desk.folder.iterdir()} <= {"agent.yaml", "out.jsonl", "cache"}


MISTAKES = {
    "nothing of that name": (["--source", "clip=none.mp4"], "none.mp4: no such file or folder"),
    "an unknown source": (["--source", f"clop={CLIP}"], "did you mean 'clip'?"),
    "an unknown pipeline": (
        ["--source", f"clip={CLIP}", "--pipeline", "bell"], "did you mean 'belt'?",
    ),
    "twice": (["--source", f"clip={CLIP}", "--source", f"clip={CLIP}"], "is given twice"),
    "no name": (["--source", CLIP], "is not NAME=FILE"),
    "no time": (["--source", f"clip={CLIP}", "--start", "noon"], "is no time such as"),
    "two for stdout": (["--source", f"clip={CLIP}", "--json", "--out", "-"], "both want stdout"),
}  # fmt: skip


@pytest.mark.parametrize(("words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes(desk: Desk, words: list[str], said: str) -> None:
    """Wrong usage is told with its cure, and nothing is written."""
    out = [] if "--out" in words else ["--out", str(desk.out)]
    answer = desk.fail(*words, *out)
    assert answer.code == 2
    assert said in answer.err


def test_a_source_that_no_pipeline_is_left_of(desk: Desk) -> None:
    """Exit code 2 with what to give; those left out are named where others are left."""
    config = yaml.safe_load(desk.file.read_text())
    config["sources"]["yard"] = {"type": "camera", "device": 1}
    config["pipelines"]["people"] = {"source": "yard", "model": "parts"}
    config["pipelines"]["belt"]["enabled"] = False
    desk.file.write_text(yaml.safe_dump(config))
    answer = desk.fail("--source", f"clip={CLIP}", "--out", desk.out)
    assert answer.code == 2
    assert "no pipeline is left to replay (give --source yard=FILE)" in answer.err
    del config["pipelines"]["belt"]["enabled"]
    desk.file.write_text(yaml.safe_dump(config))
    said = desk.terminal(*desk.words()).err
    assert "pipeline people is left out: no --source yard=FILE" in said


def test_input_that_cannot_be_read(desk: Desk) -> None:
    """No video, and no pictures: a run-time failure with the file's name."""
    broken = desk.folder / "broken.mp4"
    broken.write_bytes(b"no video at all")
    answer = desk.fail("--source", f"clip={broken}", "--out", desk.out)
    assert answer.code == 1
    assert "broken.mp4 cannot be read" in answer.err
    (desk.folder / "empty").mkdir()
    answer = desk.fail("--source", f"clip={desk.folder / 'empty'}", "--out", desk.out)
    assert "empty has no picture that can be used" in answer.err


def test_what_is_read_is_not_written_over(desk: Desk) -> None:
    """Neither the recording, also by another name, nor the configuration."""
    clip = desk.folder / "clip.mp4"
    shutil.copy(CLIP, clip)
    (desk.folder / "link.jsonl").symlink_to(clip)
    for out in (clip, desk.file, desk.folder / "link.jsonl"):
        answer = desk.fail("--source", f"clip={clip}", "--out", out)
        assert "would overwrite what is read" in answer.err


def test_a_target_that_takes_nothing(desk: Desk) -> None:
    """A full disk, a folder, and a folder that is not there."""
    old = desk.play()
    for out, said in (
        (Path("/dev/full"), "cannot write /dev/full: No space left on device"),
        (desk.folder / "none" / "out.jsonl", "No such file or directory"),
        (desk.folder, "is a folder"),
    ):
        assert said in desk.fail("--source", f"clip={CLIP}", "--out", out).err
    assert desk.out.read_bytes() == old


def test_a_model_that_fails_ends_the_replay(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transcript with a hole in it would be taken for what happened."""

    def fail(*_: Any) -> Outcome:
        raise RuntimeError("out of order")

    monkeypatch.setattr(Inference, "run", fail)
    answer = desk.fail("--source", f"clip={CLIP}", "--out", desk.out)
    assert answer.code == 1
    assert "pipeline belt failed 0.000 s into clip" in answer.err


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A folder with what the recorder kept of a live run over the bundled clip, its top masked."""
    live = tmp_path / "live"
    live.mkdir()
    mask = [[[0, 0], [1, 0], [1, 0.25], [0, 0.25]]]
    record = {"fps": 15, "before": "1s", "after": "1s", "longest": "5s", "min_free": 0}
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
    for recording in (files[0], clips):
        found = []
        for _ in range(2):
            assert desk.terminal(*words, "--source", f"clip={recording}").code == 0
            found.append(desk.out.read_bytes())
        assert found[0] == found[1]
        detections = payloads(read(found[0]), "detections")
        assert detections[0]["time"] == pytest.approx(first.stamp.wall, abs=1e-6)
        assert any(each["results"] for each in detections)
    spread = files[-1].stat().st_mtime - first.stamp.wall
    assert 0.0 < detections[-1]["time"] - detections[0]["time"] <= spread
    video = desk.cut(0.5).with_suffix(".mjpg")
    shutil.copy(desk.folder / "cut.avi", video)
    assert desk.terminal(*words, "--source", f"clip={video}").code == 0
    assert not (tmp_path / "state").exists()
