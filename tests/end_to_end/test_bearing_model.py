"""Real bearings: what a model that has only heard made-up ones says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_agent.cli.bearing import RATE
from tests.support.agent import ASSETS, BASE, DEVICE, ROOT, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.data import data_file

# Which faults the records of the CWRU bearing data centre have, at 1797 turns a minute. The knocks
# of the pit in the ball cannot be seen in the envelope; Smith and Randall (2015) say so too.
TRUTH = {
    "normal": set(),
    "inner_race_7": {"inner race"},
    "ball_7": set(),
    "outer_race_6_7": {"outer race"},
    "inner_race_21": {"inner race"},
}


def config(port: int, folder: Path, names: list[str]) -> dict[str, Any]:
    """That of config/bearing.yaml, with a pipeline for each record."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "bearing.yaml").read_text())
    pipeline = values["pipelines"]["bearing"]
    source = {"type": "csv", "rate": RATE, "pace": "fast"}
    return {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {"bearing": {"file": str(ASSETS / "bearing.npz")}},
        "sources": {name: {**source, "file": str(folder / f"{name}.npy")} for name in names},
        "pipelines": {name: {**pipeline, "source": name} for name in names},
    }


@pytest.mark.data
def test_real_bearings(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """Both races are named in every record that has such a fault, nothing in the normal one."""
    records = np.load(data_file("sensor/cwru/cwru_1797rpm_DE_60000.npz"))
    for name in TRUTH:
        np.save(tmp_path / f"{name}.npy", records[name].reshape(-1, 1))
    with AgentProcess(tmp_path, config(broker.port, tmp_path, list(TRUTH))) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = {name: {event["label"] for event in events(subscriber, name)} for name in TRUTH}
    assert told == TRUTH
    for name in TRUTH:
        assert {event["kind"] for event in events(subscriber, name)} <= {"class"}
