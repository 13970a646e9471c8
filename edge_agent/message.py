"""A message on its way to the broker."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Delivery(Enum):
    """What happens to a message while the broker is away."""

    EVENT = "event"  # kept in order until the broker has acknowledged it
    STATE = "state"  # only the newest of each topic is kept
    TELEMETRY = "telemetry"  # dropped and counted: it is worthless when late


@dataclass(frozen=True, slots=True)
class Message:
    """Topic and payload with the MQTT properties that subscribers see.

    `expiry` is the seconds after which the broker may forget it (MQTT 5), None for never.
    `properties` become MQTT 5 user properties; `correlation` ties an answer to its command.
    """

    topic: str
    payload: bytes
    delivery: Delivery
    qos: int = 0
    retain: bool = False
    content_type: str = ""
    expiry: int | None = None
    properties: tuple[tuple[str, str], ...] = ()
    correlation: bytes = b""
