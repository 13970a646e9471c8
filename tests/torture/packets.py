"""MQTT packets out of a stream of bytes, and which events a broker has acknowledged in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_PUBLISH = 3
_PUBACK = 4
_MOST_LENGTH_BYTES = 4
_FAILURE = 0x80
_NOBODY_LISTENS = 0x10
_SEQ_AND_TRACK = re.compile(rb'"seq":(\d+),.*?"track":(\d+)')


@dataclass
class Packets:
    """Cuts a stream into packets."""

    _rest: bytes = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The first byte and the body of each packet that is complete by now."""
        self._rest += data
        while (end := self._end()) is not None:
            start, stop = end
            if len(self._rest) < stop:
                return
            packet, self._rest = self._rest[:stop], self._rest[stop:]
            yield packet[0], packet[start:]

    def _end(self) -> tuple[int, int] | None:
        """Where the body of the first packet begins and ends; None while nobody can tell."""
        length = 0
        for index, byte in enumerate(self._rest[1 : 1 + _MOST_LENGTH_BYTES]):
            length |= (byte & 0x7F) << (7 * index)
            if byte < 0x80:
                start = index + 2
                return start, start + length
        return None


@dataclass
class Ledger:
    """What brokers have acknowledged: track and life of the broker by the seq of the event.

    `unheard` are events that a broker took although nobody had subscribed: a fault of the
    observation, since those never reach anybody.
    """

    life: int = 0
    acked: dict[int, tuple[int, int]] = field(default_factory=dict)
    unheard: set[int] = field(default_factory=set)


class Witness:
    """Listens to both directions of one connection and writes down what is acknowledged."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._up, self._down = Packets(), Packets()
        self._sent: dict[int, tuple[int, int]] = {}

    def from_agent(self, data: bytes) -> None:
        """Bytes on the way to the broker."""
        for first, body in self._up.feed(data):
            qos = first >> 1 & 3
            found = _SEQ_AND_TRACK.search(body) if first >> 4 == _PUBLISH and qos else None
            if found:
                at = 2 + int.from_bytes(body[:2], "big")
                packet_id = int.from_bytes(body[at : at + 2], "big")
                self._sent[packet_id] = int(found[1]), int(found[2])

    def from_broker(self, data: bytes) -> None:
        """Bytes on the way to the agent."""
        for first, body in self._down.feed(data):
            if first >> 4 != _PUBACK:
                continue
            sent = self._sent.pop(int.from_bytes(body[:2], "big"), None)
            reason = body[2] if len(body) > 2 else 0
            if sent is None or reason >= _FAILURE:
                continue
            seq, track = sent
            if reason == _NOBODY_LISTENS:
                self._ledger.unheard.add(seq)
            self._ledger.acked.setdefault(seq, (track, self._ledger.life))
