"""What other devices publish: numbers out of their messages, or each message as a line of text."""

from __future__ import annotations

import json
import logging
import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Gt, Le
from paho.mqtt.client import MQTTMessage, topic_matches_sub

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceSilent, SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration, Options, Secret
from edge_agent.sources.address import Contact
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp, patience_for
from edge_agent.sources.complaints import Complaints
from edge_agent.sources.guard import Guard
from edge_agent.sources.json_values import (
    MOST_BYTES,
    BadMessage,
    decode_json,
    number_of,
    path_steps,
    shown,
    value_at,
)
from edge_agent.sources.mqtt_client import Broker, MqttListener

log = logging.getLogger(__name__)

_MOST_ROWS = 100  # that are handed over at once


@dataclass(frozen=True, slots=True)
class Subscription(Options):
    """Where a channel or the text comes from."""

    topic: Annotated[str, Doc("Topic, or a filter with + and #.")]
    path: Annotated[
        str, Doc("Way to the value in a JSON message: battery.cells[0]; default: all of it.")
    ] = ""


@dataclass(frozen=True, slots=True)
class MqttSourceOptions(words.Options):
    """Options of the source `mqtt`."""

    channels: Annotated[
        dict[str, Subscription], Doc("Where each number comes from, by channel name.")
    ] = field(default_factory=dict)
    text: Annotated[
        Subscription | None, Doc("Instead of channels: each message is a line of text.")
    ] = None
    host: Annotated[str, Doc("Name or address of the broker.")] = "localhost"
    port: Annotated[int | None, Ge(1), Le(65535), Doc("TCP port; default 1883, with tls 8883.")] = (
        None
    )
    protocol: Annotated[
        Literal[5, "5", "3.1.1"], Doc("MQTT version: 5, or 3.1.1 for older brokers.")
    ] = 5
    username: Annotated[str | None, Doc("User name to log in with.")] = None
    password: Annotated[Secret | None, Doc("Password to log in with.")] = None
    tls: Annotated[bool, Doc("Whether the connection is encrypted.")] = False
    ca_file: Annotated[
        str | None, Doc("PEM file of the authorities to trust instead of the system's.")
    ] = None
    cert_file: Annotated[str | None, Doc("PEM file of this client's own certificate.")] = None
    key_file: Annotated[str | None, Doc("PEM file of its key, where cert_file lacks it.")] = None
    verify_tls: Annotated[bool, Doc("Whether the broker must show a trusted certificate.")] = True
    retained: Annotated[bool, Doc("Whether messages count that the broker kept from before.")] = (
        False
    )
    silence: Annotated[
        Duration | None,
        Gt(0),
        Doc("Without a good message for so long the source is offline; so long a value is kept."),
    ] = None
    timeout: Annotated[Duration, Gt(0), Doc("Limit for connecting.")] = 5.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        return self.host, self.port or (8883 if self.tls else 1883)

    @property
    def contact(self) -> Contact:
        """Whom the source connects to."""
        return Contact(*self.address, self.tls, self.username is not None)

    @property
    def broker(self) -> Broker:
        """The connection."""
        return Broker(
            *self.address, self.protocol in (5, "5"), self.username, self.password, self.tls,
            self.ca_file, self.cert_file, self.key_file, self.verify_tls, self.timeout,
        )  # fmt: skip


@dataclass(slots=True)
class _Channel:
    """The newest value of a channel, and when it came (monotonic seconds)."""

    topic: str
    steps: tuple[str | int, ...]
    value: float = math.nan
    since: float = -math.inf


