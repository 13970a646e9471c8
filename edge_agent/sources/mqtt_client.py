"""A connection to a broker that only listens; whoever reads drives it, so it has no thread."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, topic_matches_sub
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.options import Secret

_SLICE = 0.1  # seconds after which a wait looks whether it is to end
_KEEPALIVE = 30  # seconds
_LOGIN = (0x86, 0x87)  # MQTT 5, section 2.4; paho maps the five codes of 3.1.1 to these
_VERSION = (0x84, 0x01)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to connect and how; `ca_file` None trusts the system's authorities."""

    host: str
    port: int
    is_v5: bool
    username: str | None
    password: Secret | None
    tls: bool
    ca_file: str | None
    cert_file: str | None
    key_file: str | None
    verify: bool
    timeout: float

    @property
    def shown(self) -> str:
        """What messages call it."""
        return f"broker {self.host}:{self.port}"


class MqttListener:
    """Hands every message of some topics to `on_message`, called inside `run`.

    A listener is used once. `open` and `run` end early once `closing` is set; `close` belongs to
    the thread that uses them.
    """

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        on_message: Callable[[MQTTMessage], None],
        closing: threading.Event,
    ) -> None:
        self._broker = broker
        # A broker may send a message once for each filter that it fits.
        self._topics = tuple(
            topic
            for topic in dict.fromkeys(topics)
            if not any(other != topic and topic_matches_sub(other, topic) for other in topics)
        )
        self._closing = closing
        self._refused: SourceError | None = None
        self._subscribed = False
        version = MQTTProtocolVersion.MQTTv5 if broker.is_v5 else MQTTProtocolVersion.MQTTv311
        self._paho = Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._paho.connect_timeout = broker.timeout
        if broker.username is not None:
            password = broker.password.reveal() if broker.password is not None else None
            self._paho.username_pw_set(broker.username, password)
        self._paho.on_connect = self._connected
        self._paho.on_subscribe = self._on_subscribed
        self._paho.on_message = lambda _client, _data, message: on_message(message)

    def open(self) -> None:
        """Connect and subscribe within the timeout; raises SourceError."""
        broker = self._broker
        deadline = time.monotonic() + broker.timeout
        try:
            if broker.tls:
                self._paho.tls_set_context(_context(broker))
            self._paho.connect(broker.host, broker.port, _KEEPALIVE)
        except (OSError, ValueError) as error:
            raise _unreachable(broker, error) from error
        while not self._subscribed and not self._closing.is_set():
            self.run()
            if time.monotonic() > deadline:
                text = f"{broker.shown} does not answer within {broker.timeout:g} s"
                raise SourceUnavailable(text, "check host, port, tls and protocol")

    def run(self, timeout: float = _SLICE) -> None:
        """Handle what comes next, or wait for it `timeout` seconds; raises SourceError."""
        code = self._paho.loop(timeout)
        if self._refused is not None:
            raise self._refused
        if code is not MQTTErrorCode.MQTT_ERR_SUCCESS and not self._closing.is_set():
            text = f"{self._broker.shown} ended the connection"
            raise SourceUnavailable(text, "it is opened again by itself")

    def close(self) -> None:
        """Say goodbye and close the connection."""
        with contextlib.suppress(OSError, ValueError):
            self._paho.disconnect()
            self._paho.loop(0.0)
        # paho closes its own sockets when it is freed: not in a circle with us, but now.
        self._paho.on_connect = self._paho.on_subscribe = self._paho.on_message = None
        self._refused = None

    def _connected(
        self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refused = _refusal(self._broker, reason)
        else:
            client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribed(
        self, _client: Client, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any
    ) -> None:
        refused = [t for t, code in zip(self._topics, codes, strict=False) if code.is_failure]
        if refused:
            text = f"{self._broker.shown} does not let us read {', '.join(refused)}"
            self._refused = SourceUnusable(text, "check the topics and its access rules")
        self._subscribed = True


def _context(broker: Broker) -> ssl.SSLContext:
    """The files are read anew, so a renewed certificate is used; raises OSError or ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As for the agent's own broker: an intermediate authority may be trusted by itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if broker.ca_file:
        context.load_verify_locations(broker.ca_file)
    else:
        context.load_default_certs()
    if not broker.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if broker.cert_file:
        # Without a password function OpenSSL would ask for one on the terminal.
        context.load_cert_chain(broker.cert_file, broker.key_file, password=lambda: b"")
    return context


def _refusal(broker: Broker, reason: ReasonCode) -> SourceError:
    if reason.value in _LOGIN:
        text = f"{broker.shown} refuses the user name or password"
        return SourceUnusable(text, "check username and password")
    if reason.value in _VERSION:
        text = f"{broker.shown} does not speak this version of MQTT"
        return SourceUnusable(text, "set protocol: 3.1.1")
    return SourceUnavailable(f"{broker.shown} refuses: {reason}", "see the broker's log")


def _unreachable(broker: Broker, error: Exception) -> SourceError:
    shown = broker.shown
    if isinstance(error, ssl.SSLCertVerificationError):
        text = f"the certificate of {shown} is not trusted: {error.verify_message}"
        return SourceUnusable(text, "set ca_file to the authority that signed it")
    if isinstance(error, FileNotFoundError | PermissionError):
        text = f"a TLS file of {shown} cannot be read: {error.filename or error}"
        return SourceUnusable(text, "check ca_file, cert_file and key_file")
    if isinstance(error, ssl.SSLError):
        return SourceUnavailable(f"no TLS with {shown}: {error.reason}", "check port and tls")
    if isinstance(error, socket.gaierror):
        return SourceUnavailable(f"the host of {shown} is not known", "check the name and the DNS")
    if isinstance(error, ConnectionRefusedError):
        return SourceUnavailable(f"nothing listens at {shown}", "check that it runs, and the port")
    if isinstance(error, TimeoutError):
        text = f"no answer from {shown} within {broker.timeout:g} s"
        return SourceUnavailable(text, "check host and firewall")
    return SourceUnavailable(f"{shown} cannot be reached: {error}", "check host and network")
