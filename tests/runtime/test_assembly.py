"""What a changed configuration leaves standing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.schema import Config
from edge_agent.rules.base import CountKey
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.tiling import Tiles, Whole
from edge_agent.runtime.wire import build_agent
from tests.support.agent import belt_config
from tests.support.broker import wait_until
from tests.support.configs import good
from tests.support.reading import LIMIT
from tests.support.runtime import live_frame
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model

IN = CountKey("nut", line="gate", direction="in")


def config(folder: Path, threshold: float = 0.5, **sections: Any) -> Config:
    """One pipeline with a line."""
    lines = {"gate": {"from": [0.5, 0.0], "to": [0.5, 1.0]}}
    values = belt_config(1, threshold=threshold, lines=lines)
    for name, section in sections.items():
        values[name].update(section)
    return good(folder, json.dumps(values))


def counted(agent: Agent) -> tuple[int, int]:
    """Frames, and crossings of the line, after one more of each."""
    metrics = agent.metrics["belt"]
    metrics.counts.taken += 1
    metrics.crossings[IN] += 1
    return metrics.counts.taken, metrics.crossings[IN]


def test_counters_survive_a_reload(tmp_path: Path) -> None:
    """Those of a pipeline that changed go on; one that was gone meanwhile begins anew."""
    agent = build_agent(config(tmp_path), publish=False)
    before = agent.pipelines
    assert counted(agent) == (1, 1)
    assert agent.apply(config(tmp_path, threshold=0.4))
    assert agent.pipelines != before
    assert counted(agent) == (2, 2)
    plain = {"source": "clip", "model": "parts"}
    away = {"belt": {**plain, "enabled": False}, "other": plain}
    assert agent.apply(config(tmp_path, pipelines=away))
    assert list(agent.metrics) == ["other"]
    assert agent.apply(config(tmp_path))
    assert counted(agent) == (1, 1)
    agent.stop()


def test_counters_survive_another_broker(tmp_path: Path) -> None:
    """A change that takes a new agent takes its counters along."""
    agent = build_agent(config(tmp_path), publish=False)
    assert counted(agent) == (1, 1)
    elsewhere = config(tmp_path, mqtt={"keepalive": 5})
    assert not agent.apply(elsewhere)
    agent.stop()
    fresh = build_agent(elsewhere, publish=False, metrics=agent.metrics)
    assert counted(fresh) == (2, 2)
    fresh.stop()


def test_the_sun_rises_where_the_agent_is(tmp_path: Path) -> None:
    """`agent.location` reaches the gate, unless that has a location of its own."""
    noon = 1782043200.0  # 2026-06-21 12:00 UTC, midnight in the Pacific
    for place, own, passed in (
        ([52.5, 13.4], {}, True),
        ([0.0, 180.0], {}, False),
        ([0.0, 180.0], {"location": [52.5, 13.4]}, True),
    ):
        gate = {"schedule": {"active": "sunrise-sunset", "timezone": "UTC", **own}}
        pipelines = {"belt": {"source": "clip", "model": "parts", "gate": gate}}
        chosen = config(tmp_path, agent={"location": place}, pipelines=pipelines)
        agent = build_agent(chosen, publish=False)
        (pipeline,) = agent.pipelines
        pipeline.intake(replace(live_frame(0), wall=noon))
        assert (pipeline.metrics.counts.gated == 0) == passed
        agent.stop()


def test_tiles_reach_the_model(tmp_path: Path) -> None:
    """`tiles` of a pipeline decides how its frames go through the model; the default is whole."""
    tiled, plain = (
        build_agent(config(tmp_path, pipelines={"belt": {**_BELT, **more}}), publish=False)
        for more in ({"tiles": {"grid": [3, 2]}}, {})
    )
    assert isinstance(tiled.pipelines[0].settings.tiling, Tiles)
    assert isinstance(plain.pipelines[0].settings.tiling, Whole)
    tiled.start()
    wait_until(lambda: tiled.metrics["belt"].counts.inferred > 0, LIMIT)
    tiled.stop()


def test_tiles_that_are_of_no_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A model that finds no boxes is given whole frames, and the log says so."""
    shape = (1, 1, 1, 3)
    graph = GraphDef(
        [TensorDef("picture", shape), TensorDef("classes", shape)],
        [OpDef("LOGISTIC", (0,), (1,))],
        inputs=(0,),
        outputs=(1,),
    )
    file = write_model(tmp_path / "classes.tflite", graph)
    models, pipelines = {"parts": {"file": str(file)}}, {"belt": {**_BELT, "tiles": {}}}
    agent = build_agent(config(tmp_path, models=models, pipelines=pipelines), publish=False)
    agent.start()
    wait_until(lambda: agent.metrics["belt"].counts.inferred > 0, LIMIT)
    agent.stop()
    said = "pipeline belt: tiles are of no use: only detections can be joined, and"
    assert any(message.startswith(said) for message in caplog.messages)


_BELT: dict[str, Any] = {"source": "clip", "model": "parts"}
