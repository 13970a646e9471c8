"""The main job with nothing faked: a clip, a quantized model, a real broker, a real subscriber."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema

from edge_agent.mqtt.payloads import load_schema
from tests.support.agent import ASSETS, BASE, TRUTH, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber

# The parts move to the right; one washer and one bolt lie beyond the line from the start.
_OVER_THE_LINE = {"bolt": 7, "nut": 7, "washer": 5}


def test_rules_of_the_yaml(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """A filtered label is never seen; others are told once in a cooldown, and all are counted."""
    config = belt_config(
        broker.port,
        cooldown="1h",
        filters={"gear": {"min_height": 1.0}},
        zones={"belt": {"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]], "anchor": "overlap"}},
        lines={"end": {"from": [0.75, 1], "to": [0.75, 0]}},
    )
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")
    new = [event for event in events(subscriber) if event["type"] == "new"]
    assert Counter(event["label"] for event in new) == dict.fromkeys(_OVER_THE_LINE, 1)
    assert all(event["zones"] == ["belt"] for event in new)
    for label, count in _OVER_THE_LINE.items():
        crossed = f"{BASE}/belt/lines/end/counts/{label}"
        assert subscriber.of(f"{crossed}/in")[-1] == b"%d" % count
        assert subscriber.of(f"{crossed}/out") == [b"0"]
    assert not subscriber.of(f"{BASE}/belt/lines/end/counts/gear/in")[1:]


def test_payloads_are_as_their_schemas_say(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """What a subscriber receives is valid by the JSON Schemas of the package."""
    config = belt_config(broker.port, publish={"detections": True})
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")
    topics = {"event": "belt/events", "detections": "belt/detections", "health": "health"}
    for name, topic in {**topics, "info": "info"}.items():
        payloads = subscriber.of(f"{BASE}/{topic}")
        assert payloads, f"nothing on {topic}: {agent.said}"
        for payload in payloads:
            jsonschema.validate(json.loads(payload), load_schema(name))


def test_one_story_keeps_its_id(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """Every id goes from one `new` over updates to one `end`, on one track, in order of time."""
    with AgentProcess(tmp_path, belt_config(broker.port)) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")
    found = events(subscriber)
    for story in {event["id"] for event in found}:
        chapters = [event for event in found if event["id"] == story]
        kinds = [chapter["type"] for chapter in chapters]
        assert kinds == ["new", *["update"] * (len(kinds) - 2), "end"]
        assert len({chapter["track"] for chapter in chapters}) == 1
        times = [chapter["media_time"] for chapter in chapters]
        assert times == sorted(times)


def test_two_pipelines_share_a_source_and_a_model(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """Both pipelines of one clip and one model see every frame and come to the same counts."""
    config = belt_config(broker.port)
    config["pipelines"]["gears"] = {"source": "clip", "model": "parts", "labels": ["gear"]}
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")
    new = [event for event in events(subscriber) if event["type"] == "new"]
    gears = [event for event in events(subscriber, "gears") if event["type"] == "new"]
    assert Counter(event["label"] for event in new) == TRUTH
    assert Counter(event["label"] for event in gears) == {"gear": TRUTH["gear"]}


def test_the_bundled_clip_is_what_its_truth_says() -> None:
    """The truth beside the clip lists as many parts as its totals."""
    truth = json.loads((ASSETS / "belt.json").read_text())
    assert Counter(part["label"] for part in truth["parts"]) == truth["totals"]
