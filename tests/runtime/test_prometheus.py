"""What Prometheus fetches."""

from __future__ import annotations

import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from edge_agent.config.schema import PrometheusConfig
from edge_agent.errors import ConfigError
from edge_agent.mqtt.broker import free_port
from edge_agent.runtime.metrics import BUCKETS_MS, Samples
from edge_agent.runtime.wire import build_agent
from tests.support.agent import belt_config
from tests.support.configs import good
from tests.support.runtime import Rig, cat
from tests.support.samples import HEALTH

prometheus = pytest.importorskip("edge_agent.runtime.prometheus")
parser = pytest.importorskip("prometheus_client.parser")


def fetched(port: int) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample by its name and the values of its labels, in the order of their names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_numbers_of_a_device_and_a_pipeline() -> None:
    """Counters of frames, histograms in seconds, what the device cannot tell is left out."""
    rig = Rig().begin()
    for _ in range(3):
        rig.see(cat())
    port = free_port()
    exporter = prometheus.PrometheusExporter(
        "127.0.0.1", port, lambda: HEALTH, lambda: [rig.pipeline]
    )
    exporter.start()
    try:
        found = fetched(port)
    finally:
        exporter.stop()
        exporter.stop()
    assert found["edge_agent_frames_total", ("inferred", "p")] == 3
    assert found["edge_agent_pipeline_online", ("p",)] == 1
    assert found["edge_agent_outbox_messages", ()] == 3
    assert found["edge_agent_lost_messages_total", ("event_full",)] == 1
    assert found["edge_agent_cpu_temperature_celsius", ()] == 48.26
    assert ("edge_agent_throttled", ()) not in found
    assert found["edge_agent_stage_seconds_count", ("p", "infer")] == 3
    assert found["edge_agent_stage_seconds_bucket", ("0.002", "p", "infer")] == 3
    assert found["edge_agent_stage_seconds_bucket", ("0.001", "p", "infer")] == 0
    assert found["edge_agent_stage_seconds_sum", ("p", "infer")] == pytest.approx(0.006)


def test_a_port_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the agent goes on without."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        exporter = prometheus.PrometheusExporter("127.0.0.1", port, lambda: HEALTH, list)
        exporter.start()
        exporter.stop()
    assert "set prometheus.port" in caplog.text


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that asks for it gets one line that says what to install."""
    monkeypatch.delitem(sys.modules, "edge_agent.runtime.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    config = good(tmp_path, json.dumps({**belt_config(1), "prometheus": {}}))
    assert config.prometheus == PrometheusConfig()
    with pytest.raises(ConfigError, match="pip install prometheus-client"):
        build_agent(config)


def test_every_latency_is_in_the_histogram() -> None:
    """Also those beyond its last bound, and those that the percentiles have forgotten."""
    samples = Samples()
    for _ in range(1000):
        samples.add(1.0)
    samples.add(6000.0)
    counts, total = samples.histogram()
    assert counts == [1000] * len(BUCKETS_MS) + [1001]
    assert total == 7000.0
