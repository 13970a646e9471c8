"""Options of the connection to the broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from edge_agent.options import Doc, Duration, Options, Secret


@dataclass(frozen=True, slots=True)
class TlsOptions(Options):
    """Encryption; without any key the system's certificate authorities are trusted."""

    ca_file: Annotated[
        str | None, Doc("PEM file of the authorities to trust instead of the system's.")
    ] = None
    cert_file: Annotated[str | None, Doc("PEM file of this client's own certificate.")] = None
    key_file: Annotated[
        str | None, Doc("PEM file of its private key, where it is not in cert_file.")
    ] = None
    server_name: Annotated[
        str | None,
        Doc("Name in the broker's certificate, where mqtt.host is another name or an address."),
    ] = None
    min_version: Annotated[
        Literal["tlsv1.2", "tlsv1.3"], Doc("Oldest version of TLS that is spoken.")
    ] = "tlsv1.2"
    insecure: Annotated[
        bool, Doc("Trust any certificate: encrypted, but anyone may pose as the broker.")
    ] = False


@dataclass(frozen=True, slots=True)
class HomeAssistantOptions(Options):
    """What Home Assistant is told."""

    discovery: Annotated[
        bool, Doc("Announce the device and its entities; false takes them back.")
    ] = True
    prefix: Annotated[str, Doc("Discovery prefix that Home Assistant is set to.")] = "homeassistant"


@dataclass(frozen=True, slots=True)
class MqttOptions(Options):
    """Where the broker is and how to log in."""

    host: Annotated[str, Doc("Name or address of the broker.")] = "localhost"
    port: Annotated[
        int | None,
        Ge(1),
        Le(65535),
        Doc("TCP port; default 1883, with TLS 8883; for WebSockets 80, with TLS 443."),
    ] = None
    protocol: Annotated[
        Literal[5, "5", "3.1.1"], Doc("MQTT version: 5, or 3.1.1 for older brokers.")
    ] = 5
    encoding: Annotated[
        Literal["json", "sparkplug_b"],
        Doc("JSON topics with Home Assistant, or Sparkplug B for industrial hosts."),
    ] = "json"
    transport: Annotated[
        Literal["tcp", "websockets"], Doc("Plain MQTT, or MQTT inside WebSockets.")
    ] = "tcp"
    websocket_path: Annotated[str, Doc("Path of the broker's WebSocket endpoint.")] = "/mqtt"
    username: Annotated[str | None, Doc("User name to log in with.")] = None
    password: Annotated[Secret | None, Doc("Password to log in with.")] = None
    client_id: Annotated[
        str | None,
        Doc("Client id, unique at the broker; default edge-agent-{agent.name}."),
    ] = None
    topic_prefix: Annotated[str, Doc("First part of every topic.")] = "edge"
    keepalive: Annotated[
        Duration,
        Ge(1),
        Le(3600),
        Doc("How long the line may be silent before it is tested; a dead one shows after twice."),
    ] = 30.0
    tls: Annotated[TlsOptions | None, Doc("Encryption; {} trusts the system's authorities.")] = None
    inflight: Annotated[
        int, Ge(1), Le(1000), Doc("Most messages sent and not yet acknowledged by the broker.")
    ] = 20
    homeassistant: Annotated[HomeAssistantOptions, Doc("What Home Assistant is told.")] = (
        HomeAssistantOptions()
    )

    @property
    def is_v5(self) -> bool:
        """True for MQTT 5."""
        return self.protocol in (5, "5")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to."""
        plain, encrypted = (80, 443) if self.transport == "websockets" else (1883, 8883)
        return self.host, self.port or (encrypted if self.tls else plain)


def check_options(options: MqttOptions) -> None:
    """Raise ValueError where options do not fit together."""
    if not options.host or any(c in options.host for c in "/@ "):
        raise ValueError("mqtt.host must be a plain host name or address, such as broker.local")
    if options.password is not None and options.username is None:
        raise ValueError("mqtt.password needs mqtt.username")
    if options.tls and options.tls.key_file and not options.tls.cert_file:
        raise ValueError("mqtt.tls.key_file needs mqtt.tls.cert_file")
    if not options.websocket_path.startswith("/"):
        raise ValueError("mqtt.websocket_path must begin with '/'")
    if options.client_id == "":
        raise ValueError("mqtt.client_id must not be empty (leave it out for the default)")
