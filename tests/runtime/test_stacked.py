"""A recording whose windows come stacked tells the same as one by one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.config.load import config_from_values
from edge_agent.runtime import maker, stages
from edge_agent.runtime.inbox import Inbox, Job
from edge_agent.runtime.wire import build_agent
from tests.support.runtime import Told

SPIKES: Mapping[str, Any] = {"hits": 1, "of": 1, "lost": "1s"}
OF_RUNS = {"latency_ms", "clock", "id"}


def recording(file: Path, rows: int) -> None:
    """A signal at 10 Hz since 2026 with spikes, slopes, numbers that are missing, and a gap."""
    dice = np.random.default_rng(rows)
    values = dice.normal(0.0, 1.0, rows) + 40.0 * (dice.random(rows) < 0.01)
    values += 10.0 * np.maximum(0.0, np.arange(rows) % 200 - 195.0)
    times = 1_780_000_000 + np.arange(rows) / 10.0 + 60.0 * (np.arange(rows) > rows // 2)
    values[dice.random(rows) < 0.02] = np.nan
    lines = (f"{at:.1f},{value:.4f}" for at, value in zip(times, values, strict=True))
    file.write_text("\n".join(["time,x", *lines]))


class Noting(Inbox):
    """One that notes how many windows come at once."""

    most = 0

    def append(self, job: Job) -> None:
        """Note it and put it in."""
        Noting.most = max(Noting.most, job.frame.count)
        super().append(job)


def ran(file: Path, stacked: bool, pipeline: Mapping[str, Any], **options: Any) -> tuple[Any, ...]:
    """Counts, events and readings of the recording, and the topics of all that was told."""
    source = {"type": "csv", "file": str(file), "pace": "fast", "missing": "nan", **options}
    if "stream" in pipeline:
        source["rate"] = "10"
    values = {"sources": {"s": source}, "pipelines": {"p": {"source": "s", **pipeline}}}
    outbox, Noting.most = Told(), 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maker, "Inbox", Noting)
        if not stacked:
            patch.setattr(stages, "_may_stack", lambda *_: False)
        config = config_from_values({"agent": {"name": "dev"}, **values}, Path())
        agent = build_agent(config, outbox, publish=False)
    agent.run(threading.Event())
    metrics = agent.pipelines[0].metrics
    assert metrics.counts.errors == 0
    events = [{k: v for k, v in e.items() if k not in OF_RUNS} for e in outbox.events()]
    histograms = [samples.histogram()[0][-1] for samples in metrics.latency.values()]
    topics = [message.topic for message in outbox.messages if "/p/" in message.topic]
    return (metrics.counts, histograms), events, outbox.json("p/reading"), topics


@pytest.mark.parametrize("rows", [3, 900])
@pytest.mark.parametrize(
    "pipeline",
    [
        {"anomaly": {"history": 50}},
        {"anomaly": {"history": 50}, "threshold": 0.7},
        {"anomaly": {"history": 50, "average": 2}, "window": {"length": 4, "hop": 3}},
        {"anomaly": {"history": 16, "limit": 3}, "publish": {"reading_every": "1s"}},
        {
            "anomaly": {"history": 50},
            "window": {"length": 8, "hop": 1, "pad": "edge"},
            "features": {"difference": {}},
            "stream": {"difference": {}},
        },
    ],
)
def test_the_same_is_told(tmp_path: Path, rows: int, pipeline: dict[str, Any]) -> None:
    """Events, readings, counts and what the health says of each frame, message by message."""
    recording(tmp_path / "s.csv", rows)
    together = ran(tmp_path / "s.csv", True, {"track": SPIKES, **pipeline})
    assert rows < 100 or Noting.most > 100
    alone = ran(tmp_path / "s.csv", False, {"track": SPIKES, **pipeline})
    assert Noting.most <= 1
    assert together == alone
    assert rows < 100 or together[1]


@pytest.mark.parametrize(
    "pipeline",
    [
        {"anomaly": {}, "publish": {"detections": True}},
        {"anomaly": {}, "gate": {"rate": {"fps": 1}}},
        {"reading": {}},
    ],
)
def test_where_each_is_wanted(tmp_path: Path, pipeline: dict[str, Any]) -> None:
    """Each window comes by itself where each is published, or may be held back."""
    recording(tmp_path / "s.csv", 300)
    (counts, _), *_ = ran(tmp_path / "s.csv", True, pipeline)
    assert counts.inferred + counts.gated > 200
    assert Noting.most == 1


def test_a_live_source(tmp_path: Path) -> None:
    """At its own pace each window comes when its time has come."""
    np.save(tmp_path / "s.npy", np.zeros((300, 1), np.float32))
    assert ran(tmp_path / "s.npy", True, {"anomaly": {}}, pace="real", rate=1000)[0][0].taken == 300
    assert Noting.most <= 1
