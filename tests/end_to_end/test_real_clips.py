"""Real clips through a real model, against what one sees in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.cli.main import main
from tests.support.agent import BASE, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.data import data_file

pytestmark = pytest.mark.data

_PEOPLE = "video/one-by-one-person-detection.mp4"
_BOTTLES = "video/bottle-detection.mp4"
_MODEL = "models/coco_ssd_mobilenet_v1_1.0_quant.tflite"

# Seconds at which each of six people comes into sight from below, and has half of the body over the
# middle of the picture (x = 0.5); the fifth comes up right of it. All six go out to the right, over
# x = 0.7, and none comes back. Read off the frames.
_VISITS: list[tuple[float, float | None]] = [
    (6.0, 6.6),
    (22.8, 23.4),
    (50.2, 51.0),
    (74.5, 75.6),
    (92.3, None),
    (123.4, 124.2),
]

# From which second on so many bottles are in sight, those in the air and in a hand too.
_BOTTLE_COUNTS = [
    (0.0, 3), (7.2, 2), (11.2, 3), (17.8, 1), (21.9, 2), (27.2, 3), (32.1, 2), (34.9, 3),
]  # fmt: skip


def _area(left: float, right: float) -> dict[str, Any]:
    """A zone over the whole height."""
    return {"polygon": [[left, 0], [right, 0], [right, 1], [left, 1]]}


def _upright(x: float) -> dict[str, Any]:
    """A line from the lower to the upper border: in is to the right."""
    return {"from": [x, 1], "to": [x, 0]}


_PASSAGE: dict[str, Any] = {
    "labels": ["person"],
    "zones": {"left": _area(0, 0.5), "right": _area(0.5, 1)},
    "lines": {"middle": _upright(0.5), "exit": _upright(0.7)},
}


class _Viewing:
    """An agent that runs a clip through once, beside others, and all that it publishes."""

    def __init__(self, folder: Path, clip: str, **pipeline: Any) -> None:
        self._broker = Mosquitto(folder).start()
        self._subscriber = Subscriber(self._broker.port)
        config = belt_config(self._broker.port, **pipeline)
        config["agent"]["state_dir"] = str(folder / "state")
        config["models"]["parts"]["file"] = str(data_file(_MODEL))
        config["sources"]["clip"]["file"] = str(data_file(clip))
        self._agent = AgentProcess(folder, config).start()

    def done(self) -> Subscriber:
        """Wait for its end."""
        assert self._agent.wait(240) == 0, self._agent.said
        self._subscriber.expect(f"{BASE}/status", b"offline")
        return self._subscriber

    def close(self) -> None:
        """End whatever is left."""
        if self._agent.alive:
            self._agent.kill()
        self._subscriber.close()
        self._broker.kill()


@pytest.fixture(scope="module")
def viewings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, _Viewing]]:
    """Both clips at once: people between a left and a right zone, bottles put down and taken."""
    # Who is lost for a second is gone, as bottles are that a hand takes away.
    bottles = {"labels": ["bottle"], "threshold": 0.4, "track": {"lost": "1s"}}
    begun = {
        "people": _Viewing(tmp_path_factory.mktemp("people"), _PEOPLE, **_PASSAGE),
        "bottles": _Viewing(tmp_path_factory.mktemp("bottles"), _BOTTLES, **bottles),
    }
    yield begun
    for each in begun.values():
        each.close()


@pytest.fixture(scope="module")
def people(viewings: dict[str, _Viewing]) -> Subscriber:
    """Six people come and go."""
    return viewings["people"].done()


@pytest.fixture(scope="module")
def bottles(viewings: dict[str, _Viewing]) -> Subscriber:
    """Bottles come and go."""
    return viewings["bottles"].done()


def _stories(subscriber: Subscriber) -> list[list[dict[str, Any]]]:
    """The events of each object, in the order in which they began."""
    found = events(subscriber)
    ids = dict.fromkeys(event["id"] for event in found)
    return [[event for event in found if event["id"] == story] for story in ids]


def test_six_visits(people: Subscriber) -> None:
    """Six people come and go: six begins, each within 2 s of the truth, none overlapping."""
    found = [event for event in events(people) if event["type"] != "update"]
    assert [event["type"] for event in found] == ["new", "end"] * 6
    begins = [event["media_time"] for event in found[::2]]
    late = [at - visit[0] for at, visit in zip(begins, _VISITS, strict=True)]
    assert all(0.0 <= each <= 2.0 for each in late), late


def _turns(story: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    """The ways into and out of zones, with their seconds of the clip."""
    found, before = [], set[str]()
    for event in story:
        now = set(event["zones"])
        found += [("enter", zone, event["media_time"]) for zone in sorted(now - before)]
        found += [("leave", zone, event["media_time"]) for zone in sorted(before - now)]
        before = now
    return found


def test_ways_through_the_zones(people: Subscriber) -> None:
    """Each enters and leaves in the right order, and the right zone when one sees it."""
    for story, (_, middle) in zip(_stories(people), _VISITS, strict=True):
        turns = _turns(story)
        ways = [(what, zone) for what, zone, _ in turns]
        assert ways[-1] == ("leave", "right")
        if middle is None:
            assert ways == [("enter", "right"), ("leave", "right")]
            continue
        left, right = ("enter", "left"), ("enter", "right")
        assert ways == [left, right, ("leave", "left"), ("leave", "right")]
        assert abs(turns[1][2] - middle) <= 0.5, (turns, middle)


def test_each_way_is_told_in_changes(people: Subscriber) -> None:
    """A subscriber who only looks for `entered` and `left` misses nothing."""
    for story in _stories(people):
        before = set[str]()
        for event in story:
            now = set(event["zones"])
            assert ("entered" in event["changes"]) == bool(now - before)
            assert ("left" in event["changes"]) == bool(before - now)
            before = now


@pytest.mark.parametrize(
    ("line", "count"), [("middle", sum(visit[1] is not None for visit in _VISITS)), ("exit", 6)]
)
def test_lines_count_who_crosses(people: Subscriber, line: str, count: int) -> None:
    """As many as one sees, all in one direction, one after the other."""
    topic = f"{BASE}/belt/lines/{line}/counts/person"
    assert people.of(f"{topic}/in") == [b"%d" % n for n in range(count + 1)]
    assert people.of(f"{topic}/out") == [b"0"]


def test_nothing_stays_on(people: Subscriber, bottles: Subscriber) -> None:
    """After the end nobody is there, nor in a zone."""
    for topic in ("counts", "zones/left/counts", "zones/right/counts"):
        assert people.of(f"{BASE}/belt/{topic}/person")[-1] == b"0"
    assert bottles.of(f"{BASE}/belt/counts/bottle")[-1] == b"0"


def test_never_more_bottles_than_there_are(bottles: Subscriber) -> None:
    """The count is above the truth for no longer than a second, and right most of the time."""
    steps = {"new": 1, "update": 0, "end": -1}
    found = [(event["media_time"], steps[event["type"]]) for event in events(bottles)]
    above = longest = right = 0.0
    for number in range(398):  # a tenth of a second each
        now = number / 10
        count = sum(step for at, step in found if at <= now)
        truth = [bottles for since, bottles in _BOTTLE_COUNTS if since <= now][-1]
        above = above + 0.1 if count > truth else 0.0
        longest = max(longest, above)
        right += 0.1 * (count == truth)
    assert longest <= 1.0
    assert right >= 0.6 * 39.8, right


def _told(event: dict[str, Any]) -> dict[str, Any]:
    own = ("id", "seq", "time", "start_time", "end_time", "clock", "latency_ms", "replayed")
    return {key: value for key, value in event.items() if key not in own}


def test_a_replay_tells_the_same(people: Subscriber, tmp_path: Path) -> None:
    """The same events, zones and counts as the live agent published, without a broker."""
    config = belt_config(1, **_PASSAGE)
    config["models"]["parts"]["file"] = str(data_file(_MODEL))
    config["sources"]["clip"] = {"type": "camera"}
    file, out = tmp_path / "agent.yaml", tmp_path / "out.jsonl"
    file.write_text(yaml.safe_dump(config))
    clip = f"clip={data_file(_PEOPLE)}"
    assert main(["replay", "-c", str(file), "--source", clip, "--out", str(out)]) == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]

    def told(topic: str) -> list[Any]:
        return [line["payload"] for line in lines if line["topic"] == f"{BASE}/belt/{topic}"]

    assert [_told(event) for event in told("events")] == [_told(each) for each in events(people)]
    places = ("counts", *(f"zones/{zone}/counts" for zone in _PASSAGE["zones"]))
    counts = [f"{place}/person" for place in places]
    counts += [f"lines/{n}/counts/person/{d}" for n in _PASSAGE["lines"] for d in ("in", "out")]
    for topic in counts:
        assert told(topic) == [int(each) for each in people.of(f"{BASE}/belt/{topic}")]
