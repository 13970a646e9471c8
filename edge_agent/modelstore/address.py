"""The address of a server of updates, looked at without asking it."""

from __future__ import annotations

from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


def origin_of(url: str) -> Origin:
    """Which server an address of HTTP is of; raises ValueError that repeats nothing of it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is no address") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("is no address of HTTP")
    return parts.scheme, parts.hostname, port or _PORTS[parts.scheme]
