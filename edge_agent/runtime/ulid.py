"""Ids that sort by time."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_TAIL_BITS = 80


def new_ulid(wall: float, tail: int | None = None) -> str:
    """A ULID (github.com/ulid/spec): 48 bits of milliseconds since the epoch, then 80 bits.

    Those are random, or `tail` where ids must come out the same again.
    """
    rest = secrets.randbits(_TAIL_BITS) if tail is None else tail & (1 << _TAIL_BITS) - 1
    number = (max(0, int(wall * 1000)) & (1 << 48) - 1) << _TAIL_BITS | rest
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
