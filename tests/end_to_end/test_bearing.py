"""Real bearings: the agent learns a good one on half of its record, and tells every bad one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_agent.config.load import load_or_raise
from edge_agent.runtime.scoring import calibrations
from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.cli import Terminal
from tests.support.data import data_file

pytestmark = pytest.mark.data

RATE = 12_000  # Case Western Reserve University's records of the drive end
FAULTS = ("inner_race_7", "ball_7", "outer_race_6_7", "inner_race_21")
FEATURES: dict[str, Any] = {
    "statistics": {},
    "welch": {"nperseg": 256},
}


def records(folder: Path) -> dict[str, Path]:
    """The faults, and the two halves of the normal record, as files."""
    arrays = dict(np.load(data_file("sensor/cwru/cwru_1797rpm_DE_60000.npz")))
    enrolled, rest = np.split(arrays["normal"], 2)
    parts = {"enrolled": enrolled, "normal": rest, **{fault: arrays[fault] for fault in FAULTS}}
    for name, samples in parts.items():
        np.save(folder / f"{name}.npy", samples.reshape(-1, 1))
    return {name: folder / f"{name}.npy" for name in parts}


def config(folder: Path, port: int, files: dict[str, Path], feature: str) -> dict[str, Any]:
    """A pipeline without a model for each record."""
    judged = {
        "window": {"length": "200ms", "hop": "100ms"},
        "features": {feature: FEATURES[feature]},
        "anomaly": {"method": "distance"},
    }
    return {
        "agent": {"name": DEVICE, "state_dir": str(folder / "state")},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "sources": {
            name: {"type": "csv", "file": str(file), "rate": RATE, "pace": "fast"}
            for name, file in files.items()
        },
        "pipelines": {name: {"source": name, **judged} for name in files},
    }


@pytest.mark.parametrize("feature", FEATURES)
def test_faults_of_a_bearing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    broker: Mosquitto,
    subscriber: Subscriber,
    feature: str,
) -> None:
    """Every record of a fault raises an anomaly, the other half of the normal one none.

    Measured once, on the first half; what was measured is then that of the other pipelines too.
    """
    values = config(tmp_path, broker.port, records(tmp_path), feature)
    file = tmp_path / "calibrate.yaml"
    file.write_text(yaml.safe_dump(values))
    answer = Terminal(capsys)("calibrate", "-c", file, "--pipeline", "enrolled", "--json")
    assert answer.code == 0, answer.err
    store = calibrations(load_or_raise(file))
    known = store.newest("enrolled")
    assert known is not None
    for name in ("normal", *FAULTS):
        store.save(name, known)
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = {name: {e["kind"] for e in events(subscriber, name)} for name in values["pipelines"]}
    assert told.pop("enrolled") == told.pop("normal") == set()
    assert all(kinds == {"anomaly"} for kinds in told.values()), told
