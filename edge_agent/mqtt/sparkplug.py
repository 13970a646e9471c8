"""Sparkplug B: the same device as an edge node, its pipelines as devices, its numbers as metrics.

Follows the Eclipse Sparkplug 3.0.0 specification; docs/sparkplug.md lists where it departs. The
group is `mqtt.topic_prefix`, the edge node `agent.name`, a device each pipeline. Metrics are named
as the topics of the JSON encoding below the pipeline.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from google.protobuf.message import DecodeError

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.commands import TokenBucket
from edge_agent.mqtt.dialect import Sent
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.sparkplug_metrics import (
    DEVICE,
    NODE,
    SETTINGS,
    Metrics,
    event_metrics,
    made,
    report_metrics,
)
from edge_agent.mqtt.sparkplug_pb import DataType, Payload, get_value, set_value, stamped
from edge_agent.mqtt.topics import Topics

_log = logging.getLogger(__name__)

_NAMESPACE = "spBv1.0"
_REBIRTH = "Node Control/Rebirth"
_LARGEST = 4096  # bytes of a command's payload
_BURST = 10  # rebirths that may be asked for at once ...
_PER_SECOND = 1.0  # ... and go on being asked for


class SparkplugDialect:
    """Speaks Sparkplug B, and listens to its commands.

    `command` is `receive` of the listener of the command topics, which judges what is set here
    too. Raises ValueError for a prefix that cannot be a group. What has no place in Sparkplug
    (pictures, detections, answers) goes out as it is. A metric that is not in the birth of its
    device makes the device be born anew.
    """

    def __init__(self, topics: Topics, command: Callable[[Received], Iterable[Message]]) -> None:
        if "/" in topics.prefix:
            raise ValueError("mqtt.topic_prefix must be one word: it is the group of Sparkplug B")
        self._base = f"{topics.base}/"
        self._group, self._node = topics.base.split("/")
        self._topics = topics
        self._carry_out = command
        self._rebirths = TokenBucket(_BURST, _PER_SECOND)
        self._aliases = iter(range(1, 2**63))
        self._own = Metrics(self._aliases, NODE, _now())
        self._devices: dict[str, Metrics] = {}
        self._born: set[str] = set()
        self._seq = 0
        # By the clock, so that an earlier run's last one does not come again.
        self._bd_seq = int(time.time()) % 256
        self.filters = (self._topic("NCMD"), f"{self._topic('DCMD')}/+")

    heals = False

    def will(self) -> Message:
        """The death of the next birth."""
        self._bd_seq = (self._bd_seq + 1) % 256
        return self._death()

    def hello(self, states: Iterable[Message]) -> Sequence[Message]:  # noqa: ARG002 - births tell
        """The birth of the node, then of each device that was alive."""
        born, self._born = self._born, set()
        return [self._node_birth(), *(self._device_birth(name) for name in sorted(born))]

    def goodbye(self) -> Sequence[Message]:
        """The death of the node: after a clean end the broker does not tell it."""
        return (self._death(),)

    def outgoing(self, message: Message, replayed: bool) -> Sequence[Sent]:
        """Births, deaths and data for a message, with their `seq` in the order of sending."""
        if message.topic.startswith(f"{_NAMESPACE}/"):
            said: Sequence[Message] = (message,)
        elif message.topic.startswith(self._base):
            try:
                said = self._translated(message, replayed)
            except (ValueError, KeyError, TypeError):  # of another make: it must not be lost
                said = (message,)
        else:
            said = (message,)
        return [(each, self._sealed(each)) for each in said]

    def receive(self, received: Received) -> Iterable[Message]:
        """Be born anew, or hand on what is to be set."""
        metrics = _metrics_in(received)
        if received.topic == self.filters[0]:
            asked = any(each.name == _REBIRTH and get_value(each) is True for each in metrics)
            return self.hello(()) if asked and self._rebirths.take() else ()
        *_, device = received.topic.split("/")
        if device not in self._devices:
            return ()
        known = self._devices[device]
        wishes = [(known.name_of(each), get_value(each)) for each in metrics]
        return [said for name, value in wishes for said in self._set(received, device, name, value)]

    def _set(self, received: Received, device: str, name: str, value: Any) -> Iterable[Message]:
        """As if it had come on the topic of that setting, with the same bounds and answers."""
        topics = {
            "enabled": self._topics.enabled_set(device),
            "threshold": self._topics.threshold_set(device),
        }
        if name not in topics:
            _log.warning("nothing of %s can be set but enabled and threshold", device)
            return ()
        return self._carry_out(replace(received, topic=topics[name], payload=_as_text(name, value)))

    def _translated(self, message: Message, replayed: bool) -> Sequence[Message]:
        match message.topic.removeprefix(self._base).split("/"):
            case [("info" | "health") as name]:
                metrics = report_metrics(name, message.payload, _now())
                self._own.note(metrics)
                return (self._data(None, self._own.some(metrics), message),)
            case [device, "status"]:
                return self._status(device, message)
            case [device, "events"]:
                return self._event(device, message, replayed)
            case [device, ("enabled" | "threshold") as name, "state"]:
                value = message.payload == b"ON" if name == "enabled" else _number(message.payload)
                return self._value(device, name, SETTINGS[name], value, message)
            case [device, ("counts" | "zones" | "lines"), *_] as levels:
                count = int(message.payload or b"0")
                return self._value(device, "/".join(levels[1:]), DataType.INT64, count, message)
        return (message,)

    def _status(self, device: str, message: Message) -> Sequence[Message]:
        online = message.payload == b"online"
        self._metrics(device).note({"online": made(DataType.BOOLEAN, online, _now())})
        if online:
            return (self._device_birth(device),)
        return (self._device_death(device),) if device in self._born else ()

    def _value(
        self, device: str, name: str, kind: DataType, value: Any, message: Message
    ) -> Sequence[Message]:
        metrics = self._metrics(device)
        is_new = metrics.note({name: made(kind, value, _now())})
        if device not in self._born:
            return ()  # its birth will tell
        if is_new:
            return (self._device_birth(device),)
        return (self._data(device, metrics.some((name,)), message),)

    def _event(self, device: str, message: Message, replayed: bool) -> Sequence[Message]:
        """Its data, after a birth if need be; a device whose source failed is dead again after."""
        event = event_metrics(message.payload)
        metrics = self._metrics(device)
        birth = () if device in self._born else (self._device_birth(device),)
        metrics.note(event)
        data = self._data(device, metrics.some(event, replayed), message)
        death = (self._device_death(device),) if metrics.value("online") is False else ()
        return (*birth, data, *death)

    def _metrics(self, device: str) -> Metrics:
        if device not in self._devices:
            self._devices[device] = Metrics(self._aliases, DEVICE, _now())
        return self._devices[device]

    def _node_birth(self) -> Message:
        now = _now()
        payload = Payload(timestamp=now, metrics=self._own.birth())
        for name, kind, value in (
            ("bdSeq", DataType.INT64, self._bd_seq),
            (_REBIRTH, DataType.BOOLEAN, False),
        ):
            set_value(payload.metrics.add(name=name, timestamp=now), kind, value)
        return self._message("NBIRTH", payload)

    def _device_birth(self, device: str) -> Message:
        self._born.add(device)
        metrics = self._metrics(device).birth()
        return self._message("DBIRTH", Payload(timestamp=_now(), metrics=metrics), device)

    def _device_death(self, device: str) -> Message:
        self._born.discard(device)
        return self._message("DDEATH", Payload(timestamp=_now()), device)

    def _death(self) -> Message:
        payload = Payload(timestamp=_now())
        set_value(payload.metrics.add(name="bdSeq"), DataType.INT64, self._bd_seq)
        return self._message("NDEATH", payload, qos=1)

    def _data(self, device: str | None, metrics: list[Any], message: Message) -> Message:
        """Data in place of a message, of which it keeps the kind of delivery."""
        payload = Payload(timestamp=_now(), metrics=metrics)
        kind = "NDATA" if device is None else "DDATA"
        qos = 1 if message.delivery is Delivery.EVENT else 0
        return self._message(kind, payload, device, qos)

    def _message(self, kind: str, payload: Any, device: str | None = None, qos: int = 0) -> Message:
        topic = self._topic(kind) + (f"/{device}" if device else "")
        return Message(topic, payload.SerializeToString(), Delivery.TELEMETRY, qos)

    def _topic(self, kind: str) -> str:
        return f"{_NAMESPACE}/{self._group}/{kind}/{self._node}"

    def _sealed(self, message: Message) -> bytes:
        """The payload with its number; the birth of the node begins at 0, its death has none."""
        kind = message.topic.split("/")[2] if message.topic.startswith(_NAMESPACE) else ""
        if kind not in ("NBIRTH", "NDATA", "DBIRTH", "DDATA", "DDEATH"):
            return message.payload
        self._seq = 0 if kind == "NBIRTH" else (self._seq + 1) % 256
        return stamped(message.payload, self._seq)


def _metrics_in(received: Received) -> Sequence[Any]:
    """The metrics of a command; none, and a warning, for one that is not carried out."""
    if received.retained:
        why = "a retained command is not carried out; remove it at the broker"
    elif len(received.payload) > _LARGEST:
        why = f"the payload is larger than {_LARGEST} bytes"
    else:
        try:
            return list(Payload.FromString(received.payload).metrics)
        except DecodeError:
            why = "the payload is none of Sparkplug B"
    _log.warning("command on %s refused: %s", received.topic, why)
    return ()


def _as_text(name: str, value: Any) -> bytes:
    """A value as the command topics want it; empty, which they refuse, for one of another type."""
    if isinstance(value, bool):
        return (b"ON" if value else b"OFF") if name == "enabled" else b""
    return repr(value).encode() if isinstance(value, int | float) else b""


def _now() -> int:
    return round(time.time() * 1000)


def _number(payload: bytes) -> float:
    return float(payload or b"0")
