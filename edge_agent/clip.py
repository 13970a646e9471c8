"""The format of a recorded clip: JPEG pictures one after the other, each with its times inside.

Players know it as MJPEG. There is no index, so what a power cut left of it can be read.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SUFFIX = ".mjpg"
"""Ending of a clip's name."""

_SOI, _APP0, _COMMENT = b"\xff\xd8", b"\xff\xe0", b"\xff\xfe"
_STAMP = re.compile(rb"edge-agent/frame/1 (-?\d+\.\d+) (\d+\.\d+)")
_SEARCHED = 256  # bytes from the start in which the stamp must stand


class Stamp(NamedTuple):
    """When a picture was taken: epoch seconds, and seconds after the clip's first one.

    The second is by the monotonic clock, so a clock that is set meanwhile does no harm.
    """

    wall: float
    at: float


def stamped(jpeg: bytes, stamp: Stamp) -> bytes:
    """The picture with its times in a comment."""
    text = b"edge-agent/frame/1 %.6f %.6f" % stamp
    start = len(_SOI)
    if jpeg[start : start + 2] == _APP0:  # where it is, it must come first
        start += 2 + int.from_bytes(jpeg[start + 2 : start + 4], "big")
    return jpeg[:start] + _COMMENT + (len(text) + 2).to_bytes(2, "big") + text + jpeg[start:]


def stamp_of(jpeg: bytes) -> Stamp | None:
    """The times in a picture, None where it has none."""
    found = _STAMP.search(jpeg, 0, _SEARCHED)
    return Stamp(float(found[1]), float(found[2])) if found else None
