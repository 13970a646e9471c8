"""Numbers for Prometheus, at an address of their own; needs the extra `prometheus`.

Names and units follow Prometheus' "Metric and label naming": seconds, bytes, totals.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from edge_agent.mqtt.device_payloads import Health
from edge_agent.runtime.metrics import BUCKETS_MS
from edge_agent.runtime.pipeline import Pipeline

_log = logging.getLogger(__name__)

_OUTCOMES = ("taken", "gated", "dropped", "inferred", "errors", "restarts")


class PrometheusExporter(Collector):
    """Serves /metrics at an address; `health` and `pipelines` are asked anew each time."""

    def __init__(
        self,
        address: str,
        port: int,
        health: Callable[[], Health],
        pipelines: Callable[[], Sequence[Pipeline]],
    ) -> None:
        self._where = (address, port)
        self._health = health
        self._pipelines = pipelines
        self._end: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Listen, in the background; a port that is taken is told, and no reason to end."""
        address, port = self._where
        registry = CollectorRegistry()
        registry.register(self)
        try:
            server, _ = start_http_server(port, address, registry)
        except OSError as error:
            where = f"{address}:{port}"
            _log.error(
                "prometheus cannot listen at %s: %s (set prometheus.port)", where, error.strerror
            )
            return

        def end() -> None:
            server.shutdown()
            server.server_close()

        self._end = end

    def stop(self) -> None:
        """End; safe without `start` and twice."""
        end, self._end = self._end, lambda: None
        end()

    def collect(self) -> Iterator[Metric]:
        """Every number, as Prometheus asks for them."""
        yield from _of_device(self._health())
        yield from _of_pipelines(self._pipelines())


def _of_device(health: Health) -> Iterator[Metric]:
    gauges = {
        "uptime_seconds": (health.uptime, "Since the start of the agent."),
        "outbox_messages": (health.outbox_depth, "Messages that the broker does not have yet."),
        "resident_memory_bytes": (health.rss_bytes, "Memory of the agent that is in RAM."),
        "frames_per_inference": (health.divisor, "One of so many frames is inferred."),
        "cpu_temperature_celsius": (health.cpu_temperature, "Temperature of the processor."),
        "throttled": (health.throttled, "Whether heat or low voltage slows the processor."),
    }
    for name, (value, text) in gauges.items():
        if value is not None:
            yield GaugeMetricFamily(f"edge_agent_{name}", text, float(value))
    yield CounterMetricFamily(
        "edge_agent_mqtt_connections", "Connections to the broker.", health.connects
    )
    drops = CounterMetricFamily(
        "edge_agent_lost_messages", "Messages that the outbox lost.", labels=["reason"]
    )
    for reason, count in health.drops.items():
        drops.add_metric([reason], count)
    yield drops


def _of_pipelines(pipelines: Sequence[Pipeline]) -> Iterator[Metric]:
    online = GaugeMetricFamily(
        "edge_agent_pipeline_online", "Whether source and model work.", labels=["pipeline"]
    )
    frames = CounterMetricFamily(
        "edge_agent_frames", "Frames by what became of them.", labels=["pipeline", "outcome"]
    )
    latency = HistogramMetricFamily(
        "edge_agent_stage_seconds", "How long a stage takes.", labels=["pipeline", "stage"]
    )
    for pipeline in pipelines:
        online.add_metric([pipeline.name], float(pipeline.status.online))
        for outcome in _OUTCOMES:
            count = getattr(pipeline.metrics.counts, outcome)
            frames.add_metric([pipeline.name, outcome], count)
        for stage, samples in pipeline.metrics.latency.items():
            counts, total_ms = samples.histogram()
            bounds = [*(f"{bound / 1e3:g}" for bound in BUCKETS_MS), "+Inf"]
            buckets = list(zip(bounds, map(float, counts), strict=True))
            latency.add_metric([pipeline.name, stage], buckets, total_ms / 1e3)
    yield from (online, frames, latency)
