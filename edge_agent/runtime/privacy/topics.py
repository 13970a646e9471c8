"""The topics of a configuration, each made by what publishes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.clock import boot_id
from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.event import ClockStamp, Event, ModelRef, ModelStep
from edge_agent.message import Delivery, Message
from edge_agent.mqtt.commands import CommandListener
from edge_agent.mqtt.device_payloads import Health
from edge_agent.mqtt.healing import Healer
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.payloads import FrameResults
from edge_agent.mqtt.topics import Topics
from edge_agent.result import Reading
from edge_agent.runtime.describe import Description
from edge_agent.runtime.wire import announcer_of, dialect_of

Kind = Literal[
    "state", "count", "event", "detections", "reading", "picture", "health", "info", "answer",
    "model", "discovery", "removal",
]  # fmt: skip
Pixels = Literal["no", "blurred", "partly blurred", "full"]

KINDS: Mapping[str, tuple[Kind, str]] = {
    "status": ("state", "whether the device is there"),
    "pipeline_status": ("state", "whether its source is there"),
    "info": ("info", "version, boot id, start, names of pipelines, models with their sha256"),
    "health": ("health", "rates, latencies, queue, temperature, memory, reasons of faults"),
    "event": ("event", "label, sublabel, score, box, zones, times and readings of an object"),
    "detections": ("detections", "labels, scores and boxes of a frame, where something moved"),
    "count": ("count", "objects present now"),
    "zone_count": ("count", "objects in the zone now"),
    "line_count": ("count", "objects that crossed the line today"),
    "enabled": ("state", "ON or OFF"),
    "threshold": ("state", "a number"),
    "snapshot": ("picture", "a JPEG of each new object, and of the frame after a command"),
    "reading": ("reading", "the newest number of a sensor, what it means, when it was taken"),
    "model_step": ("model", "which model takes another's place, and what became of it"),
    "answer": ("answer", "what became of a command; settings and health after `inspect`"),
    "discovery": ("discovery", "names of pipelines, labels, zones and lines, and their topics"),
    "retraction": ("discovery", "empty: takes back what an earlier run announced"),
    "removal": ("removal", "empty or 0: takes back what an earlier run left"),
}
"""Kind and contents of each message, by its name in `Messages`; the last three are not there."""

ANYWHERE = "{response-topic}"
"""Stands for the topic that a command names for its answer, never one of this device's own."""

