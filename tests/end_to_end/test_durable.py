"""Nothing is lost: the agent is killed while the broker is away, and both come back."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema

from edge_agent.mqtt.payloads import load_schema
from tests.support.agent import BASE, ROOT, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until


def _is_complete(numbers: list[int]) -> bool:
    """Whether the numbers, without repeats, are 1, 2, 3 ... in this order."""
    first = list(dict.fromkeys(numbers))
    return first == list(range(1, len(first) + 1))


def test_sigkill_while_the_broker_is_away_loses_nothing(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """A subscriber with a session gets every number in order; what was held back is marked."""
    config = belt_config(broker.port, pace="loop")
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: len(events(subscriber)) >= 10, 30.0, lambda: agent.said)
        broker.stop()  # in good order: what it has is the subscriber's
        wait_until(lambda: "no connection to the broker" in agent.said)
        delivered = max(event["seq"] for event in events(subscriber))
        state = tmp_path / "state" / "edge-agent" / "dev.outbox"
        wait_until(lambda: _last_seq(state) >= delivered + 20, 30.0)
        agent.kill()
        held = _last_seq(state)
        agent.start()
        wait_until(lambda: _last_seq(state) >= held + 10, 30.0)
        broker.start()
        wait_until(lambda: _seen(subscriber) >= held + 10, 30.0, lambda: agent.said)
        subscriber.expect(f"{BASE}/status", b"online")
        wait_until(lambda: not events(subscriber)[-1]["replayed"], 30.0)
        assert agent.terminate() == 0
    found = events(subscriber)
    assert _is_complete([event["seq"] for event in found])
    for event in found:
        jsonschema.validate(event, load_schema("event"))
        if delivered < event["seq"] <= held + 10:
            assert event["replayed"]
    assert len({event["clock"]["boot_id"] for event in found}) == 1
    times = [event["time"] for event in {event["seq"]: event for event in found}.values()]
    assert times == sorted(times)


def _seen(subscriber: Subscriber) -> int:
    return max((event["seq"] for event in events(subscriber)), default=0)


def _last_seq(database: Path) -> int:
    """The newest number on the disk, as another process sees it."""
    script = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1])"
        ".execute('SELECT ifnull(max(seq), 0) FROM events').fetchone()[0])"
    )
    command = [sys.executable, "-c", script, str(database)]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def test_events_online_are_not_marked(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """With the broker there no event of a new agent is called replayed but those of its start."""
    with AgentProcess(tmp_path, belt_config(broker.port, pace="loop")) as agent:
        wait_until(lambda: len(events(subscriber)) >= 30, 30.0, lambda: agent.said)
        agent.terminate()
    marks = [event["replayed"] for event in events(subscriber)]
    assert not any(marks[marks.index(False) :])


def test_a_second_agent_of_the_same_name_is_refused(tmp_path: Path, broker: Mosquitto) -> None:
    """Two agents never write to one file: the second ends with 1 and says which file and why."""
    config = belt_config(broker.port, pace="loop")
    other = tmp_path / "other"
    other.mkdir()
    with AgentProcess(tmp_path, config) as first:
        wait_until(lambda: "connected to the broker" in first.said, what=lambda: first.said)
        with AgentProcess(other, config) as second:
            assert second.wait(30) == 1
        assert "dev.outbox is in use by process" in second.said
        assert "Traceback" not in second.said
        assert first.alive


def test_no_state_folder_is_told_and_survived(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """Where nothing can be written the agent says so loudly and works from memory."""
    (tmp_path / "file").touch()
    config = belt_config(broker.port)
    config["agent"]["state_dir"] = str(tmp_path / "file" / "state")
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0
    subscriber.expect(f"{BASE}/status", b"offline")
    assert "events wait in memory only" in agent.said
    numbers = [event["seq"] for event in events(subscriber)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_neither_the_demo_nor_check_writes_state(tmp_path: Path, own_state: Path) -> None:
    """What is only tried leaves nothing behind."""
    file = tmp_path / "agent.yaml"
    file.write_text(json.dumps(belt_config(1883)))
    for words in (["demo", "--output", str(tmp_path / "out")], ["check", "-c", str(file)]):
        command = [sys.executable, "-m", "edge_agent", *words]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE)
    assert not own_state.exists()
