"""What subscribers read: each payload as JSON, with its JSON Schema in the package.

Numbers are rounded to what they are worth, and a number that is not finite never gets out: it
becomes null where the schema allows null, else 0. Fields may be added within a version; a field
that goes or changes its meaning makes a new version.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from edge_agent.event import Event, ModelRef
from edge_agent.geometry import Box, Point
from edge_agent.mqtt.encoding import digits, model_values, number, numbers, optional, to_json
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


def event_payload(event: Event, seq: int, replayed: bool = False) -> bytes:
    """An event with its number; `replayed` marks one that was held back while offline."""
    return to_json(
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
            "score": number(event.score, 4),
            "top_score": number(event.top_score, 4),
            "box": _box(event.box),
            "zones": event.zones,
            "entered_zones": event.entered_zones,
            "time": number(event.time, 6),
            "start_time": number(event.start_time, 6),
            "end_time": optional(event.end_time, 6),
            "media_time": optional(event.media_time, 6),
            "clock": {
                "boot_id": event.clock.boot_id,
                "monotonic_ns": event.clock.monotonic_ns,
                "synchronized": event.clock.synchronized,
            },
            "latency_ms": numbers(event.latency_ms, 3),
            "model": model_values(event.model),
            "loitering": event.loitering,
            "stationary": event.stationary,
            "changes": event.changes,
            "sublabel": event.sublabel,
            "sublabel_score": optional(event.sublabel_score, 4),
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
    return to_json(
        {
            "schema": DETECTIONS_SCHEMA,
            "device": found.device,
            "pipeline": found.pipeline,
            "frame": found.frame,
            "time": number(found.time, 6),
            "media_time": optional(found.media_time, 6),
            "size": found.size,
            "results": [_result(result) for result in found.results],
            "regions": [_box(region) for region in found.regions],
            "latency_ms": numbers(found.latency_ms, 3),
            "model": model_values(found.model),
            **_readings(found.readings),
        }
    )


def reading_payload(device: str, pipeline: str, reading: Reading, time: float) -> bytes:
    """The newest number of a pipeline, to six digits."""
    limit = None if reading.limit is None else digits(reading.limit)
    return to_json(
        {
            "schema": READING_SCHEMA,
            "device": device,
            "pipeline": pipeline,
            "time": number(time, 6),
            "value": digits(reading.value),
            "unit": reading.unit or None,
            "state": reading.state,
            "score": number(reading.score, 4),
            "limit": limit,
        }
    )


def _result(result: Detection | ClassScore | ClassArea) -> dict[str, Any]:
    box = _box(result.box) if isinstance(result, Detection) else None
    told: dict[str, Any] = {"label": result.label, "score": number(result.score, 4), "box": box}
    if isinstance(result, ClassArea):
        told["area"] = number(result.area, 5)
        told["polygons"] = _lines(result.polygons)
    if isinstance(result, Detection) and result.keypoints:
        told["keypoints"] = [_keypoint(each) for each in result.keypoints]
    if isinstance(result, Detection) and result.polygons:
        told["polygons"] = _lines(result.polygons)
    if isinstance(result, Detection) and result.sublabel is not None:
        told["sublabel"] = result.sublabel
        told["sublabel_score"] = optional(result.sublabel_score, 4)
    return told


def _lines(polygons: Sequence[Sequence[Point]]) -> list[list[list[float]]]:
    return [[[number(side, 5) for side in point] for point in line] for line in polygons]


def _keypoint(point: Keypoint) -> dict[str, Any]:
    x, y, score = (number(each, 5) for each in (point.x, point.y, point.score))
    return {"name": point.name, "x": x, "y": y, "score": score}


def _box(box: Box | None) -> list[float] | None:
    return None if box is None else [number(min(max(side, 0.0), 1.0), 5) for side in box]


def _readings(readings: Mapping[str, float | None] | None) -> dict[str, Any]:
    """The field of what was measured; left out where nobody measures."""
    if readings is None:
        return {}
    numbers = {
        name: None if value is None or not math.isfinite(value) else digits(value)
        for name, value in readings.items()
    }
    return {"readings": numbers}
