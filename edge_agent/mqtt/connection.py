"""One connection to the broker, from the socket to its end; never used twice.

A fresh paho client for each connection keeps paho from sending its own leftovers again: what was
not acknowledged goes back to the outbox, which alone remembers. The broker likewise keeps no
session for us (clean start, session expiry 0).

All methods belong to one thread. paho's callbacks only note facts; the owner reads them.
"""

from __future__ import annotations

import logging
import os
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.message import Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.tls import tls_context
from edge_agent.mqtt.waker import Waker

LOST = "the connection was lost"
_LARGEST_RECEIVED = 256 * 2**10  # bytes; MQTT 5 brokers keep larger ones to themselves
_MOST_PROPERTIES = 64


@dataclass(frozen=True, slots=True)
class Grant:
    """What the broker allows on this connection; `max_packet` is bytes, None without limit."""

    window: int
    max_packet: int | None = None
    max_qos: int = 2
    retain: bool = True


class Answer(NamedTuple):  # made for every message: a dataclass takes three times as long
    """What the broker says about one message or subscription; `detail` only of a refusal."""

    mid: int
    codes: tuple[int, ...]
    detail: str = ""

    @property
    def refused(self) -> bool:
        """True when any part of it was refused."""
        return any(reasons.is_failure(code) for code in self.codes)


class _Packed(Properties):
    """The properties of many messages, packed once; packing costs as much as all the rest."""

    def __init__(self, properties: Properties) -> None:
        object.__setattr__(self, "_bytes", properties.pack())  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        packed: bytes = object.__getattribute__(self, "_bytes")
        return packed


