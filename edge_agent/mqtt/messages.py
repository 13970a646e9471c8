"""Each kind of message with its topic, QoS, retain flag and MQTT 5 properties: one table."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from edge_agent.event import Event, ModelStep
from edge_agent.message import Delivery, Message
from edge_agent.mqtt import device_payloads, payloads
from edge_agent.mqtt.device_payloads import Health, Info
from edge_agent.mqtt.payloads import FrameResults
from edge_agent.mqtt.topics import Topics
from edge_agent.result import Reading

_JSON = "application/json"
_TEXT = "text/plain"
_JPEG = "image/jpeg"
_DETECTIONS_EXPIRY = 10
_HEALTH_EXPIRY = 180  # three reports
_ANSWER_EXPIRY = 60


def status_message(topics: Topics, online: bool) -> Message:
    """The device itself is there or not; also the last will."""
    return _state(topics.status, _online(online))


def removed(state: Message) -> Message:
    """The message that makes the broker forget a retained state."""
    return replace(state, payload=b"")


class Messages:
    """Makes the messages of a device.

    `event_expiry` is the seconds that a broker keeps an event for a subscriber who is away.
    The schema and the boot id go along as user properties.
    """

    def __init__(self, topics: Topics, boot_id: str, event_expiry: int = 7 * 86400) -> None:
        self._topics = topics
        self._boot_id = boot_id
        self._event_expiry = event_expiry

    def status(self, online: bool) -> Message:
        """The device itself is there or not."""
        return status_message(self._topics, online)

    def pipeline_status(self, pipeline: str, online: bool) -> Message:
        """The source of a pipeline is there or not."""
        return _state(self._topics.pipeline_status(pipeline), _online(online))

    def info(self, info: Info) -> Message:
        """What the device runs."""
        return Message(
            self._topics.info,
            device_payloads.info_payload(info),
            Delivery.STATE,
            qos=1,
            retain=True,
            content_type=_JSON,
            properties=self._properties(payloads.INFO_SCHEMA),
        )

    def health(self, health: Health) -> Message:
        """How the device does."""
        return Message(
            self._topics.health,
            device_payloads.health_payload(health),
            Delivery.TELEMETRY,
            content_type=_JSON,
            expiry=_HEALTH_EXPIRY,
            properties=self._properties(payloads.HEALTH_SCHEMA),
        )

    def event(self, event: Event, seq: int) -> Message:
        """One event with its number."""
        return Message(
            self._topics.events(event.pipeline),
            payloads.event_payload(event, seq),
            Delivery.EVENT,
            qos=1,
            content_type=_JSON,
            expiry=self._event_expiry,
            properties=self._properties(payloads.EVENT_SCHEMA),
        )

    def model_step(self, step: ModelStep) -> Message:
        """What became of a model that is to take another's place."""
        return Message(
            self._topics.model,
            device_payloads.model_payload(self._topics.device, step),
            Delivery.EVENT,
            qos=1,
            content_type=_JSON,
            expiry=self._event_expiry,
            properties=self._properties(payloads.MODEL_SCHEMA),
        )

    def detections(self, found: FrameResults) -> Message:
        """Everything found in one frame."""
        return Message(
            self._topics.detections(found.pipeline),
            payloads.detections_payload(found),
            Delivery.TELEMETRY,
            content_type=_JSON,
            expiry=_DETECTIONS_EXPIRY,
            properties=self._properties(payloads.DETECTIONS_SCHEMA),
        )

    def count(self, pipeline: str, label: str, count: int) -> Message:
        """Objects of a label that are present now."""
        return _state(self._topics.counts(pipeline, label), b"%d" % count)

    def zone_count(self, pipeline: str, zone: str, label: str, count: int) -> Message:
        """Objects of a label that are in a zone now."""
        return _state(self._topics.zone_counts(pipeline, zone, label), b"%d" % count)

    def line_count(
        self, pipeline: str, line: str, label: str, direction: Literal["in", "out"], count: int
    ) -> Message:
        """Objects of a label that crossed a line today."""
        return _state(self._topics.line_counts(pipeline, line, label, direction), b"%d" % count)

    def enabled(self, pipeline: str, enabled: bool) -> Message:
        """Whether a pipeline infers."""
        return _state(self._topics.enabled(pipeline), b"ON" if enabled else b"OFF")

    def threshold(self, pipeline: str, threshold: float) -> Message:
        """Least score of a pipeline's results."""
        return _state(self._topics.threshold(pipeline), b"%g" % threshold)

    def snapshot(self, pipeline: str, jpeg: bytes) -> Message:
        """Newest picture of a pipeline."""
        return _state(self._topics.snapshot(pipeline), jpeg, _JPEG)

    def reading(self, pipeline: str, reading: Reading, at: float) -> Message:
        """Newest number of a pipeline, taken at epoch seconds `at`."""
        return Message(
            self._topics.reading(pipeline),
            payloads.reading_payload(self._topics.device, pipeline, reading, at),
            Delivery.STATE,
            qos=1,
            retain=True,
            content_type=_JSON,
            properties=self._properties(payloads.READING_SCHEMA),
        )

    def states_of(self, pipeline: str) -> tuple[Message, ...]:
        """A message for each retained state of a pipeline but its counts."""
        return (
            self.pipeline_status(pipeline, False),
            self.enabled(pipeline, False),
            self.threshold(pipeline, 0.0),
            self.snapshot(pipeline, b""),
            self.reading(pipeline, Reading(0.0, 0.0, ""), 0.0),
        )

    def answer(
        self,
        topic: str,
        correlation: bytes,
        command: str,
        error: str = "",
        result: Mapping[str, Any] | None = None,
    ) -> Message:
        """What became of a command; `error` tells why it was refused."""
        device = self._topics.device
        return Message(
            topic,
            device_payloads.answer_payload(device, command, time.time(), error, result or {}),
            Delivery.TELEMETRY,
            qos=1,
            content_type=_JSON,
            expiry=_ANSWER_EXPIRY,
            properties=self._properties(payloads.ANSWER_SCHEMA),
            correlation=correlation,
        )

    def _properties(self, schema: str) -> tuple[tuple[str, str], ...]:
        return (("schema", schema), ("boot_id", self._boot_id))


def _state(topic: str, payload: bytes, content_type: str = _TEXT) -> Message:
    return Message(topic, payload, Delivery.STATE, qos=1, retain=True, content_type=content_type)


def _online(online: bool) -> bytes:
    return b"online" if online else b"offline"
