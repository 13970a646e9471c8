"""The one for whom all of it is done: a QoS 1 subscriber with a persistent session."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.broker import HOST
from tests.support.broker import wait_until

_SEQ = re.compile(rb'"seq":(\d+)')
_TRACK = re.compile(rb'"track":(\d+)')


@dataclass
class Received:
    """Events as they came: which seq brought which number, and what was wrong with that.

    `seqs` are without repeats, in the order of coming. `number` is what the maker of the event has
    called it; a seq that brings two different ones is reused.
    """

    numbers: dict[int, int] = field(default_factory=dict)
    seqs: list[int] = field(default_factory=list)
    newest: int = 0
    repeated: int = 0
    disordered: int = 0
    reused: int = 0
    replayed: int = 0

    def add(self, payload: bytes) -> None:
        """Take note of an event."""
        seq, number = _number(_SEQ, payload), _number(_TRACK, payload)
        if seq in self.numbers:
            self.repeated += 1
            self.reused += self.numbers[seq] != number
            return
        self.replayed += payload.endswith(b'"replayed":true}')
        self.disordered += seq < self.newest
        self.newest = max(self.newest, seq)
        self.numbers[seq] = number
        self.seqs.append(seq)


def _number(pattern: re.Pattern[bytes], payload: bytes) -> int:
    found = pattern.search(payload)
    return int(found[1]) if found else 0


class Watcher:
    """Receives the events of a device; it comes back by itself and can be sent away."""

    def __init__(self, port: int, topic: str, login: tuple[str, str]) -> None:
        self.received = Received()
        self.subscribed = threading.Event()
        self._topic = topic
        self._port = port
        self._paho = Client(
            CallbackAPIVersion.VERSION2, "torture-watcher", protocol=MQTTProtocolVersion.MQTTv5
        )
        self._paho.username_pw_set(*login)
        self._paho.reconnect_delay_set(0.1, 0.1)  # type: ignore[arg-type]
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = lambda *_: self.subscribed.clear()
        self._paho.on_subscribe = lambda *_: self.subscribed.set()
        self._paho.on_message = self._on_message

    def start(self) -> None:
        """Connect, now or again, and wait for the subscription."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        self._paho.connect(HOST, self._port, clean_start=False, properties=properties)
        self._paho.loop_start()
        self.wait_subscribed()

    def wait_subscribed(self) -> None:
        """Wait until the broker has confirmed the subscription."""
        wait_until(self.subscribed.is_set, 20.0, "the subscriber does not get its subscription")

    def leave(self) -> None:
        """Disconnect; the session stays. Safe twice."""
        self._paho.disconnect()
        self._paho.loop_stop()

    def _on_connect(
        self, client: Client, _data: Any, _flags: ConnectFlags, reason: Any, _properties: Any
    ) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, 1)

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.received.add(bytes(message.payload))


def retained(port: int, topic: str, login: tuple[str, str]) -> dict[str, str]:
    """Every retained message below a topic, as a newcomer gets them."""
    found: dict[str, str] = {}
    done = threading.Event()
    paho = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    paho.username_pw_set(*login)
    paho.on_connect = lambda client, *_: client.subscribe(topic, 1)

    def on_message(client: Client, _data: Any, message: MQTTMessage) -> None:
        if message.topic.endswith("/end-of-retained"):
            done.set()
        elif message.retain:
            found[message.topic] = message.payload.decode()

    def on_subscribe(client: Client, *_: Any) -> None:
        # mosquitto sends what is retained before anything that is published afterwards.
        client.publish(f"{topic.removesuffix('/#')}/end-of-retained", b"", 1)

    paho.on_message = on_message
    paho.on_subscribe = on_subscribe
    paho.connect(HOST, port)
    paho.loop_start()
    try:
        wait_until(done.is_set, 10.0, "the retained messages do not come to an end")
    finally:
        paho.disconnect()
        paho.loop_stop()
    return found
