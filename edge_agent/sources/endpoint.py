"""A host and a port, written as HOST:PORT."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host, as a name or an address without brackets, and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_endpoint(text: str, key: str, example: str) -> Endpoint:
    """Take HOST:PORT apart; raises ValueError that names the key and shows how it is written."""
    host, colon, port = text.strip().rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:  # without brackets its last part may be the port or not
        host = ""
    if not (colon and host and "/" not in host and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError(f"{key} must be HOST:PORT such as {example}, not {text!r}")
    return Endpoint(host, int(port))
