"""A changed file is applied to the running agent, and what is the same goes on."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.agent import ASSETS, BASE, AgentProcess, belt_config, events, wait_for_events
from tests.support.broker import Mosquitto, Subscriber, wait_until

_FPS = 15  # of the clip
_STEP = 5  # one frame of so many is inferred


@pytest.fixture
def agent(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> Iterator[AgentProcess]:
    """An agent with the pipelines "belt" and "side", each with a source of its own."""
    config = belt_config(broker.port, pace="real", publish={"detections": True})
    clip = {"type": "video", "file": str(ASSETS / "belt.mp4"), "pace": "loop"}
    config["sources"] = {"clip": clip, "other": {**clip}}
    # Slow enough that a busy machine need not drop a frame by itself.
    config["pipelines"]["belt"]["gate"] = {"rate": {"fps": _FPS / _STEP}}
    config["pipelines"]["side"] = {"source": "other", "model": "parts"}
    with AgentProcess(tmp_path, config) as running:
        for pipeline in ("belt", "side"):
            wait_for_events(subscriber, 1, pipeline)
        yield running
        if running.alive:
            assert running.terminate() == 0
    assert "Traceback" not in running.said


def change(agent: AgentProcess, edit: Any) -> None:
    """Edit the agent's file, then send SIGHUP."""
    config = yaml.safe_load(agent.file.read_text())
    edit(config)
    agent.file.write_text(yaml.safe_dump(config))
    agent.signal(signal.SIGHUP)


def frames(subscriber: Subscriber) -> list[int]:
    """Numbers of the frames of "belt" that were inferred."""
    return [json.loads(each)["frame"] for each in subscriber.of(f"{BASE}/belt/detections")]


def test_what_is_the_same_goes_on_without_losing_a_frame(
    agent: AgentProcess, subscriber: Subscriber
) -> None:
    """One pipeline goes, one changes, one comes; the fourth never stops for a frame."""
    change(agent, lambda c: c["pipelines"].pop("side"))
    subscriber.expect(f"{BASE}/side/status", b"", 30.0)
    subscriber.expect(f"{BASE}/side/threshold/state", b"")
    add = {"source": "other", "model": "parts", "labels": ["bolt"], "threshold": 0.3}
    change(agent, lambda c: c["pipelines"].update(new=add))
    subscriber.expect(f"{BASE}/new/status", b"online", 30.0)
    wait_until(lambda: events(subscriber, "new"), 30.0)
    change(agent, lambda c: c["pipelines"]["new"].update(threshold=0.4))
    subscriber.expect(f"{BASE}/new/threshold/state", b"0.4", 30.0)
    wait_until(lambda: agent.said.count("reloaded") == 3, 10.0, lambda: agent.said)
    before = len(frames(subscriber))
    wait_until(lambda: len(frames(subscriber)) > before + 5, 30.0)
    seen = frames(subscriber)
    assert seen == list(range(seen[0], seen[0] + _STEP * len(seen), _STEP))
    assert subscriber.of(f"{BASE}/belt/status").count(b"offline") <= 1  # from the start
    assert subscriber.of(f"{BASE}/status").count(b"online") == 1


def test_a_file_with_mistakes_changes_nothing(agent: AgentProcess, subscriber: Subscriber) -> None:
    """All mistakes are logged with their lines, and both pipelines go on."""
    change(agent, lambda c: c["pipelines"]["side"].update(treshold=0.3, source="none"))
    wait_until(lambda: "not reloaded" in agent.said, 30.0)
    assert "did you mean 'threshold'" in agent.said
    assert "'none' is not among the sources" in agent.said
    count = len(events(subscriber, "side"))
    wait_until(lambda: len(events(subscriber, "side")) > count, 30.0)


def test_labels_that_the_model_does_not_have(agent: AgentProcess, subscriber: Subscriber) -> None:
    """They are a mistake for a reload as for `check`: the old file stays."""
    change(agent, lambda c: c["pipelines"]["side"].update(labels=["blot"]))
    wait_until(lambda: "did you mean 'bolt'" in agent.said, 30.0)
    count = len(events(subscriber, "side"))
    wait_until(lambda: len(events(subscriber, "side")) > count, 30.0)


def test_a_changed_pipeline_does_not_blink(agent: AgentProcess, subscriber: Subscriber) -> None:
    """What stays is not taken back meanwhile: only what the new file does not have goes."""
    zone = {"polygon": [[0, 0], [1, 0], [1, 1], [0, 1]]}
    change(agent, lambda c: c["pipelines"]["side"].update(zones={"all": zone}))
    counts = f"{BASE}/side/zones/all/counts/bolt"
    wait_until(lambda: b"1" in subscriber.of(counts), 30.0)
    change(agent, lambda c: c["pipelines"]["side"].pop("zones"))
    subscriber.expect(counts, b"", 30.0)
    for topic in ("status", "enabled/state", "threshold/state", "counts/bolt"):
        assert b"" not in subscriber.of(f"{BASE}/side/{topic}"), topic
    assert subscriber.of(f"{BASE}/side/status")[-1] == b"online"
    assert subscriber.of(f"{BASE}/side/status").count(b"offline") <= 1  # from the start


def test_another_broker_takes_a_new_agent(agent: AgentProcess, subscriber: Subscriber) -> None:
    """A changed connection is applied too: the agent begins anew, and no event is lost."""
    change(agent, lambda c: c["mqtt"].update(keepalive=5))
    wait_until(lambda: subscriber.of(f"{BASE}/status").count(b"online") == 2, 30.0)
    count = len(events(subscriber))
    wait_until(lambda: len(events(subscriber)) > count, 30.0)
    numbers = {e["seq"] for p in ("belt", "side") for e in events(subscriber, p)}
    assert numbers == set(range(1, max(numbers) + 1))
