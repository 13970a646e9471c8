"""A motor that turns faster: the worked example of docs/sensors.md, as it is written there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_agent.engines import open_engine
from tests.support.agent import BASE, DEVICE, ROOT, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.cli import Terminal

FASTER_AT = 12.0  # s
GUIDE = (ROOT / "docs" / "sensors.md").read_text()


def example(language: str) -> str:
    """The example's script, or its configuration."""
    section = GUIDE.partition("## When what comes is not what was predicted\n")[2]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


def configured(folder: Path, port: int, file: str) -> dict[str, Any]:
    """The example's configuration, with the broker of the test and files in its folder."""
    values: dict[str, Any] = yaml.safe_load(example("yaml"))
    values["agent"] = {"name": DEVICE, "state_dir": str(folder / "state")}
    values["mqtt"] = {"host": "127.0.0.1", "port": port}
    values["models"]["forecaster"]["file"] = str(folder / "forecaster.npz")
    assert values["sources"]["motor"]["file"] == "${FILE:-faster.npy}"
    values["sources"]["motor"]["file"] = str(folder / file)
    return values


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the script was run; the configuration holds what it printed."""
    folder = tmp_path_factory.mktemp("motor")
    (folder / "make_forecaster.py").write_text(example("python"))
    done = subprocess.run(
        [sys.executable, "make_forecaster.py"],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, check=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() in example("yaml")
    return folder


@pytest.mark.parametrize("hop", [8, 5])
def test_from_a_script_to_an_event(
    made: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    broker: Mosquitto,
    subscriber: Subscriber,
    hop: int,
) -> None:
    """An int8 forecaster, calibrated here, tells the other speed at once and nothing before.

    Also where each row is predicted more than once.
    """
    assert open_engine(made / "forecaster.npz", kind="numpy").inputs[0].dtype == np.int8
    normal, faster = (configured(made, broker.port, f"{name}.npy") for name in ("normal", "faster"))
    for values in (normal, faster):
        values["pipelines"]["motor"]["window"]["hop"] = hop
    (tmp_path / "calibrate.yaml").write_text(yaml.safe_dump(normal))
    answer = Terminal(capsys)(
        "calibrate", "-c", tmp_path / "calibrate.yaml", "--pipeline", "motor", "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["windows"] == (20_000 - 32) // hop  # all but the first
    with AgentProcess(tmp_path, faster) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    begun, *later = events(subscriber, "motor")
    assert (begun["type"], begun["kind"]) == ("new", "anomaly")
    assert FASTER_AT <= begun["media_time"] <= FASTER_AT + 0.05
    assert {event["id"] for event in later} <= {begun["id"]}
    readings = [json.loads(each) for each in subscriber.of(f"{BASE}/motor/reading")]
    assert readings[-1]["state"] == "anomaly"
    assert readings[-1]["limit"] == pytest.approx(answer.json["limit"], rel=1e-5)
    assert readings[-1]["value"] > 2.0 * answer.json["limit"]


def test_hops_that_are_longer_than_what_is_predicted(
    made: Path, tmp_path: Path, broker: Mosquitto
) -> None:
    """The pipeline is offline and says what to set."""
    values = configured(made, broker.port, "normal.npy")
    del values["pipelines"]["motor"]["window"]["hop"]
    values["pipelines"]["motor"]["anomaly"]["limit"] = 0.2
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0
    assert "begin 32 rows apart and the model predicts 8" in agent.said
    assert "set window.hop to 8 or less" in agent.said
    assert "Traceback" not in agent.said
