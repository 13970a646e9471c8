"""Commands that come in over MQTT: read, checked and limited here, carried out elsewhere.

A command names a pipeline or a model of the configuration and a value, nothing else: no path, no
program.
What is malformed, oversized, unknown or too much is refused with the reason. A retained command is
refused too: it would be carried out again at every connection.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from time import monotonic

from edge_agent.message import Message
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.topics import Topics, safe_name

_log = logging.getLogger(__name__)

DEVICE_COMMANDS = ("snapshot", "reload", "restart", "ping", "inspect", "model")
"""Commands below `cmd/`; `snapshot` may name a pipeline, `model` names a model."""

_LARGEST = 1024  # bytes of a payload
_LARGEST_TOPIC = 256
_BURST = 20  # commands that may come at once ...
_PER_SECOND = 2.0  # ... and go on coming
_WARN_EVERY = 60.0  # s
_NOTHING = (b"", b"PRESS")  # what a button of Home Assistant sends
_SWITCH = {b"ON": True, b"OFF": False}


class CommandRefused(Exception):
    """Why a command is not carried out, in words for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Where the answer goes and what must stand in it."""

    topic: str
    correlation: bytes = b""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that makes sense: `enabled` and `threshold` have a value.

    `pipeline` is the name in the configuration, None for all or for the device; `model` is there
    for the command of that name, with the version that is wanted, None for the one in use.
    """

    name: str
    reply: Reply
    pipeline: str | None = None
    value: bool | float | None = None
    model: str | None = None
    version: str | None = None


class TokenBucket:
    """Lets `burst` through at once and `rate` per second in the long run."""

    def __init__(self, burst: int, rate: float, now: Callable[[], float] = monotonic) -> None:
        self._burst = float(burst)
        self._rate = rate
        self._now = now
        self._tokens = self._burst
        self._then = now()

    def take(self) -> bool:
        """True for one more that may pass."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._rate)
        self._then = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


class CommandListener:
    """Reads the command topics of a device and hands on what makes sense.

    `hand_over` must not wait; it returns False when it has no room. `foreign` are first parts of
    topics on which no answer is given, besides the device's own.
    """

    def __init__(
        self,
        topics: Topics,
        messages: Messages,
        pipelines: Collection[str],
        hand_over: Callable[[Command], bool],
        foreign: Collection[str] = (),
        bucket: TokenBucket | None = None,
    ) -> None:
        self.filters = topics.command_filters
        self._topics = topics
        self._messages = messages
        self.serve(pipelines)
        self._hand_over = hand_over
        self._reserved = (f"{topics.base}/", *(f"{prefix}/" for prefix in foreign), "$")
        self._bucket = bucket or TokenBucket(_BURST, _PER_SECOND)
        self._flooded = False
        self._refused = 0
        self._warned: float | None = None

    def serve(self, pipelines: Collection[str]) -> None:
        """Take commands for these pipelines from now on."""
        self._pipelines = {safe_name(name): name for name in pipelines}

    def receive(self, received: Received) -> Iterable[Message]:
        """Hand the command on, or answer why not; a flood is answered once."""
        *_, last = received.topic.removesuffix("/set").split("/")
        if not self._bucket.take():
            answer_it, self._flooded = not self._flooded, True
            return self._refuse(received, last, "too many commands", answer_it)
        self._flooded = False
        try:
            command = self._read(received)
        except CommandRefused as refusal:
            return self._refuse(received, last, str(refusal))
        if not self._hand_over(command):
            return self._refuse(received, last, "busy with earlier commands")
        return ()

    def _read(self, received: Received) -> Command:
        if received.retained:
            raise CommandRefused("a retained command is not carried out; remove it at the broker")
        if len(received.payload) > _LARGEST:
            raise CommandRefused(f"the payload is larger than {_LARGEST} bytes")
        reply = self._reply(received)
        levels = received.topic.removeprefix(f"{self._topics.base}/").split("/")
        if levels[0] == "cmd":
            return self._read_device_command(levels[1], received.payload, reply)
        pipeline = self._pipelines.get(levels[0])
        if pipeline is None:
            raise CommandRefused(f"there is no pipeline {levels[0]}")
        read = _read_switch if levels[1] == "enabled" else _read_fraction
        return Command(levels[1], reply, pipeline, read(received.payload))

    def _read_device_command(self, name: str, payload: bytes, reply: Reply) -> Command:
        if name not in DEVICE_COMMANDS:
            raise CommandRefused(f"unknown command; there are {', '.join(DEVICE_COMMANDS)}")
        if payload.strip() in _NOTHING:
            return Command(name, reply)
        given = _read_object(payload)
        if name == "model":
            return _read_model(given, reply)
        if set(given) - ({"pipeline"} if name == "snapshot" else set()):
            allowed = ' or {"pipeline": NAME}' if name == "snapshot" else ""
            raise CommandRefused(f"the payload must be empty{allowed}")
        wanted = given.get("pipeline")
        pipeline = next((known for known in self._pipelines.values() if known == wanted), None)
        if wanted is not None and pipeline is None:
            raise CommandRefused("there is no such pipeline")
        return Command(name, reply, pipeline)

    def _reply(self, received: Received) -> Reply:
        topic = received.response_topic
        if not topic:
            return self._default_reply(received)
        bad = len(topic) > _LARGEST_TOPIC or any(c in topic for c in "+#\0")
        if bad or topic.startswith(self._reserved):
            raise CommandRefused("the response topic is not one that this device answers on")
        return Reply(topic, received.correlation)

    def _default_reply(self, received: Received) -> Reply:
        *_, last = received.topic.removesuffix("/set").split("/")
        return Reply(self._topics.response(last), received.correlation)

    def _refuse(
        self, received: Received, name: str, why: str, answer_it: bool = True
    ) -> tuple[Message, ...]:
        self._refused += 1
        now = monotonic()
        if self._warned is None or now - self._warned >= _WARN_EVERY:
            count = f" ({self._refused} refused since the last such line)" * (self._refused > 1)
            _log.warning("command on %s refused: %s%s", received.topic, why, count)
            self._warned, self._refused = now, 0
        if not answer_it:
            return ()
        try:
            reply = self._reply(received)
        except CommandRefused:
            reply = self._default_reply(received)
        return (self._messages.answer(reply.topic, reply.correlation, name, error=why),)


def _read_model(given: dict[str, object], reply: Reply) -> Command:
    """Names alone: which there are is looked up where the command is carried out."""
    model, version = given.get("model"), given.get("version")
    fits = isinstance(model, str) and isinstance(version, str | None)
    if set(given) - {"model", "version"} or not fits:
        raise CommandRefused('the payload must be {"model": NAME} with or without "version": TEXT')
    return Command("model", reply, model=str(model), version=version)  # type: ignore[arg-type]


def _read_switch(payload: bytes) -> bool:
    value = _SWITCH.get(payload.strip().upper())
    if value is None:
        raise CommandRefused("the payload must be ON or OFF")
    return value


def _read_fraction(payload: bytes) -> float:
    try:
        value = float(payload.decode("ascii"))
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise CommandRefused("the payload must be a number from 0 to 1")
    return value


def _read_object(payload: bytes) -> dict[str, object]:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CommandRefused("the payload must be empty or a JSON object")
    return value
