"""What goes wrong in the world: the agent stays, says so, and comes back by itself."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import (
    ASSETS,
    BASE,
    TRUTH,
    AgentProcess,
    belt_config,
    events,
    wait_for_events,
)
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.rtsp_server import RtspServer


def test_sigterm_leaves_no_state_on(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """SIGTERM ends what is being followed, sets counts to 0, says offline and exits with 0."""
    with AgentProcess(tmp_path, belt_config(broker.port, pace="loop")) as agent:
        wait_for_events(subscriber, 5)
        began = time.monotonic()
        assert agent.terminate() == 0
        assert time.monotonic() - began < 5.0  # the contract's limit, ten times what it takes
    subscriber.expect(f"{BASE}/status", b"offline")
    found = events(subscriber)
    assert {e["id"] for e in found if e["type"] == "new"} == {
        e["id"] for e in found if e["type"] == "end"
    }
    for label in TRUTH:
        assert subscriber.of(f"{BASE}/belt/counts/{label}")[-1:] in ([], [b"0"])
    assert "Traceback" not in agent.said


def test_kill_is_told_by_the_last_will_and_healed(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """After SIGKILL the broker says offline; the next start puts counts that stayed on to 0."""
    with AgentProcess(tmp_path, belt_config(broker.port, pace="loop")) as agent:
        wait_until(lambda: subscriber.of(f"{BASE}/belt/counts/washer")[-1:] > [b"0"])
        agent.kill()
    subscriber.expect(f"{BASE}/status", b"offline")
    assert subscriber.of(f"{BASE}/belt/counts/washer")[-1] != b"0"
    config = belt_config(broker.port, pace="loop", labels=["gear"])  # nobody counts washers now
    with AgentProcess(tmp_path, config):
        subscriber.expect(f"{BASE}/belt/counts/washer", b"0")


def test_broker_that_is_killed_comes_back(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """Inference goes on without the broker; what happened meanwhile arrives, without a gap."""
    with AgentProcess(tmp_path, belt_config(broker.port, pace="loop")) as agent:
        wait_for_events(subscriber, 5)
        broker.kill()
        wait_until(lambda: "no connection to the broker" in agent.said)
        before = len(events(subscriber))
        time.sleep(0.05)
        broker.start()
        wait_for_events(subscriber, before + 20)
        subscriber.expect(f"{BASE}/status", b"online")
        assert agent.alive
        assert agent.terminate() == 0
    numbers = sorted({event["seq"] for event in events(subscriber)})
    assert numbers == list(range(1, len(numbers) + 1))


def test_broker_that_is_absent_at_the_start(tmp_path: Path, broker: Mosquitto) -> None:
    """The agent starts without a broker and delivers once it is there."""
    broker.kill()
    with AgentProcess(tmp_path, belt_config(broker.port, pace="loop")) as agent:
        wait_until(lambda: "pipeline belt is online" in agent.said, what=lambda: agent.said)
        broker.start()
        late = Subscriber(broker.port)
        wait_for_events(late, 5)
        late.close()


def test_camera_that_is_unplugged_comes_back(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """A killed RTSP camera makes its pipeline offline, and its return online again."""
    server = RtspServer(fps=20.0)
    config = belt_config(broker.port)
    config["sources"]["clip"] = {"type": "rtsp", "url": server.url, "timeout": 1}
    with AgentProcess(tmp_path, config) as agent:
        subscriber.expect(f"{BASE}/belt/status", b"online")
        server.kill()
        subscriber.expect(f"{BASE}/belt/status", b"offline")
        with RtspServer(server.port, fps=20.0):
            subscriber.expect(f"{BASE}/belt/status", b"online", 60.0)
            assert agent.terminate() == 0


def _with_a_bad_model(port: int, file: Path) -> dict[str, Any]:
    config = belt_config(port, pace="loop")
    config["models"]["bad"] = {"file": str(file)}
    config["pipelines"]["bad"] = {"source": "clip", "model": "bad"}
    return config


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "no such file"), (b"no model", "is not a TFLite model"), (b"", "is empty")],
)
def test_bad_model_leaves_the_others_alone(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, content: bytes | None, told: str
) -> None:
    """A missing, damaged or empty model is told in a line; the other pipeline works on."""
    file = tmp_path / "bad.tflite"
    if content is not None:
        file.write_bytes(content)
    with AgentProcess(tmp_path, _with_a_bad_model(broker.port, file)) as agent:
        wait_for_events(subscriber, 10)
        assert subscriber.of(f"{BASE}/bad/status")[-1] == b"offline"
        assert agent.terminate() == 0
    assert told in agent.said
    assert "Traceback" not in agent.said


def test_only_model_is_bad(tmp_path: Path, broker: Mosquitto) -> None:
    """Where no model can be used the agent ends with 1 and says why."""
    file = tmp_path / "cut.tflite"
    file.write_bytes((ASSETS / "belt.tflite").read_bytes()[:90_000])
    config = belt_config(broker.port)
    config["models"]["parts"]["file"] = str(file)
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait(30) == 1
    assert "nothing is left to do" in agent.said
    assert "Traceback" not in agent.said


def test_a_service_waits_for_its_only_model(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under systemd it stays, offline, instead of being started anew all the time."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    file = tmp_path / "late.tflite"
    config = belt_config(broker.port, pace="loop")
    config["models"]["parts"]["file"] = str(file)
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: "does not exist" in agent.said, what=lambda: agent.said)
        subscriber.expect(f"{BASE}/belt/status", b"offline")
        file.write_bytes((ASSETS / "belt.tflite").read_bytes())
        wait_for_events(subscriber, 1)
        assert agent.terminate() == 0
    assert "nothing is left to do" not in agent.said


def test_wrong_password_is_told_once(tmp_path: Path) -> None:
    """A broker that refuses us is told once, without the password, and inference goes on."""
    broker = Mosquitto(tmp_path, passwords={"edge": "right"}).start()
    config = belt_config(broker.port, pace="loop")
    config["mqtt"] |= {"username": "edge", "password": "hunter2"}
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: "password" in agent.said, what=lambda: agent.said)
        assert agent.alive
        agent.terminate()
    broker.kill()
    assert agent.said.count("no connection to the broker") == 1
    assert "hunter2" not in agent.said


def test_wrong_sha256_is_not_run(tmp_path: Path, broker: Mosquitto) -> None:
    """A model that is not the one whose sha256 the YAML names is refused with both named."""
    config = belt_config(broker.port)
    config["models"]["parts"]["sha256"] = "0" * 64
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait(30) == 1
    assert "models.parts.sha256" in agent.said


def test_camera_that_is_away_is_told_once(tmp_path: Path, broker: Mosquitto) -> None:
    """However often it is tried, a camera's failure takes one line of the log, in our words."""
    config = belt_config(broker.port)
    config["sources"]["clip"] = {"type": "rtsp", "url": "rtsp://me:geheim@127.0.0.1:1/x"}
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: "nothing listens" in agent.said, what=lambda: agent.said)
        time.sleep(2.5)  # in which it is tried again, with a ceiling of 1 and 2 s between tries
        agent.terminate()
    lines = [line for line in agent.said.splitlines() if "127.0.0.1:1/x" in line]
    assert len(lines) == 1, agent.said
    assert "VIDEOIO" not in agent.said
    assert "geheim" not in agent.said
