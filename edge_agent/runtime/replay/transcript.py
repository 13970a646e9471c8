"""What would have been published, a JSON line for each message."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from edge_agent.frame import Frame
from edge_agent.message import Message
from edge_agent.outbox.base import Entry


class Transcript:
    """An outbox that writes down what it is given, in order, and sends nothing.

    Latencies are those of this machine, not of the recording: they stand there as 0.
    """

    def __init__(self, lines: TextIO) -> None:
        self._lines = lines
        self._next_seq = 1
        self._media_time = 0.0
        self._time = 0.0

    def move_to(self, frame: Frame) -> None:
        """Let it be the moment of that frame."""
        self._media_time = round(frame.media_time or 0.0, 6)
        self._time = round(frame.wall, 6)

    def put(self, message: Message) -> None:
        """Write a message down."""
        line = {
            "media_time": self._media_time,
            "time": self._time,
            "topic": message.topic,
            "qos": message.qos,
            "retain": message.retain,
            "payload": _readable(message),
        }
        self._lines.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")

    def put_event(self, make: Callable[[int], Message]) -> int:
        """Write an event down with the next number."""
        return self.put_events((make,))[0]

    def put_events(self, makes: Sequence[Callable[[int], Message]]) -> list[int]:
        """Write events down with the next numbers."""
        numbers = list(range(self._next_seq, self._next_seq + len(makes)))
        for make, seq in zip(makes, numbers, strict=True):
            self.put(make(seq))
        self._next_seq += len(makes)
        return numbers

    def take(self, limit: int) -> list[Entry]:  # noqa: ARG002 - the interface
        """Nothing ever waits."""
        return []

    def ack(self, ids: Iterable[int]) -> None:
        """Nothing was taken."""

    def reject(self, ids: Iterable[int], reason: str) -> None:
        """Nothing was taken."""

    def release(self, ids: Iterable[int]) -> None:
        """Nothing was taken."""

    def set_online(self, online: bool) -> None:
        """There is no broker."""

    def set_listener(self, listener: Callable[[], None] | None) -> None:
        """There is nothing to listen for."""

    @property
    def depth(self) -> int:
        """Nothing ever waits."""
        return 0

    @property
    def drops(self) -> Mapping[str, int]:
        """Nothing is lost."""
        return {}

    def close(self) -> None:
        """The lines belong to whoever gave them."""


def _readable(message: Message) -> Any:
    """The payload as a value: parsed, or of a picture its size and sha256."""
    if message.content_type.startswith("image/"):
        digest = hashlib.sha256(message.payload).hexdigest()
        return {"bytes": len(message.payload), "sha256": digest}
    if message.content_type == "application/json":
        payload = json.loads(message.payload)
        if "latency_ms" in payload:
            payload["latency_ms"] = dict.fromkeys(payload["latency_ms"], 0.0)
        return payload
    text = message.payload.decode("utf-8", "backslashreplace")
    return int(text) if text.isdecimal() else text
