"""Topics and payloads into typed objects; pure, so that it goes with any MQTT library."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from edge_agent.client.messages import (
    Count,
    Detections,
    Health,
    Info,
    ReceivedEvent,
    Status,
    Unreadable,
)
from edge_agent.client.reading import WrongShape, read
from edge_agent.mqtt.payloads import DETECTIONS_SCHEMA, EVENT_SCHEMA, HEALTH_SCHEMA, INFO_SCHEMA

Decoded = ReceivedEvent | Detections | Status | Count | Info | Health | Unreadable

T = TypeVar("T")

_SCHEMA = re.compile(r"edge-agent/([a-z]+)/(\d{1,9})")
_COUNT = re.compile(rb"\d{1,15}")
_MOST_LEVELS = 8


def decode(topic: str, payload: bytes | str, prefix: str = "edge") -> Decoded | None:
    """The message as a typed object; never raises.

    `prefix` is `mqtt.topic_prefix` of the agents; a level of it may be `+`. None for what is no
    message of an agent, or none that subscribers read (a command, a snapshot). Fields that this
    version does not know are passed over; a newer version of a payload is Unreadable.
    """
    data = payload.encode("utf-8", "replace") if isinstance(payload, str) else payload
    match _levels_below(prefix, topic):
        case [_, _, "events"]:
            return decode_event(data, topic)
        case [_, _, "detections"]:
            return _json(Detections, DETECTIONS_SCHEMA, data, topic)
        case [_, "info"]:
            return _json(Info, INFO_SCHEMA, data, topic)
        case [_, "health"]:
            return _json(Health, HEALTH_SCHEMA, data, topic)
        case [device, "status"]:
            return _status(topic, device, None, data)
        case [device, pipeline, "status"]:
            return _status(topic, device, pipeline, data)
        case [device, pipeline, *rest]:
            return _count(topic, device, pipeline, rest, data)
    return None


def decode_event(payload: bytes | str, topic: str = "") -> ReceivedEvent | Unreadable:
    """The event in a payload, wherever that comes from; `topic` is for what is Unreadable."""
    return _json(ReceivedEvent, EVENT_SCHEMA, payload, topic)


def _levels_below(prefix: str, topic: str) -> list[str]:
    """The levels of a topic after the prefix; none where it does not start with that."""
    wanted, levels = prefix.split("/"), topic.split("/", _MOST_LEVELS + prefix.count("/"))
    if len(levels) <= len(wanted):
        return []
    fits = all(want in ("+", level) for want, level in zip(wanted, levels, strict=False))
    return levels[len(wanted) :] if fits else []


def _json(kind: type[T], schema: str, payload: bytes | str, topic: str) -> T | Unreadable:
    try:
        values = json.loads(payload, parse_constant=_refuse)
        _check_schema(values, schema)
        return read(kind, values)
    except RecursionError:
        return Unreadable(topic, "no JSON: nested too deeply")
    except WrongShape as error:
        return Unreadable(topic, str(error))
    except ValueError as error:
        return Unreadable(topic, f"no JSON: {error}")


def _refuse(constant: str) -> NoReturn:
    raise WrongShape(f"{constant} is no number of JSON")


def _check_schema(values: Any, schema: str) -> None:
    found = values.get("schema") if isinstance(values, dict) else None
    if found == schema:
        return
    name, version = schema.split("/")[1:]
    match = _SCHEMA.fullmatch(found) if isinstance(found, str) else None
    if match is None or match[1] != name:
        raise WrongShape(f"no {schema}: its schema is {str(found)[:50]!r}")
    age = "newer" if int(match[2]) > int(version) else "older"
    raise WrongShape(f"{found} is {age} than what is read here, {schema} (install that edge-agent)")


def _status(topic: str, device: str, pipeline: str | None, payload: bytes) -> Decoded:
    if payload not in (b"online", b"offline", b""):
        return Unreadable(topic, f"{payload[:50]!r} is neither online nor offline")
    return Status(device, pipeline, payload == b"online")


def _count(
    topic: str, device: str, pipeline: str, rest: list[str], payload: bytes
) -> Count | Unreadable | None:
    match rest:
        case ["counts", label]:
            count = Count(device, pipeline, label, 0)
        case ["zones", zone, "counts", label]:
            count = Count(device, pipeline, label, 0, zone)
        case ["lines", line, "counts", label, ("in" | "out") as direction]:
            count = Count(device, pipeline, label, 0, None, line, direction)
        case _:
            return None
    if payload and not _COUNT.fullmatch(payload):
        return Unreadable(topic, f"{payload[:50]!r} is no count")
    return replace(count, count=int(payload or 0))
