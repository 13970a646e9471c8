"""Sources that share a model which remembers: each is heard alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, memory_graph, write_model

RATE, COUNT = 50, 60
LEVELS: Mapping[str, list[float]] = {
    "high": [3.0, 3.0],
    "low": [-3.0, -3.0],
    "broken": [3.0, math.nan],
}
MODELS: Mapping[str, dict[str, Any]] = {
    "tflite": {"engine": "tflite"},
    "numpy": {"engine": "numpy"},
    "anew": {"state": {}},
}


@pytest.fixture
def config(tmp_path: Path, broker: Mosquitto) -> dict[str, Any]:
    """Each source through each model: the logistic of a number and the one before it."""
    graph = memory_graph()
    tensors = [*graph.tensors, TensorDef("word", (1, 1))]
    path = write_model(
        tmp_path / "word.tflite",
        GraphDef(tensors, [*graph.operators, OpDef("LOGISTIC", (4,), (5,))], (0,), (5,)),
    )
    for name, levels in LEVELS.items():
        np.save(
            tmp_path / f"{name}.npy", np.tile(np.array(levels, np.float32), COUNT // 2)[:, None]
        )
    one = {"window": {"length": 1, "hop": 1}, "track": {"hits": 1, "of": 1}, "threshold": 0.99}
    return {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "models": {name: {"file": str(path), **more} for name, more in MODELS.items()},
        "sources": {
            name: {"type": "csv", "file": str(tmp_path / f"{name}.npy"), "rate": RATE}
            for name in LEVELS
        },
        "pipelines": {
            f"{model}-{name}": {"source": name, "model": model, **one}
            for model in MODELS
            for name in LEVELS
        },
    }


def test_streams_of_one_model(
    tmp_path: Path, config: dict[str, Any], subscriber: Subscriber
) -> None:
    """Two high numbers are the word, in both engines, whatever the other source says between.

    A model that begins anew with each number never hears two, and no model does where every other
    number is missing.
    """
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = {name: events(subscriber, name) for name in config["pipelines"]}
    heard = {name: [(e["type"], e["kind"]) for e in found] for name, found in told.items() if found}
    word = [("new", "keyword"), ("end", "keyword")]
    assert heard == {"tflite-high": word, "numpy-high": word}
    assert told["numpy-high"][0]["score"] == pytest.approx(1 / (1 + np.exp(-6)), abs=1e-3)