class MqttSource:
    """Messages of a broker, this agent's own or another.

    Of `channels` every message that brings a number makes a row, at the time at which it came; the
    others keep their value, NaN before their first. Words such as ON and closed are 1 and 0. Of
    `text` every message is a line. What cannot be used is counted in `complaints`.
    """

    medium: Medium = "signal"
    Options: ClassVar[type[words.Options]] = MqttSourceOptions
    live = True

    def __init__(self, name: str, options: MqttSourceOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        if bool(options.channels) == (options.text is not None):
            raise ValueError("give either channels or text")
        if options.text is not None:
            self.medium = "text"
        if options.password is not None and options.username is None:
            raise ValueError("password needs username")
        self.name = name
        self.may_be_quiet = options.silence is None
        self.complaints = Complaints(log, name)
        self._options = options
        self._clock = clock
        self._stamp = Stamp(name, clock)
        wanted = options.channels or {"text": options.text or Subscription("")}
        self._channels = {
            key: _Channel(each.topic, path_steps(each.path)) for key, each in wanted.items()
        }
        self._guard = Guard(self._release)
        self._listener: MqttListener | None = None
        self._rows: deque[tuple[float, list[float]]] = deque()
        self._lines: deque[str] = deque()

    @property
    def patience(self) -> float | None:
        """Seconds that a message may take; None where silence is no fault."""
        silence = self._options.silence
        return None if silence is None else silence + patience_for(self._options.timeout)

    def start(self) -> None:
        """Connect and subscribe; raises SourceError."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            topics = [channel.topic for channel in self._channels.values()]
            self._listener = MqttListener(
                self._options.broker, topics, self._take, self._guard.closing
            )
            try:
                self._listener.open()
            except ValueError as error:  # a topic that none can be
                raise SourceUnusable(
                    f"cannot subscribe to {', '.join(topics)}: {error}", ""
                ) from error
            self._heard_at = time.monotonic()
            self._stamp.opened()

    def read(self) -> Frame | None:
        """Next rows or line; raises SourceError, also when it is silent for too long."""
        with self._guard.use() as allowed:
            if not allowed or self._listener is None:
                return None
            while True:
                if not (self._rows or self._lines):
                    self._listener.run()
                if self._guard.closing.is_set():
                    return None
                if self._rows:
                    self._gather(self._listener)
                if self._rows:  # a new session begins without those of the one before
                    return self._block()
                if self._lines:
                    return self._stamp.line(self._lines.popleft())
                self._check_silence()

    def stop(self) -> None:
        """End a running wait and the connection."""
        self._guard.close()

    def _check_silence(self) -> None:
        silence = self._options.silence
        if silence is not None and time.monotonic() - self._heard_at >= silence:
            topics = ", ".join(dict.fromkeys(each.topic for each in self._channels.values()))
            text = f"{self._options.broker.shown} has no message of {topics} for {silence:g} s"
            raise SourceSilent(text, "check the device that publishes it")

    def _gather(self, listener: MqttListener) -> None:
        """Take in what has come at the same time."""
        before = 0
        while before < len(self._rows) < _MOST_ROWS:
            before = len(self._rows)
            listener.run(0.0)

    def _block(self) -> Frame:
        times = np.array([moment for moment, _ in self._rows])
        rows = np.array([values for _, values in self._rows], np.float32)
        self._rows.clear()
        return self._stamp.samples(rows, Signal(tuple(self._channels), times))

    def _take(self, message: MQTTMessage) -> None:
        if message.retain and not self._options.retained:
            return
        payload = bytes(message.payload)
        try:
            if self._options.text is None:
                self._take_numbers(message.topic, payload)
            else:
                self._take_text(payload, self._channels["text"].steps)
            self._heard_at = time.monotonic()
        except BadMessage as error:
            self.complaints.tell(f"a message of {message.topic} cannot be used: {error}")

    def _take_numbers(self, topic: str, payload: bytes) -> None:
        now = self._clock.monotonic_ns() / 1e9
        problem, is_new = "it holds no value that is looked for", False
        content: list[Any] = []
        for channel in self._channels.values():
            if not topic_matches_sub(channel.topic, topic):
                continue
            try:
                channel.value = _number(payload, channel.steps, content)
            except BadMessage as error:
                problem = str(error)
            except KeyError:
                continue
            else:
                channel.since, is_new = now, True
        if not is_new:
            raise BadMessage(problem)
        last = self._rows[-1][0] if self._rows else -math.inf
        oldest = now - (self._options.silence or math.inf)
        values = [
            each.value if each.since >= oldest else math.nan for each in self._channels.values()
        ]
        self._rows.append((max(now, last + 1e-6), values))

    def _take_text(self, payload: bytes, steps: tuple[str | int, ...]) -> None:
        if len(payload) > MOST_BYTES:
            raise BadMessage(f"it has more than {MOST_BYTES} bytes")
        if steps:
            try:
                value = value_at(decode_json(payload), steps)
            except KeyError as error:
                raise BadMessage(f"{shown(payload)} has no {error}") from None
            text = value if isinstance(value, str) else json.dumps(value)
        else:
            text = payload.decode("utf-8", "replace")
            if "\ufffd" in text:
                self.complaints.tell(f"{shown(payload)} is not in UTF-8: some of it is lost")
        if text := text.strip():
            self._lines.append(text)

    def _release(self) -> None:
        listener, self._listener = self._listener, None
        self._rows.clear()
        self._lines.clear()
        if listener is not None:
            listener.close()


def _number(payload: bytes, steps: tuple[str | int, ...], content: list[Any]) -> float:
    """The number of one channel; `content` keeps the JSON for the next. Raises KeyError."""
    if not steps:
        return number_of(payload.decode("utf-8", "replace"))
    if not content:
        content.append(decode_json(payload))
    value = value_at(content[0], steps)
    if value is None:
        raise KeyError(steps[-1])
    return number_of(value)
