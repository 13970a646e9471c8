"""Ids that sort by time."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def new_ulid(wall: float) -> str:
    """A ULID (github.com/ulid/spec): 48 bits of milliseconds since the epoch, 80 random bits."""
    number = (max(0, int(wall * 1000)) & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
