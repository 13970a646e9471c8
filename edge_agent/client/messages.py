"""What a subscriber gets: the payloads as frozen dataclasses, field by field as in the JSON.

Times are epoch seconds, boxes x1, y1, x2, y2 as fractions of the source frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge_agent.event import Event, ModelRef
from edge_agent.geometry import Box, Point
from edge_agent.mqtt.device_payloads import PartHealth, PipelineInfo
from edge_agent.result import Keypoint


@dataclass(frozen=True, slots=True)
class ReceivedEvent(Event):
    """An event as it arrived.

    `seq` rises by one per event of the device. `replayed` marks one that was held back while the
    broker or the agent was away: act on its `time`, not on its arrival.
    """

    seq: int
    replayed: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A detection, or with `box` None a class of the whole frame.

    `keypoints` are the points of the body, where the model finds them; `area` is the part of the
    frame that a class takes, `polygons` are its outlines or those of an object's mask, where the
    model tells them; `sublabel` is what a second model names it.
    """

    label: str
    score: float
    box: Box | None
    keypoints: tuple[Keypoint, ...] = ()
    area: float | None = None
    polygons: tuple[tuple[Point, ...], ...] = ()
    sublabel: str | None = None
    sublabel_score: float | None = None


@dataclass(frozen=True, slots=True)
class Detections:
    """Everything found in one frame; `size` is its width and height in pixels.

    `readings` is as in an event.
    """

    device: str
    pipeline: str
    frame: int
    time: float
    media_time: float | None
    size: tuple[int, int]
    results: tuple[Found, ...]
    regions: tuple[Box, ...]
    latency_ms: dict[str, float]
    model: ModelRef
    readings: dict[str, float | None] | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What a device runs; `schemas` are the names of its other payloads with their versions."""

    device: str
    version: str
    boot_id: str
    started: float
    pipelines: dict[str, PipelineInfo]
    models: tuple[ModelRef, ...]
    schemas: dict[str, str]


@dataclass(frozen=True, slots=True)
class PipelineHealth:
    """How a pipeline does; `fps` is by "in", "inferred" and "dropped".

    `latency_ms` is by stage, each with "p50" and "p99"; `refine` by second model.
    """

    state: Literal["starting", "online", "offline"]
    reason: str
    fps: dict[str, float]
    latency_ms: dict[str, dict[str, float]]
    restarts: int
    refine: dict[str, PartHealth] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxHealth:
    """What waits for the broker, and what was lost by kind and reason."""

    depth: int
    drops: dict[str, int]


@dataclass(frozen=True, slots=True)
class MqttHealth:
    """How often the device has connected, and topics that it is not allowed to write."""

    connects: int
    refused: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GovernorHealth:
    """One of `divisor` frames is inferred; `reason` tells why it is not each."""

    divisor: int
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """How a device does; `uptime` in seconds, None where the device cannot tell."""

    device: str
    time: float
    uptime: float
    pipelines: dict[str, PipelineHealth]
    outbox: OutboxHealth
    mqtt: MqttHealth
    governor: GovernorHealth
    cpu_temperature: float | None
    throttled: bool | None
    rss_bytes: int


@dataclass(frozen=True, slots=True)
class Status:
    """Whether a device, or with `pipeline` that pipeline's source, is there.

    Names are those of the topic. A status that was removed from the broker is not online.
    """

    device: str
    pipeline: str | None
    online: bool


@dataclass(frozen=True, slots=True)
class Count:
    """Objects of a label: present now, with `zone` those in it, with `line` those that crossed it.

    Names are those of the topic. A count that was removed from the broker is 0.
    """

    device: str
    pipeline: str
    label: str
    count: int
    zone: str | None = None
    line: str | None = None
    direction: Literal["in", "out"] | None = None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message on a topic of the contract that does not keep the contract, and why."""

    topic: str
    reason: str
