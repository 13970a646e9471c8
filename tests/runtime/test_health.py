"""The health report."""

from __future__ import annotations

import json
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest

from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.device_payloads import Health
from edge_agent.mqtt.payloads import load_schema
from edge_agent.runtime.governor import Governor, Limits, Load
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.metrics import STAGES
from tests.support.runtime import MESSAGES, ONLINE, HandTime, Rig, Told, cat, hold_time


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """The time of all that has to do with health."""
    return hold_time(monkeypatch, "health", "metrics", "pipeline", "reporter")


def rigs(hand: HandTime) -> list[Rig]:
    """A pipeline that starts, one that is online, and one without its model."""
    outbox = Told()
    young, busy, broken = (Rig(name, time=hand, outbox=outbox) for name in ("y", "b", "x"))
    young.pipeline.source_changed(ONLINE)
    busy.begin()
    broken.begin().pipeline.model_failed("no file")
    return [young, busy, broken]


def report(of: list[Rig], connects: int | None = None) -> HealthReport:
    """A report of these; with a client that has connected so often."""
    client = SimpleNamespace(state=SimpleNamespace(connects=connects), refused=("edge/x",))
    return HealthReport(
        "dev",
        [rig.pipeline for rig in of],
        of[0].outbox,
        None if connects is None else cast("MqttClient", client),
        Governor(Limits(), lambda: Load(None, "", 0.0, None)),
    )


def payload(taken: Health) -> dict[str, Any]:
    """What subscribers read, checked against the schema."""
    message: dict[str, Any] = json.loads(MESSAGES.health(taken).payload)
    jsonschema.validate(message, load_schema("health"))
    return message


def test_states_and_reasons(hand: HandTime) -> None:
    """A pipeline that has not begun yet is told from one that has trouble."""
    pipelines = payload(report(rigs(hand)).take())["pipelines"]
    assert {name: (each["state"], each["reason"]) for name, each in pipelines.items()} == {
        "y": ("starting", "starting"),
        "b": ("online", ""),
        "x": ("offline", "no file"),
    }
    assert [pipelines[name]["restarts"] for name in "ybx"] == [0, 0, 1]


def test_rates_are_of_the_last_period(hand: HandTime) -> None:
    """Frames per second count since the last report, those lost among them."""
    (_, busy, _) = all_ = rigs(hand)
    reports = report(all_)
    for _ in range(20):
        busy.take_in()
        busy.see(cat())
    first = payload(reports.take())["pipelines"]["b"]["fps"]
    hand.now += 10.0
    second = payload(reports.take())["pipelines"]["b"]["fps"]
    assert first == {"in": 20.0, "inferred": 10.0, "dropped": 10.0}
    assert second == {"in": 0.0, "inferred": 0.0, "dropped": 0.0}


def test_latency_of_what_was_measured(hand: HandTime) -> None:
    """Every stage has its percentiles once a frame went through, and before that none."""
    (young, busy, _) = all_ = rigs(hand)
    busy.see(cat())
    pipelines = payload(report(all_).take())["pipelines"]
    assert pipelines[young.name]["latency_ms"] == {}
    assert set(pipelines["b"]["latency_ms"]) == set(STAGES)
    assert pipelines["b"]["latency_ms"]["infer"] == {"p50": 2.0, "p99": 2.0}


def test_device(hand: HandTime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers of the device itself, of its outbox and of its connection are there."""
    for name, value in (("cpu_temperature", 48.3), ("throttled", True), ("rss_bytes", 12345)):
        monkeypatch.setattr(f"edge_agent.runtime.health.{name}", partial(value.__class__, value))
    all_ = rigs(hand)
    reports = report(all_, connects=3)
    all_[0].outbox.reject([entry.id for entry in all_[0].outbox.take(1)], "refused")
    depth = all_[0].outbox.depth
    hand.now += 90.0
    message = payload(reports.take())
    assert depth > 0
    assert message["outbox"] == {"depth": depth, "drops": {"state_refused": 1}}
    assert (message["uptime"], message["time"], message["device"]) == (90.0, hand.time(), "dev")
    assert message["mqtt"] == {"connects": 3, "refused": ["edge/x"]}
    assert [message[key] for key in ("cpu_temperature", "throttled", "rss_bytes")] == [
        48.3, True, 12345,
    ]  # fmt: skip


def test_without_a_client(hand: HandTime) -> None:
    """An agent that does not publish has made no connection."""
    assert payload(report(rigs(hand)).take())["mqtt"] == {"connects": 0, "refused": []}
