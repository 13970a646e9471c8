"""`edge-agent replay`: the same bytes each time, and what the live agent would have said."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from edge_agent.mqtt.payloads import load_schema
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.wire import build_agent
from tests.support.agent import TRUTH, belt_config
from tests.support.cli import Children, belt_frame, finish
from tests.support.configs import good
from tests.support.replay import RULES, Desk, Lines, payloads, read
from tests.support.runtime import Told


def common(event: dict[str, Any]) -> dict[str, Any]:
    """An event without what is different in each run."""
    own = ("id", "time", "start_time", "end_time", "clock", "latency_ms")
    return {key: value for key, value in event.items() if key not in own}


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
    desk.cut(8.0)
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
    desk.cut(6.0)
    desk.configure(gate={"schedule": {"active": "08:00-20:00", "timezone": "UTC"}})
    assert payloads(desk.lines("--start", "2026-07-01T21:00:00Z"), "events") == []
    assert payloads(desk.lines("--start", "2026-07-01T12:00:00Z"), "events") != []
    desk.configure()
    midnight = time.mktime((2026, 7, 2, 0, 0, 0, 0, 0, -1))
    begin = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(midnight - 4))
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
    (row,) = desk.terminal(*desk.words("--json")).json["pipelines"]
    assert (row["frames"], row["objects"]) == (346, TRUTH)
    assert row["events"]["new"] == row["events"]["end"] == sum(TRUTH.values())
    desk.cut(1.0)
    answer = desk.terminal(*desk.words())
    assert answer.out == ""
    assert answer.err.startswith("belt: 15 frames, 15 inferred, ")
    assert "; middle: " in answer.err


def test_nothing_is_touched_but_the_transcript(desk: Desk, own_state: Path) -> None:
    """No state folder comes into being, and no other file."""
    desk.cut(1.0)
    desk.play()
    assert not own_state.exists()
    found = {each.name for each in desk.folder.iterdir()}
    assert found <= {"agent.yaml", "out.jsonl", "cut.avi", "cache"}