class _LastError(logging.Handler):
    """Keeps what paho says about a socket that failed; it tells nobody else."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


class Connection:
    """A connection with its facts: `grant` once accepted, `ended` (why) once it is over."""

    def __init__(
        self, options: MqttOptions, client_id: str, will: Message | None, waker: Waker
    ) -> None:
        self._waker = waker
        self._options = options
        self._is_v5 = options.is_v5
        self._client_id = client_id
        self.grant: Grant | None = None
        self.ended: str | None = None
        self._published: list[Answer] = []
        self._subscribed: list[Answer] = []
        self._received: list[Received] = []
        self._properties: dict[Any, _Packed] = {}
        self._poll = select.poll()
        self._fd = -1
        self._last_error = _LastError()
        self._paho = self._make_client(will)

    def open(self, timeout: float) -> None:
        """Connect and greet; each address and TLS may take `timeout` s.

        Raises OSError where the broker cannot be reached and ValueError for bad TLS files.
        """
        options = self._options
        if options.tls:
            self._paho.tls_set_context(tls_context(options.tls))
        self._paho.connect_timeout = timeout
        host, port = options.address
        keepalive = max(1, round(options.keepalive))
        if options.is_v5:
            properties = _empty(PacketTypes.CONNECT)
            properties.MaximumPacketSize = _LARGEST_RECEIVED
            self._paho.connect(host, port, keepalive, clean_start=True, properties=properties)
        else:
            self._paho.connect(host, port, keepalive)
        self._poll.register(self._waker, select.POLLIN)
        self._poll.register(self._fd, select.POLLIN)

    def step(self, timeout: float) -> None:
        """Send what waits, then wait for the socket, the waker or `timeout` s, then read."""
        sock = self._paho.socket()
        if self._paho.want_write():
            self._paho.loop_write()
        if sock is None or self._paho.socket() is None:
            self._lost()
            return
        wanted = select.POLLIN | (select.POLLOUT if self._paho.want_write() else 0)
        self._poll.modify(self._fd, wanted)
        pending = self._options.tls is not None and sock.pending() > 0  # type: ignore[attr-defined]
        ready = dict(self._poll.poll(0 if pending else timeout * 1000.0))
        if self._waker.fileno() in ready:
            self._waker.clear()
        if pending or ready.get(self._fd, 0) & ~select.POLLOUT:
            self._paho.loop_read()
        self._paho.loop_misc()
        if self._paho.socket() is None:
            self._lost()

    @property
    def congested(self) -> bool:
        """True while the socket does not take more bytes."""
        return self._paho.want_write()

    def publish(self, message: Message, payload: bytes | None = None) -> int:
        """Queue a message for sending, with another payload if given, and return its packet id.

        Raises ValueError for one that must not be sent: bad topic, too large for the broker.
        """
        grant = self.grant or Grant(1)
        properties = self._publish_properties(message)
        body = message.payload if payload is None else payload
        self._check_size(message.topic, body, properties, grant)
        info = self._paho.publish(
            message.topic,
            body,
            min(message.qos, grant.max_qos),
            message.retain and grant.retain,
            properties,
        )
        if info.rc and info.rc != MQTTErrorCode.MQTT_ERR_NO_CONN:
            raise ValueError(f"paho refused it: {info.rc.name}")
        return info.mid

    def subscribe(self, filters: Sequence[str], own: bool = False) -> int:
        """Ask for topics and return the packet id; on MQTT 5 what we publish only with `own`."""
        options = SubscribeOptions(qos=1, noLocal=not own)
        if self._options.is_v5:
            return self._paho.subscribe([(each, options) for each in filters])[1] or 0
        return self._paho.subscribe([(each, 1) for each in filters])[1] or 0

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Ask for no more of these topics."""
        self._paho.unsubscribe(list(filters))

    def take_published(self) -> list[Answer]:
        """Answers to what was published, since the last call."""
        answers, self._published = self._published, []
        return answers

    def take_subscribed(self) -> list[Answer]:
        """Answers to subscriptions, since the last call."""
        answers, self._subscribed = self._subscribed, []
        return answers

    def take_received(self) -> list[Received]:
        """Messages that came in, since the last call."""
        received, self._received = self._received, []
        return received

    def disconnect(self) -> None:
        """Say goodbye, so that the broker does not send the last will."""
        self._paho.disconnect()
        self._paho.loop_write()

    def close(self) -> None:
        """Drop the socket; safe at any time and twice."""
        sock = self._paho.socket()
        if sock is not None:
            sock.close()

    def _make_client(self, will: Message | None) -> Client:
        options = self._options
        v5 = options.is_v5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            clean_session=None if v5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311,
            transport=options.transport,
            reconnect_on_failure=False,
        )
        client.ws_set_options(options.websocket_path)
        client.max_inflight_messages = 0  # the window is ours to keep
        if options.username is not None:
            password = options.password.reveal() if options.password is not None else None
            client.username_pw_set(options.username, password)
        if will is not None:
            properties = _empty(PacketTypes.WILLMESSAGE) if v5 else None
            if properties is not None:
                properties.ContentType = will.content_type
            client.will_set(will.topic, will.payload, will.qos, will.retain, properties)
        self._listen_to(client)
        return client

    def _listen_to(self, client: Client) -> None:
        # A logger outside logging's tree: levels are checked before anything is formatted.
        logger = logging.Logger("paho", logging.ERROR)
        logger.addHandler(self._last_error)
        client.enable_logger(logger)
        client.on_socket_open = self._on_socket_open
        # With this hook set, paho only queues: writing is left to step().
        client.on_socket_register_write = lambda *_: None
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = lambda _client, _data, message: self._received.append(
            Received.of(message)
        )

    def _on_socket_open(self, _client: Client, _data: Any, sock: Any) -> None:
        self._fd = sock.fileno()
        # Through a twin: what paho wraps around a WebSocket has no options.
        with socket.socket(fileno=os.dup(self._fd)) as twin:
            twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                # A cut line with data under way shows after one keep-alive time instead of two.
                limit_ms = int(self._options.keepalive * 1000)
                twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit_ms)

    def _on_connect(
        self,
        _client: Client,
        _data: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._end(reasons.refused(reason.value, self._options, _detail(properties)))
            return
        self.grant = Grant(
            window=min(self._options.inflight, getattr(properties, "ReceiveMaximum", 65535)),
            max_packet=getattr(properties, "MaximumPacketSize", None),
            max_qos=getattr(properties, "MaximumQoS", 2),
            retain=bool(getattr(properties, "RetainAvailable", 1)),
        )

    def _on_disconnect(
        self,
        _client: Client,
        _data: Any,
        flags: DisconnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            text = reasons.disconnected(reason.value, self._client_id, _detail(properties))
            self._end(text)
        elif reason.getName() == "Keep alive timeout":
            self._end(reasons.disconnected(reason.value, self._client_id))
        else:
            self._lost()

    def _on_publish(
        self, _client: Client, _data: Any, mid: int, reason: ReasonCode, properties: Properties
    ) -> None:
        code = reason.value
        detail = _detail(properties) if reasons.is_failure(code) else ""
        self._published.append(Answer(mid, (code,), detail))

    def _on_subscribe(
        self,
        _client: Client,
        _data: Any,
        mid: int,
        codes: list[ReasonCode],
        properties: Properties | None,
    ) -> None:
        answer = Answer(mid, tuple(code.value for code in codes), _detail(properties))
        self._subscribed.append(answer)

    def _lost(self) -> None:
        told = reasons.broken(self._last_error.text)
        if told:
            self._end(told)
        elif self.grant is None:
            self._end(reasons.hung_up(self._options))
        else:
            self._end(LOST)

    def _end(self, why: str) -> None:
        self.ended = self.ended or why

    def _publish_properties(self, message: Message) -> _Packed | None:
        if not self._is_v5:
            return None
        key = (message.content_type, message.expiry, message.properties, message.correlation)
        known = self._properties.get(key)
        if known is None:
            if len(self._properties) >= _MOST_PROPERTIES:
                self._properties.clear()
            known = self._properties[key] = _Packed(_properties(message))
        return known

    @staticmethod
    def _check_size(topic: str, body: bytes, properties: _Packed | None, grant: Grant) -> None:
        if grant.max_packet is None:
            return
        packed = len(properties.pack()) if properties is not None else 0
        # Fixed header of at most 5 bytes, topic length, packet id.
        size = 5 + 2 + len(topic.encode()) + 2 + packed + len(body)
        if size > grant.max_packet:
            raise ValueError(f"{size} bytes are too large for the broker ({grant.max_packet})")


def _empty(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def _detail(properties: Properties | None) -> str:
    return str(getattr(properties, "ReasonString", ""))


def _properties(message: Message) -> Properties:
    properties = _empty(PacketTypes.PUBLISH)
    if message.content_type:
        properties.ContentType = message.content_type
    if message.expiry is not None:
        properties.MessageExpiryInterval = message.expiry
    if message.correlation:
        properties.CorrelationData = message.correlation
    if message.properties:
        properties.UserProperty = list(message.properties)
    return properties
