"""Sparkplug B: the same device as an edge node, its pipelines as devices, its numbers as metrics.

Follows the Eclipse Sparkplug 3.0.0 specification. The group is `mqtt.topic_prefix`, the edge node
`agent.name`, a device each pipeline. Metrics are named as the topics of the JSON encoding below the
pipeline. The one departure: events go out with QoS 1, since they leave the disk only when the
broker has acknowledged them; the specification wants 0 for all data.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import DecodeError

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.commands import Command, Reply
from edge_agent.mqtt.dialect import Sent
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.sparkplug_pb import (
    DataType,
    Metric,
    Payload,
    get_value,
    set_value,
    stamped,
)
from edge_agent.mqtt.topics import Topics

_log = logging.getLogger(__name__)

_NAMESPACE = "spBv1.0"
_REBIRTH = "Node Control/Rebirth"
_EVENT = {
    "event/type": DataType.STRING,
    "event/label": DataType.STRING,
    "event/score": DataType.DOUBLE,
    "event/seq": DataType.UINT64,
    "event/id": DataType.STRING,
    "event/json": DataType.STRING,
}
_NODE = {"info": DataType.STRING, "health": DataType.STRING}
_SETTINGS = {"enabled": DataType.BOOLEAN, "threshold": DataType.DOUBLE}


class _Metrics:
    """The metrics of a node or a device: their types, newest values and aliases.

    Those of events have no alias: a host that missed a birth can read them all the same.
    """

    def __init__(self, aliases: Iterator[int], kinds: dict[str, DataType]) -> None:
        self._aliases = aliases
        self._known: dict[str, tuple[int | None, DataType]] = {}
        self._values: dict[str, Any] = {}
        for name, kind in kinds.items():
            self.set(name, kind, None)

    def set(self, name: str, kind: DataType, value: Any) -> bool:
        """Note a value; True for a metric that was not there before."""
        is_new = name not in self._known
        if is_new:
            self._known[name] = (None if name in _EVENT else next(self._aliases), kind)
        self._values[name] = value
        return is_new

    def name_of(self, metric: Any) -> str:
        """The name of a metric that came in by name or by alias; empty if unknown."""
        if metric.name:
            return str(metric.name)
        found = (name for name, (alias, _) in self._known.items() if alias == metric.alias)
        return next(found, "")

    def birth(self, now: int) -> list[Any]:
        """All of them, with name and alias."""
        return [self._metric(name, now, named=True) for name in self._known]

    def some(self, names: Iterable[str], now: int, historical: bool = False) -> list[Any]:
        """Some of them, by alias alone where they have one."""
        found = [self._metric(name, now, named=False) for name in names]
        for metric in found if historical else ():
            metric.is_historical = True
        return found

    def _metric(self, name: str, now: int, named: bool) -> Any:
        alias, kind = self._known[name]
        metric = Metric(timestamp=now)
        if alias is not None:
            metric.alias = alias
        if named or alias is None:
            metric.name = name
        set_value(metric, kind, self._values[name])
        return metric


class SparkplugDialect:
    """Speaks Sparkplug B, and listens to its commands.

    `hand_over` takes a command, as for the command topics. Raises ValueError for a prefix that
    cannot be a group. What has no place in Sparkplug (pictures, detections, answers) goes out as it
    is. A metric that is not in the birth of its device makes the device be born anew.
    """

    def __init__(self, topics: Topics, hand_over: Callable[[Command], bool]) -> None:
        if "/" in topics.prefix:
            raise ValueError("mqtt.topic_prefix must be one word: it is the group of Sparkplug B")
        self._base = f"{topics.base}/"
        self._group, self._node = topics.base.split("/")
        self._topics = topics
        self._hand_over = hand_over
        self._aliases = iter(range(1, 2**63))
        self._own = _Metrics(self._aliases, _NODE)
        self._devices: dict[str, _Metrics] = {}
        self._born: set[str] = set()
        self._seq = 0
        self._bd_seq = (
            int(time.time()) % 256
        )  # so that an earlier run's last one does not come again
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
        try:
            metrics = Payload.FromString(received.payload).metrics
        except DecodeError:
            _log.warning("a command on %s is no payload of Sparkplug B", received.topic)
            return
        *_, last = received.topic.split("/")
        for metric in metrics:
            if received.topic == self.filters[0]:
                if self._own.name_of(metric) == _REBIRTH or metric.name == _REBIRTH:
                    yield from self.hello(())
            elif last in self._devices:
                self._command(last, self._devices[last].name_of(metric), get_value(metric))

    def _command(self, device: str, name: str, value: Any) -> None:
        is_switch = name == "enabled" and isinstance(value, bool)
        is_share = name == "threshold" and not isinstance(value, bool | str | None)
        if not is_switch and not (is_share and 0.0 <= value <= 1.0):
            _log.warning("command %s of %s is refused", name or "without a name", device)
            return
        self._hand_over(Command(name, Reply(self._topics.response(name)), device, value))

    def _translated(self, message: Message, replayed: bool) -> Sequence[Message]:
        match message.topic.removeprefix(self._base).split("/"):
            case [("info" | "health") as name]:
                self._own.set(name, DataType.STRING, message.payload.decode())
                return (self._data(None, self._own.some((name,), _now()), message),)
            case [device, "status"]:
                return self._status(device, message)
            case [device, "events"]:
                return self._event(device, message, replayed)
            case [device, ("enabled" | "threshold") as name, "state"]:
                value = message.payload == b"ON" if name == "enabled" else _number(message.payload)
                return self._value(device, name, _SETTINGS[name], value, message)
            case [device, ("counts" | "zones" | "lines"), *_] as levels:
                count = int(message.payload or b"0")
                return self._value(device, "/".join(levels[1:]), DataType.INT64, count, message)
        return (message,)

    def _status(self, device: str, message: Message) -> Sequence[Message]:
        online = message.payload == b"online"
        self._metrics(device).set("online", DataType.BOOLEAN, online)
        if online:
            return (self._device_birth(device),)
        if device not in self._born:
            return ()
        self._born.discard(device)
        return (self._message("DDEATH", Payload(timestamp=_now()), device),)

    def _value(
        self, device: str, name: str, kind: DataType, value: Any, message: Message
    ) -> Sequence[Message]:
        metrics = self._metrics(device)
        is_new = metrics.set(name, kind, value)
        if device not in self._born:
            return ()  # its birth will tell
        if is_new:
            return (self._device_birth(device),)
        return (self._data(device, metrics.some((name,), _now()), message),)

    def _event(self, device: str, message: Message, replayed: bool) -> Sequence[Message]:
        event = json.loads(message.payload)
        metrics = self._metrics(device)
        values = (
            event["type"],
            event["label"],
            event["score"],
            event["seq"],
            event["id"],
            message.payload.decode(),
        )
        for (name, kind), value in zip(_EVENT.items(), values, strict=True):
            metrics.set(name, kind, value)
        said = [] if device in self._born else [self._device_birth(device)]
        when = round(event["time"] * 1000)
        data = metrics.some(_EVENT, when, replayed)
        return (*said, self._data(device, data, message))

    def _metrics(self, device: str) -> _Metrics:
        if device not in self._devices:
            kinds = {"online": DataType.BOOLEAN, **_SETTINGS, **_EVENT}
            self._devices[device] = _Metrics(self._aliases, kinds)
        return self._devices[device]

    def _node_birth(self) -> Message:
        now = _now()
        payload = Payload(timestamp=now, metrics=self._own.birth(now))
        for name, kind, value in (
            ("bdSeq", DataType.INT64, self._bd_seq),
            (_REBIRTH, DataType.BOOLEAN, False),
        ):
            set_value(payload.metrics.add(name=name, timestamp=now), kind, value)
        return self._message("NBIRTH", payload)

    def _device_birth(self, device: str) -> Message:
        self._born.add(device)
        now = _now()
        metrics = self._metrics(device).birth(now)
        return self._message("DBIRTH", Payload(timestamp=now, metrics=metrics), device)

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


def _now() -> int:
    return round(time.time() * 1000)


def _number(payload: bytes) -> float:
    return float(payload or b"0")