_MODEL = ModelRef("", "", "")
_HEALTH = Health("", 0.0, 0.0, {}, 0, {}, 0, None, None, 0)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What goes out on one topic; `{label}` in it stands for any, `+` and `#` are MQTT's.

    `messages` are the names in `KINDS`, `kept` tells what waits while the broker is away, and
    `masks` counts the areas that are blackened in pixels.
    """

    topic: str
    messages: tuple[str, ...]
    kinds: tuple[Kind, ...]
    pipeline: str | None
    retained: bool
    kept: Literal["all", "newest", "no"]
    pixels: Pixels
    masks: int
    holds: str


_Said = tuple[str, str | None, Message]
"""Name in `KINDS`, pipeline, and the message itself."""


def outgoing(config: Config) -> tuple[Outgoing, ...]:
    """All that is published; raises ConfigError or ValueError for what cannot be run."""
    topics = Topics(config.mqtt.topic_prefix, config.agent.name)
    messages = Messages(topics, boot_id())
    said: dict[str, list[_Said]] = {}
    for name, pipeline, message in _translated(config, topics, messages):
        said.setdefault(message.topic, []).append((name, pipeline, message))
    return tuple(_row(config, topic, each) for topic, each in said.items())


def _row(config: Config, topic: str, said: list[_Said]) -> Outgoing:
    names = tuple(dict.fromkeys(name for name, _, _ in said))
    pipelines = {pipeline for _, pipeline, _ in said}
    pipeline = pipelines.pop() if len(pipelines) == 1 else None
    is_picture = "snapshot" in names and pipeline is not None
    item = config.pipelines[pipeline] if is_picture and pipeline is not None else None
    return Outgoing(
        topic,
        names,
        tuple(dict.fromkeys(KINDS[name][0] for name in names)),
        pipeline,
        any(message.retain for _, _, message in said),
        _kept({message.delivery for _, _, message in said}),
        _pixels(item),
        len(item.privacy.mask) if item else 0,
        "; ".join(dict.fromkeys(KINDS[name][1] for name in names)),
    )


def _pixels(item: PipelineConfig | None) -> Pixels:
    if item is None or item.publish.snapshots.mode == "off":
        return "no"
    if item.publish.snapshots.mode == "full":
        return "full"
    return "partly blurred" if item.publish.snapshots.is_partial else "blurred"


def _kept(deliveries: set[Delivery]) -> Literal["all", "newest", "no"]:
    if Delivery.EVENT in deliveries:
        return "all"
    return "newest" if Delivery.STATE in deliveries else "no"


def _translated(config: Config, topics: Topics, messages: Messages) -> Iterator[_Said]:
    """Each message as the dialect of the configuration says it."""
    commands = CommandListener(topics, messages, config.running, lambda _: False)
    dialect, _ = dialect_of(config.mqtt, topics, commands.receive)
    for message in (*dialect.hello(()), dialect.will(), *dialect.goodbye()):
        yield "status", None, message
    for name, pipeline, message in _all(config, topics, messages, dialect.heals):
        for each, _ in dialect.outgoing(message, False):
            yield name, pipeline, each


def _all(config: Config, topics: Topics, messages: Messages, heals: bool) -> Iterator[_Said]:
    yield from ((name, None, message) for name, message in _of_device(config, topics, messages))
    for pipeline, item in config.running.items():
        yield from ((n, pipeline, message) for n, message in _of_pipeline(messages, pipeline, item))
    for name in config.composites:
        yield from ((n, name, message) for n, message in _of_composite(messages, name))
    if heals:
        for filter_ in Healer(topics, config.running).filters:
            yield "removal", None, Message(filter_, b"", Delivery.STATE, 1, True)


def _of_device(config: Config, topics: Topics, messages: Messages) -> Iterator[tuple[str, Message]]:
    description = Description(config, 0.0)
    yield "info", messages.info(description.info(()))
    yield "health", messages.health(_HEALTH)
    yield "model_step", messages.model_step(ModelStep("", "trying", "", None, "", "", 0.0))
    for topic in (topics.response("{command}"), ANYWHERE):
        yield "answer", messages.answer(topic, b"", "ping")
    announced: list[Message] = []
    announcer = announcer_of(config.mqtt, topics, announced.append, lambda: None)
    announcer.announce(description.entities({}))
    for message in announced:
        yield "discovery", message
    if not announced:
        yield "retraction", Message(announcer.filters[0], b"", Delivery.STATE, 1, True)


def _of_pipeline(
    messages: Messages, name: str, item: PipelineConfig
) -> Iterator[tuple[str, Message]]:
    yield "pipeline_status", messages.pipeline_status(name, True)
    yield "enabled", messages.enabled(name, True)
    yield "threshold", messages.threshold(name, item.threshold)
    if item.publish.events:
        yield "event", messages.event(_event(name), 0)
    if item.publish.detections:
        yield "detections", messages.detections(_frame(name))
    if item.publish.snapshots.allowed:
        yield "snapshot", messages.snapshot(name, b"")
    if item.publish.readings and (item.anomaly or item.reading):
        yield "reading", messages.reading(name, Reading(0.0, 0.0, ""), 0.0)
    if item.publish.counts:
        yield from _counts(messages, name, item)
    yield "pipeline_status", messages.pipeline_status(name, False)


def _of_composite(messages: Messages, name: str) -> Iterator[tuple[str, Message]]:
    yield "pipeline_status", messages.pipeline_status(name, True)
    yield "event", messages.event(_event(name), 0)
    yield "count", messages.count(name, name, 0)


def _counts(messages: Messages, name: str, item: PipelineConfig) -> Iterator[tuple[str, Message]]:
    for label in item.labels or ("{label}",):
        yield "count", messages.count(name, label, 0)
        for zone in item.zones:
            yield "zone_count", messages.zone_count(name, zone, label, 0)
        for line in item.lines:
            yield "line_count", messages.line_count(name, line, label, "in", 0)
            yield "line_count", messages.line_count(name, line, label, "out", 0)


def _event(pipeline: str) -> Event:
    return Event(
        id="",
        device="",
        pipeline=pipeline,
        type="new",
        kind="object",
        track=None,
        label="",
        score=0.0,
        top_score=0.0,
        box=None,
        zones=(),
        entered_zones=(),
        time=0.0,
        start_time=0.0,
        end_time=None,
        media_time=None,
        clock=ClockStamp("", 0, False),
        latency_ms={},
        model=_MODEL,
    )


def _frame(pipeline: str) -> FrameResults:
    return FrameResults("", pipeline, 0, 0.0, None, (0, 0), (), (), {}, _MODEL)
