"""Movements of a wrist: a model is trained on 40 recordings in a second, and names 40 others.

BasicMotions: 100 rows of accelerometer and gyroscope at 10 Hz, four students, four movements.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.preprocess.signal import WINDOW_STAGES
from edge_agent.quantize import quantize_layers
from scripts.small_net import Training, train
from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.data import data_file

RATE, LENGTH, CHANNELS = 10.0, 100, 6
LABELS = ("Standing", "Running", "Walking", "Badminton")
STATISTICS = ["mean", "std", "min", "max", "zero_crossing_rate"]

Series = NDArray[np.float32]


def read(name: str) -> tuple[Series, list[str]]:
    """Series x rows x channels, and the label of each, of a .ts file of the UEA archive."""
    lines = data_file(f"sensor/activity/{name}").read_text().partition("@data\n")[2].splitlines()
    cells = [line.rsplit(":", 1) for line in lines]
    rows = [[channel.split(",") for channel in numbers.split(":")] for numbers, _ in cells]
    series = np.array(rows, np.float32).transpose(0, 2, 1)
    assert series.shape == (40, LENGTH, CHANNELS)
    return series, [label for _, label in cells]


def features_for(series: Series) -> dict[str, Any]:
    """What the YAML says of them, with the scaling of the training data."""
    rows = series.reshape(-1, CHANNELS).astype(np.float64)
    scaling = {"mean": rows.mean(axis=0).tolist(), "std": rows.std(axis=0).tolist()}
    return {"z_score": scaling, "statistics": {"features": STATISTICS}}


def applied(features: dict[str, Any], series: Series) -> NDArray[np.float64]:
    """The numbers that the agent makes of each series, a row each."""
    values: NDArray[np.float32] = series
    for name, options in features.items():
        kind = WINDOW_STAGES.load(name)
        stage = kind(kind.Options(**options), RATE, values.shape[1:])
        values = np.stack([stage.apply(window) for window in values])
    return values.reshape(len(series), -1).astype(np.float64)


def make_model(path: Path) -> dict[str, Any]:
    """Train on the 40 series for it and quantise; returns the features that it takes."""
    series, labels = read("BasicMotions_TRAIN.ts")
    features = features_for(series)
    x = applied(features, series)
    y = np.array([LABELS.index(label) for label in labels], np.intp)
    layers = train(x, y, len(LABELS), Training(hidden=0, epochs=300, rate=0.01, decay=0.01))
    quantize_layers(layers, x, labels=LABELS).save(path)
    return features


@pytest.mark.data
def test_movements_are_named(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """38 of 40 series or more, each a window of one recording; each change is an event."""
    features = make_model(tmp_path / "motion.npz")
    series, truth = read("BasicMotions_TEST.ts")
    np.save(tmp_path / "wrist.npy", series.reshape(-1, CHANNELS))
    values = {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "models": {"motion": {"file": str(tmp_path / "motion.npz")}},
        "sources": {
            "wrist": {
                "type": "csv", "file": str(tmp_path / "wrist.npy"), "rate": RATE, "pace": "fast",
            }
        },
        "pipelines": {
            "motion": {
                "source": "wrist",
                "window": {"length": LENGTH},
                "features": features,
                "model": "motion",
                "track": {"hits": 1, "of": 1, "lost": "1s"},  # windows end 10 s apart
                "publish": {"detections": True},
            }
        },
    }  # fmt: skip
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    found = [json.loads(each) for each in subscriber.of(f"{BASE}/motion/detections")]
    ends = [10.0 * number + 9.9 for number in range(len(truth))]
    assert [each["media_time"] for each in found] == pytest.approx(ends)
    told = [each["results"][0]["label"] for each in found]
    right = sum(label == true for label, true in zip(told, truth, strict=True))
    assert right / len(truth) >= 0.95, told
    begun = [event for event in events(subscriber, "motion") if event["type"] == "new"]
    assert {event["kind"] for event in begun} == {"class"}
    assert [event["label"] for event in begun] == [label for label, _ in groupby(told)]
