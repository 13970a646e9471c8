"""A machine that develops a fault: the agent learns what is normal and tells what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.cli import Terminal

RATE = 1000.0
FAULT_AT, FAULT_ENDS = 12.0, 16.0  # s


def vibration(seconds: float, seed: int, has_fault: bool = False) -> NDArray[np.float32]:
    """Noise and a tone; with the fault it is struck thirty times a second for a while."""
    dice = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    signal = dice.normal(0, 0.3, len(time)) + np.sin(2 * np.pi * 50 * time)
    if has_fault:
        struck = (time >= FAULT_AT) & (time < FAULT_ENDS) & (np.arange(len(time)) % 33 == 0)
        signal[struck] += 8.0
    return signal.astype(np.float32).reshape(-1, 1)


def config(folder: Path, port: int, file: Path, **pipeline: Any) -> dict[str, Any]:
    """A recording of vibration without a model."""
    return {
        "agent": {"name": DEVICE, "state_dir": str(folder / "state")},
        "mqtt": {"host": "127.0.0.1", "port": port, "keepalive": 2},
        "sources": {"shaft": {"type": "csv", "file": str(file), "rate": RATE, "pace": "fast"}},
        "pipelines": {"shaft": {"source": "shaft", "track": {"hits": 1, "of": 1}, **pipeline}},
    }


BY_DISTANCE: dict[str, Any] = {
    "window": {"length": 256, "hop": 128},
    "features": {"log_mel": {"n_mels": 16, "n_fft": 64, "hop_length": 32}},
    "anomaly": {"method": "distance"},
}


@pytest.fixture
def normal(tmp_path: Path) -> Path:
    """A recording in which all is normal."""
    np.save(tmp_path / "normal.npy", vibration(20.0, 1))
    return tmp_path / "normal.npy"


@pytest.fixture
def fault(tmp_path: Path) -> Path:
    """A recording with a fault in it."""
    np.save(tmp_path / "fault.npy", vibration(20.0, 2, has_fault=True))
    return tmp_path / "fault.npy"


def written(folder: Path, values: dict[str, Any]) -> Path:
    """The configuration as a file."""
    path = folder / "calibrate.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_calibrating_without_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that gives nothing at all ends it, with the reason."""
    monkeypatch.setattr("edge_agent.runtime.calibrate._PATIENCE", 0.2)
    file = written(tmp_path, config(tmp_path, 1883, tmp_path / "none.npy", **BY_DISTANCE))
    answer = Terminal(capsys)("calibrate", "-c", file, "--pipeline", "shaft")
    assert answer.code == 1
    assert "nothing came of the source" in answer.err
    assert "none.npy" in answer.complaint


def test_from_normal_to_an_event(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    broker: Mosquitto,
    subscriber: Subscriber,
    normal: Path,
    fault: Path,
) -> None:
    """Calibrated on a normal recording, it tells the fault once, while it lasts, and its value."""
    file = written(tmp_path, config(tmp_path, broker.port, normal, **BY_DISTANCE))
    answer = Terminal(capsys)("calibrate", "-c", file, "--pipeline", "shaft", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["windows"] >= 70
    with AgentProcess(tmp_path, config(tmp_path, broker.port, fault, **BY_DISTANCE)) as agent:
        assert agent.wait() == 0, agent.said
    assert "no-model" not in agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    begun, *_, over = events(subscriber, "shaft")
    assert [event["kind"] for event in (begun, over)] == ["anomaly", "anomaly"]
    assert {event["id"] for event in events(subscriber, "shaft")} == {begun["id"]}
    assert FAULT_AT <= begun["media_time"] <= FAULT_AT + 0.3
    assert FAULT_ENDS <= over["media_time"] <= FAULT_ENDS + 2.6  # track.lost
    # Of a state that changes faster than it is sent, the newest is.
    assert subscriber.of(f"{BASE}/shaft/counts/anomaly")[-1] == b"0"
    readings = [json.loads(each) for each in subscriber.of(f"{BASE}/shaft/reading")]
    assert {reading["state"] for reading in readings} <= {"normal", "anomaly"}
    assert readings[-1]["state"] == "normal"
    limits = {reading["limit"] for reading in readings}
    assert list(limits) == [pytest.approx(answer.json["limit"], rel=1e-5)]


def test_not_calibrated_yet(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, normal: Path
) -> None:
    """The pipeline is offline, and the log says what to do."""
    with AgentProcess(tmp_path, config(tmp_path, broker.port, normal, **BY_DISTANCE)) as agent:
        assert agent.wait() == 0
    assert "it is not known yet what is normal here (edge-agent calibrate" in agent.said
    assert "Traceback" not in agent.said
    assert events(subscriber, "shaft") == []


def test_features_that_do_not_fit(tmp_path: Path, broker: Mosquitto, normal: Path) -> None:
    """Features that the rate does not allow are a line in the log, with the option."""
    wrong = {**BY_DISTANCE, "features": {"log_mel": {"fmax": 9000}}, "anomaly": {}}
    with AgentProcess(tmp_path, config(tmp_path, broker.port, normal, **wrong)) as agent:
        assert agent.wait() == 0
    assert "pipeline shaft failed" in agent.said
    assert "features.log_mel" in agent.said
    assert "Traceback" not in agent.said


def test_a_reading_out_of_bounds(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """A thermometer without a model: each number in its unit, and an event while it is too warm."""
    rows = [20.0, 21.0, 31.0, 30.5, 25.0, 24.0, 24.0, 24.0]
    table = "time,celsius\n" + "".join(f"{10 * i},{row}\n" for i, row in enumerate(rows))
    (tmp_path / "t.csv").write_text(table)
    values = config(tmp_path, broker.port, tmp_path / "t.csv", reading={"unit": "°C", "above": 30})
    del values["sources"]["shaft"]["rate"]
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = [
        (e["type"], e["kind"], e["label"], e["media_time"]) for e in events(subscriber, "shaft")
    ]
    assert told[0] == ("new", "reading", "high", 20.0)
    assert told[-1][:3] == ("end", "reading", "high")
    readings = [json.loads(each) for each in subscriber.of(f"{BASE}/shaft/reading")]
    assert readings[-1] | {"time": 0} == {
        "schema": "edge-agent/reading/1", "device": DEVICE, "pipeline": "shaft", "time": 0,
        "value": 24.0, "unit": "°C", "state": "normal", "score": 1.0, "limit": None,
    }  # fmt: skip


def test_the_reading_is_retained(tmp_path: Path, broker: Mosquitto, normal: Path) -> None:
    """Whoever comes later sees the newest number."""
    values = config(tmp_path, broker.port, normal, anomaly={})
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    late = Subscriber(broker.port, f"{BASE}/shaft/reading")
    wait_until(lambda: late.of(f"{BASE}/shaft/reading"), 5.0)
    late.close()
