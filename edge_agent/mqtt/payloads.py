"""What subscribers read: each payload as JSON, with its JSON Schema in the package.

Numbers are rounded to what they are worth, and a number that is not finite never gets out: it
becomes null where the schema allows null, else 0. Fields may be added within a version; a field
that goes or changes its meaning makes a new version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Literal

from edge_agent.event import Event, ModelRef, ModelStep
from edge_agent.geometry import Box, Point
from edge_agent.result import ClassArea, ClassScore, Detection, Keypoint, Reading

EVENT_SCHEMA = "edge-agent/event/1"
DETECTIONS_SCHEMA = "edge-agent/detections/1"
INFO_SCHEMA = "edge-agent/info/1"
HEALTH_SCHEMA = "edge-agent/health/1"
ANSWER_SCHEMA = "edge-agent/answer/1"
READING_SCHEMA = "edge-agent/reading/1"
MODEL_SCHEMA = "edge-agent/model/1"

SCHEMAS = ("event", "detections", "reading", "info", "health", "answer", "model")
"""Names of the payloads that have a JSON Schema."""


def load_schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a payload; raises KeyError for a name not in SCHEMAS."""
    if name not in SCHEMAS:
        raise KeyError(name)
    text = files("edge_agent.mqtt").joinpath("schemas", f"{name}.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@dataclass(frozen=True, slots=True)
class FrameResults:
    """What a model found in one frame; `frame` counts the source's frames, `time` is epoch s.

    `regions` are the boxes in which the motion gate saw something move. `readings` is what other
    sources measured then, as in an event.
    """

    device: str
    pipeline: str
    frame: int
    time: float
    media_time: float | None
    size: tuple[int, int]
    results: Sequence[Detection | ClassScore | ClassArea]
    regions: Sequence[Box]
    latency_ms: Mapping[str, float]
    model: ModelRef
    readings: Mapping[str, float | None] | None = None


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


_MOST_TOPICS = 20


def event_payload(event: Event, seq: int, replayed: bool = False) -> bytes:
    """An event with its number; `replayed` marks one that was held back while offline."""
    return _json(
        {
            "schema": EVENT_SCHEMA,
            "id": event.id,
            "seq": seq,
            "device": event.device,
            "pipeline": event.pipeline,
            "type": event.type,
            "kind": event.kind,
            "track": event.track,
            "label": event.label,
            "score": _number(event.score, 4),
            "top_score": _number(event.top_score, 4),
            "box": _box(event.box),
            "zones": event.zones,
            "entered_zones": event.entered_zones,
            "time": _number(event.time, 6),
            "start_time": _number(event.start_time, 6),
            "end_time": _optional(event.end_time, 6),
            "media_time": _optional(event.media_time, 6),
            "clock": {
                "boot_id": event.clock.boot_id,
                "monotonic_ns": event.clock.monotonic_ns,
                "synchronized": event.clock.synchronized,
            },
            "latency_ms": _numbers(event.latency_ms, 3),
            "model": _model(event.model),
            "loitering": event.loitering,
            "stationary": event.stationary,
            "changes": event.changes,
            "sublabel": event.sublabel,
            "sublabel_score": _optional(event.sublabel_score, 4),
            **_readings(event.readings),
            "replayed": replayed,  # last: as_replayed() finds it there
        }
    )


_FRESH, _REPLAYED = (b'"replayed":%b}' % word for word in (b"false", b"true"))


def as_replayed(payload: bytes) -> bytes:
    """An event's payload marked as held back, all else as it was; others are left as they are."""
    kept = payload.removesuffix(_FRESH)
    return payload if len(kept) == len(payload) else kept + _REPLAYED


def detections_payload(found: FrameResults) -> bytes:
    """Everything found in one frame, also when that is nothing."""
    return _json(
        {
            "schema": DETECTIONS_SCHEMA,
            "device": found.device,
            "pipeline": found.pipeline,
            "frame": found.frame,
            "time": _number(found.time, 6),
            "media_time": _optional(found.media_time, 6),
            "size": found.size,
            "results": [_result(result) for result in found.results],
            "regions": [_box(region) for region in found.regions],
            "latency_ms": _numbers(found.latency_ms, 3),
            "model": _model(found.model),
            **_readings(found.readings),
        }
    )


def reading_payload(device: str, pipeline: str, reading: Reading, time: float) -> bytes:
    """The newest number of a pipeline, to six digits."""
    limit = None if reading.limit is None else _digits(reading.limit)
    return _json(
        {
            "schema": READING_SCHEMA,
            "device": device,
            "pipeline": pipeline,
            "time": _number(time, 6),
            "value": _digits(reading.value),
            "unit": reading.unit or None,
            "state": reading.state,
            "score": _number(reading.score, 4),
            "limit": limit,
        }
    )


def model_payload(device: str, step: ModelStep) -> bytes:
    """A step of a model that is to take another's place."""
    return _json(
        {
            "schema": MODEL_SCHEMA,
            "device": device,
            "model": step.model,
            "stage": step.stage,
            "sha256": step.sha256,
            "version": step.version,
            "before": step.before or None,
            "reason": step.reason or None,
            "time": _number(step.time, 3),
            "replayed": False,  # last: as_replayed() finds it there
        }
    )


def info_payload(info: Info) -> bytes:
    """What the device runs."""
    return _json(
        {
            "schema": INFO_SCHEMA,
            "device": info.device,
            "version": info.version,
            "boot_id": info.boot_id,
            "started": _number(info.started, 3),
            "pipelines": {
                name: {"source": pipeline.source, "model": pipeline.model}
                for name, pipeline in info.pipelines.items()
            },
            "models": [_model(model) for model in info.models],
            "schemas": {
                "event": EVENT_SCHEMA,
                "detections": DETECTIONS_SCHEMA,
                "health": HEALTH_SCHEMA,
                "answer": ANSWER_SCHEMA,
            },
        }
    )


def answer_payload(
    device: str, command: str, time: float, error: str, result: Mapping[str, Any]
) -> bytes:
    """The answer to a command; `error` is empty when it was carried out."""
    return _json(
        {
            "schema": ANSWER_SCHEMA,
            "device": device,
            "command": command,
            "time": _number(time, 6),
            "ok": not error,
            "error": error or None,
            "result": dict(result),
        }
    )


def health_payload(health: Health) -> bytes:
    """How the device does."""
    return _json(
        {
            "schema": HEALTH_SCHEMA,
            "device": health.device,
            "time": _number(health.time, 3),
            "uptime": _number(health.uptime, 1),
            "pipelines": {
                name: _pipeline_health(pipeline) for name, pipeline in health.pipelines.items()
            },
            "outbox": {"depth": health.outbox_depth, "drops": dict(health.drops)},
            "mqtt": {"connects": health.connects, "refused": list(health.refused[:_MOST_TOPICS])},
            "governor": {"divisor": health.divisor, "reason": health.slowed_by},
            "cpu_temperature": _optional(health.cpu_temperature, 1),
            "throttled": health.throttled,
            "rss_bytes": health.rss_bytes,
        }
    )


def _pipeline_health(health: PipelineHealth) -> dict[str, Any]:
    return {
        "state": health.state,
        "reason": health.reason,
        "fps": {
            "in": _number(health.fps_in, 2),
            "inferred": _number(health.fps_inferred, 2),
            "dropped": _number(health.fps_dropped, 2),
        },
        "latency_ms": {
            stage: {"p50": _number(latency.p50, 3), "p99": _number(latency.p99, 3)}
            for stage, latency in health.latency_ms.items()
        },
        "restarts": health.restarts,
        "refine": {
            name: {"state": part.state, "reason": part.reason}
            for name, part in health.refine.items()
        },
    }


def _result(result: Detection | ClassScore | ClassArea) -> dict[str, Any]:
    box = _box(result.box) if isinstance(result, Detection) else None
    told: dict[str, Any] = {"label": result.label, "score": _number(result.score, 4), "box": box}
    if isinstance(result, ClassArea):
        told["area"] = _number(result.area, 5)
        told["polygons"] = _lines(result.polygons)
    if isinstance(result, Detection) and result.keypoints:
        told["keypoints"] = [_keypoint(each) for each in result.keypoints]
    if isinstance(result, Detection) and result.polygons:
        told["polygons"] = _lines(result.polygons)
    if isinstance(result, Detection) and result.sublabel is not None:
        told["sublabel"] = result.sublabel
        told["sublabel_score"] = _optional(result.sublabel_score, 4)
    return told


def _lines(polygons: Sequence[Sequence[Point]]) -> list[list[list[float]]]:
    return [[[_number(side, 5) for side in point] for point in line] for line in polygons]


def _keypoint(point: Keypoint) -> dict[str, Any]:
    x, y, score = (_number(each, 5) for each in (point.x, point.y, point.score))
    return {"name": point.name, "x": x, "y": y, "score": score}


def _model(model: ModelRef) -> dict[str, str]:
    return {"name": model.name, "sha256": model.sha256, "engine": model.engine}


def _box(box: Box | None) -> list[float] | None:
    return None if box is None else [_number(min(max(side, 0.0), 1.0), 5) for side in box]


def _numbers(values: Mapping[str, float], digits: int) -> dict[str, float]:
    return {name: _number(value, digits) for name, value in values.items()}


def _readings(readings: Mapping[str, float | None] | None) -> dict[str, Any]:
    """The field of what was measured; left out where nobody measures."""
    if readings is None:
        return {}
    numbers = {
        name: None if value is None or not math.isfinite(value) else _digits(value)
        for name, value in readings.items()
    }
    return {"readings": numbers}


def _number(value: float, digits: int) -> float:
    # float() first: NumPy's float32 would print with all its digits, or not at all.
    value = float(value)
    return round(value, digits) if math.isfinite(value) else 0.0


def _digits(value: float) -> float:
    """To six digits that count, since a reading may be very small; 0 for what is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0


def _optional(value: float | None, digits: int) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _json(payload: dict[str, Any]) -> bytes:
    # A label may carry half a surrogate pair from a broken model file; UTF-8 cannot.
    return _encode(payload).encode("utf-8", errors="replace")
