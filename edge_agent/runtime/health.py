"""How the agent does, in numbers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.device_payloads import Health, Latency, PartHealth, PipelineHealth, State
from edge_agent.outbox.base import Outbox
from edge_agent.runtime.governor import Governor
from edge_agent.runtime.metrics import RateMeter
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.status import STARTING
from edge_agent.runtime.system import cpu_temperature, rss_bytes, throttled


class HealthReport:
    """Takes the health of all pipelines; rates are over the time since it was last taken."""

    def __init__(
        self,
        device: str,
        pipelines: Sequence[Pipeline],
        outbox: Outbox,
        client: MqttClient | None,
        governor: Governor,
    ) -> None:
        self._device = device
        self._started = time.monotonic()
        self._meters: dict[str, tuple[Pipeline, RateMeter]] = {}
        self.watch(pipelines)
        self._outbox = outbox
        self._client = client
        self._governor = governor

    def watch(self, pipelines: Sequence[Pipeline]) -> None:
        """Report on these from now on; the rates of those that stay go on."""
        self._meters = {each.name: (each, self._meter(each)) for each in pipelines}

    def _meter(self, pipeline: Pipeline) -> RateMeter:
        before = self._meters.get(pipeline.name)
        return before[1] if before else RateMeter(pipeline.metrics.started)

    def take(self) -> Health:
        """The health now."""
        pipelines = {
            name: _pipeline_health(pipeline, meter)
            for name, (pipeline, meter) in self._meters.items()
        }
        return replace(self.device(), pipelines=pipelines)

    def device(self) -> Health:
        """The health of the device alone, without a look at the pipelines."""
        return Health(
            device=self._device,
            time=time.time(),
            uptime=time.monotonic() - self._started,
            pipelines={},
            outbox_depth=self._outbox.depth,
            drops=self._outbox.drops,
            connects=self._client.state.connects if self._client is not None else 0,
            cpu_temperature=cpu_temperature(),
            throttled=throttled(),
            rss_bytes=rss_bytes(),
            divisor=self._governor.verdict.divisor,
            slowed_by=self._governor.verdict.reason,
            refused=self._client.refused if self._client is not None else (),
        )


def _pipeline_health(pipeline: Pipeline, meter: RateMeter) -> PipelineHealth:
    counts = pipeline.metrics.counts
    rates = meter.rates(
        {"in": counts.taken, "inferred": counts.inferred, "dropped": counts.dropped}
    )
    return PipelineHealth(
        state=_state(pipeline),
        reason=pipeline.status.reason,
        fps_in=rates["in"],
        fps_inferred=rates["inferred"],
        fps_dropped=rates["dropped"],
        latency_ms={
            stage: Latency(**percentiles)
            for stage, samples in pipeline.metrics.latency.items()
            if (percentiles := samples.percentiles())
        },
        restarts=counts.restarts,
        refine={
            model: PartHealth(_word(reason), reason)
            for model, reason in pipeline.refinement.reasons().items()
        },
    )


def _state(pipeline: Pipeline) -> State:
    return "online" if pipeline.status.online else _word(pipeline.status.reason)


def _word(reason: str) -> State:
    """How something is whose reason not to work that is; empty where it works."""
    if not reason:
        return "online"
    return "starting" if reason == STARTING else "offline"
