"""What subscribers read of the device itself: what it runs, how it does, what it was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from edge_agent.event import ModelRef, ModelStep
from edge_agent.mqtt.encoding import model_values, number, optional, to_json
from edge_agent.mqtt.payloads import (
    ANSWER_SCHEMA,
    DETECTIONS_SCHEMA,
    EVENT_SCHEMA,
    HEALTH_SCHEMA,
    INFO_SCHEMA,
    MODEL_SCHEMA,
    READING_SCHEMA,
)

_MOST_TOPICS = 20


@dataclass(frozen=True, slots=True)
class PipelineInfo:
    """What a pipeline is made of, by the names in the configuration."""

    source: str
    model: str


@dataclass(frozen=True, slots=True)
class Info:
    """What a device runs; `started` is epoch seconds, `pipelines` are by name."""

    device: str
    version: str
    boot_id: str
    started: float
    pipelines: Mapping[str, PipelineInfo]
    models: Sequence[ModelRef]


@dataclass(frozen=True, slots=True)
class Latency:
    """How long a stage takes, in milliseconds: half of the frames less, and all but 1 %."""

    p50: float
    p99: float


State = Literal["starting", "online", "offline"]


@dataclass(frozen=True, slots=True)
class PartHealth:
    """How a part does that a pipeline can do without; `reason` tells why it is not online."""

    state: State
    reason: str


@dataclass(frozen=True, slots=True)
class PipelineHealth:
    """How a pipeline does; `reason` tells why it is not online, else it is empty.

    Rates are frames per second over the last period, `latency_ms` is by stage name, `refine` by
    second model.
    """

    state: State
    reason: str
    fps_in: float
    fps_inferred: float
    fps_dropped: float
    latency_ms: Mapping[str, Latency]
    restarts: int = 0
    refine: Mapping[str, PartHealth] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """How a device does; None where this machine cannot tell. Times in seconds, epoch for `time`.

    `drops` are the outbox's, by kind and reason; `connects` counts connections to the broker,
    `refused` are topics that its access rules do not let us write. One of `divisor` frames is
    inferred, because of `slowed_by`.
    """

    device: str
    time: float
    uptime: float
    pipelines: Mapping[str, PipelineHealth]
    outbox_depth: int
    drops: Mapping[str, int]
    connects: int
    cpu_temperature: float | None
    throttled: bool | None
    rss_bytes: int
    refused: Sequence[str] = ()
    divisor: int = 1
    slowed_by: str = ""


def model_payload(device: str, step: ModelStep) -> bytes:
    """A step of a model that is to take another's place."""
    return to_json(
        {
            "schema": MODEL_SCHEMA,
            "device": device,
            "model": step.model,
            "stage": step.stage,
            "sha256": step.sha256,
            "version": step.version,
            "before": step.before or None,
            "reason": step.reason or None,
            "time": number(step.time, 3),
            "replayed": False,  # last: as_replayed() finds it there
        }
    )


def info_payload(info: Info) -> bytes:
    """What the device runs."""
    return to_json(
        {
            "schema": INFO_SCHEMA,
            "device": info.device,
            "version": info.version,
            "boot_id": info.boot_id,
            "started": number(info.started, 3),
            "pipelines": {
                name: {"source": pipeline.source, "model": pipeline.model}
                for name, pipeline in info.pipelines.items()
            },
            "models": [model_values(model) for model in info.models],
            "schemas": {
                "event": EVENT_SCHEMA,
                "detections": DETECTIONS_SCHEMA,
                "reading": READING_SCHEMA,
                "health": HEALTH_SCHEMA,
                "model": MODEL_SCHEMA,
                "answer": ANSWER_SCHEMA,
            },
        }
    )


def answer_payload(
    device: str, command: str, time: float, error: str, result: Mapping[str, Any]
) -> bytes:
    """The answer to a command; `error` is empty when it was carried out."""
    return to_json(
        {
            "schema": ANSWER_SCHEMA,
            "device": device,
            "command": command,
            "time": number(time, 6),
            "ok": not error,
            "error": error or None,
            "result": dict(result),
        }
    )


def health_payload(health: Health) -> bytes:
    """How the device does."""
    return to_json(
        {
            "schema": HEALTH_SCHEMA,
            "device": health.device,
            "time": number(health.time, 3),
            "uptime": number(health.uptime, 1),
            "pipelines": {
                name: _pipeline_health(pipeline) for name, pipeline in health.pipelines.items()
            },
            "outbox": {"depth": health.outbox_depth, "drops": dict(health.drops)},
            "mqtt": {"connects": health.connects, "refused": list(health.refused[:_MOST_TOPICS])},
            "governor": {"divisor": health.divisor, "reason": health.slowed_by},
            "cpu_temperature": optional(health.cpu_temperature, 1),
            "throttled": health.throttled,
            "rss_bytes": health.rss_bytes,
        }
    )


def _pipeline_health(health: PipelineHealth) -> dict[str, Any]:
    return {
        "state": health.state,
        "reason": health.reason,
        "fps": {
            "in": number(health.fps_in, 2),
            "inferred": number(health.fps_inferred, 2),
            "dropped": number(health.fps_dropped, 2),
        },
        "latency_ms": {
            stage: {"p50": number(latency.p50, 3), "p99": number(latency.p99, 3)}
            for stage, latency in health.latency_ms.items()
        },
        "restarts": health.restarts,
        "refine": {
            name: {"state": part.state, "reason": part.reason}
            for name, part in health.refine.items()
        },
    }
