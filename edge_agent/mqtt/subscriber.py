"""Listens to what agents publish: for `watch`, the demo and `edge_agent.client`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.mqtt import reasons
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions, check_options
from edge_agent.mqtt.tls import tls_context

_TIMEOUT = 5.0  # seconds for opening a connection
_MOST_WAIT = 10  # seconds between two tries
_SESSION_KEPT = 7 * 86400  # seconds for which a broker keeps the session of one who is away


class Subscriber:
    """Subscribes with QoS 1 and hands over every message; comes back by itself after a loss.

    `on_message` and `on_state(reason)` (empty while connected) are called in the client's thread.
    `session` is a client id under which the broker keeps, for a week, what comes while we are
    away. With `by_hand` a message is acknowledged by `done`, and an MQTT 5 broker sends no more
    than `options.inflight` ahead; else it is acknowledged when `on_message` returns.
    """

    def __init__(
        self,
        options: MqttOptions,
        filters: Sequence[str],
        on_message: Callable[[Received], None],
        on_state: Callable[[str], None] = lambda _: None,
        *,
        session: str = "",
        by_hand: bool = False,
    ) -> None:
        check_options(options)
        self.subscribed = threading.Event()
        self._connected_before = False
        self._options = options
        self._filters = tuple(filters)
        self._on_message = on_message
        self._on_state = on_state
        self._session = session
        self._by_hand = by_hand
        self._connection = 0
        self._paho = Client(
            CallbackAPIVersion.VERSION2,
            session,
            None if options.is_v5 else not session,
            protocol=MQTTProtocolVersion.MQTTv5 if options.is_v5 else MQTTProtocolVersion.MQTTv311,
            transport=options.transport,
            manual_ack=by_hand,
        )
        self._paho.ws_set_options(options.websocket_path)
        self._paho.on_connect = self._connected
        self._paho.on_disconnect = self._disconnected
        self._paho.on_subscribe = self._on_subscribed
        self._paho.on_message = self._received

    def start(self) -> None:
        """Connect and subscribe, in the background.

        Raises OSError where the broker cannot be reached at all, ValueError for bad TLS files.
        """
        options = self._options
        if options.username is not None:
            password = options.password.reveal() if options.password is not None else None
            self._paho.username_pw_set(options.username, password)
        if options.tls:
            self._paho.tls_set_context(tls_context(options.tls))
        self._paho.connect_timeout = _TIMEOUT
        self._paho.reconnect_delay_set(1, _MOST_WAIT)
        host, port = options.address
        keepalive = max(1, round(options.keepalive))
        if options.is_v5:
            start, properties = not self._session, self._connect_properties()
            self._paho.connect(host, port, keepalive, clean_start=start, properties=properties)
        else:
            self._paho.connect(host, port, keepalive)
        self._paho.loop_start()

    def done(self, received: Received) -> None:
        """Acknowledge a message, in the order in which they came; from any thread.

        One of an earlier connection is left alone: the broker sends it again or has forgotten it.
        """
        connection, packet_id = received.packet
        if self._by_hand and packet_id and connection == self._connection:
            self._paho.ack(packet_id, 1)

    def stop(self) -> None:
        """Disconnect; safe without start and twice."""
        self._paho.disconnect()
        self._paho.loop_stop()

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_KEPT if self._session else 0
        if self._by_hand:
            properties.ReceiveMaximum = self._options.inflight
        return properties

    def _connected(
        self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._on_state(reasons.refused(reason.value, self._options))
            return
        self._connected_before = True
        self._connection += 1
        self._on_state("")
        client.subscribe([(each, 1) for each in self._filters])

    def _disconnected(
        self, _client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        was_connected, self._connected_before = self._connected_before, False
        self._connection += 1
        self.subscribed.clear()
        if reason.is_failure and was_connected:
            self._on_state("the connection was lost")

    def _on_subscribed(
        self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        if any(code.is_failure for code in codes):
            self._on_state("the broker does not allow this subscription")
        else:
            self.subscribed.set()

    def _received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self._on_message(Received.of(message, self._connection))
