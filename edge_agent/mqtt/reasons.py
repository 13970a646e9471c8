"""Why there is no connection, in words that name the cure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping

from paho.mqtt.client import WebsocketConnectionError

from edge_agent.mqtt.options import MqttOptions

TAKEN_OVER = 0x8E
NOT_AUTHORISED = 0x87
_FIRST_FAILURE = 0x80
_WANTS_LOGIN = (0x86, 0x87)

# MQTT 5, section 2.4; a 3.1.1 broker's five codes are mapped to these by paho.
_REFUSED: Mapping[int, str] = {
    0x81: "the broker calls our greeting malformed (check mqtt.host and mqtt.port)",
    0x84: "the broker does not speak this version of MQTT (set mqtt.protocol to 3.1.1)",
    0x85: "the broker does not accept our client id (set mqtt.client_id)",
    0x86: "wrong user name or password (check mqtt.username and mqtt.password)",
    0x87: "not authorised (check mqtt.username, mqtt.password and the broker's access rules)",
    0x88: "the broker is not available now",
    0x89: "the broker is busy",
    0x8A: "the broker has banned this client",
    0x8C: "the broker wants a login method that we do not have",
    0x90: "the broker does not accept our topics (check mqtt.topic_prefix and agent.name)",
    0x95: "our greeting is too large for the broker",
    0x97: "a quota of the broker is used up",
    0x9A: "the broker does not keep retained messages, which our status needs",
    0x9B: "the broker does not support QoS 1, which our status needs",
    0x9C: "the broker tells us to use another one (check mqtt.host)",
    0x9D: "the broker has moved (check mqtt.host)",
    0x9F: "the broker limits the rate of connections",
}
_DISCONNECTED: Mapping[int, str] = {
    0x00: "the broker closed the connection",
    0x82: "the broker calls something that we sent a protocol error",
    0x87: "the broker says that we are no longer authorised",
    0x89: "the broker is busy",
    0x8B: "the broker is shutting down",
    0x8D: "nothing was heard from the other side within the keep-alive time",
    0x93: "the broker says that we sent too many messages at once",
    0x95: "a message was too large for the broker",
    0x96: "the broker says that we send too fast",
    0x97: "a quota of the broker is used up",
    0x98: "an administrator of the broker closed the connection",
    0xA0: "the broker limits how long a connection lasts",
}
_NOT_PUBLISHED: Mapping[int, str] = {
    0x87: "not authorised (check the broker's access rules)",
    0x90: "the topic is not accepted",
    0x95: "too large for the broker",
    0x97: "a quota of the broker is used up",
    0x99: "the payload is not accepted",
}
_EXPIRED, _NOT_YET_VALID = 10, 9  # X509_V_ERR_* of OpenSSL
_NAME_MISMATCH = (62, 64)


def is_failure(code: int) -> bool:
    """True for the reason codes that mean a refusal."""
    return code >= _FIRST_FAILURE


def refused(code: int, options: MqttOptions, detail: str = "") -> str:
    """Text for a refused connection."""
    if code in _WANTS_LOGIN and not options.username:
        return "the broker wants a login (set mqtt.username and mqtt.password)"
    return _text(_REFUSED, code, "the broker refused the connection", detail)


def disconnected(code: int, client_id: str, detail: str = "") -> str:
    """Text for a connection that the broker ended."""
    if code == TAKEN_OVER:
        return (
            f"another client took over our client id {client_id!r}"
            " (give each device its own agent.name or mqtt.client_id)"
        )
    return _text(_DISCONNECTED, code, "the broker closed the connection", detail)


def not_published(code: int, detail: str = "") -> str:
    """Text for a message that the broker does not accept."""
    return _text(_NOT_PUBLISHED, code, "refused", detail)


def _text(table: Mapping[int, str], code: int, otherwise: str, detail: str) -> str:
    known = table.get(code)
    text = known or f"{otherwise}, reason code 0x{code:02X}"
    return f"{text}: {detail}" if detail and not known else text


def unreachable(error: Exception, options: MqttOptions, seconds: float) -> str:
    """Text for a connection that could not be opened."""
    host, port = options.address
    if isinstance(error, socket.gaierror):
        return f"no address is known for {host!r} (check mqtt.host and the name server)"
    if isinstance(error, ssl.SSLError):
        return _tls(error, options)
    if isinstance(error, ConnectionRefusedError):
        return f"{host}:{port} refused the connection (is a broker running there?)"
    if isinstance(error, ConnectionResetError) and options.tls:
        cure = "check mqtt.port, or remove mqtt.tls"
        return f"{host}:{port} hung up within the TLS handshake ({cure})"
    if isinstance(error, WebsocketConnectionError):
        return f"{host}:{port} does not speak WebSockets (check mqtt.port and mqtt.websocket_path)"
    if isinstance(error, TimeoutError):
        return f"no answer from {host}:{port} within {seconds:g} s (check mqtt.host and firewall)"
    if isinstance(error, OSError) and error.strerror:
        return f"cannot reach {host}:{port}: {error.strerror}"
    return f"cannot reach {host}:{port}: {error}"


def silent(options: MqttOptions, seconds: float) -> str:
    """Text for a listener that takes the connection and then says nothing."""
    host, port = options.address
    return (
        f"{host}:{port} does not answer the MQTT greeting within {seconds:g} s"
        " (check mqtt.port and mqtt.protocol)"
    )


def hung_up(options: MqttOptions) -> str:
    """Text for a connection that ends before the broker has answered the greeting."""
    tls = "" if options.tls else "; a port for TLS needs mqtt.tls: {}"
    return f"hung up before the greeting was done (check mqtt.port and mqtt.protocol{tls})"


def _tls(error: ssl.SSLError, options: MqttOptions) -> str:
    host, port = options.address
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _NAME_MISMATCH:
            name = (options.tls and options.tls.server_name) or host
            cure = "set mqtt.host or mqtt.tls.server_name to a name in it"
            return f"the broker's certificate is not for {name!r} ({cure})"
        if error.verify_code == _EXPIRED:
            return "the broker's certificate has expired (renew it; check this device's clock)"
        if error.verify_code == _NOT_YET_VALID:
            return "the broker's certificate is not valid yet (check this device's clock)"
        return (
            f"the broker's certificate is not trusted: {error.verify_message}"
            " (set mqtt.tls.ca_file to the authority that signed it)"
        )
    return broken(str(error)) or f"no TLS with {host}:{port}: {error.reason or error}"


def broken(detail: str) -> str:
    """Text for what TLS says while the connection is made or used; empty where it says nothing."""
    detail = detail.replace("_", " ").lower()
    if "certificate required" in detail or ("handshake failure" in detail and "alert" in detail):
        return "the broker wants a client certificate (set mqtt.tls.cert_file and key_file)"
    if "alert" in detail and ("unknown ca" in detail or "certificate" in detail):
        return "the broker does not trust our client certificate (check mqtt.tls.cert_file)"
    if "protocol version" in detail or "unsupported protocol" in detail:
        return "the broker speaks no version of TLS that mqtt.tls.min_version allows"
    if "wrong version number" in detail or "record layer" in detail:
        return "the port does not speak TLS (check mqtt.port, or remove mqtt.tls)"
    return ""
