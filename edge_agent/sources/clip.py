"""Reads clips that the recorder kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edge_agent.clip import Stamp, stamp_of
from edge_agent.errors import SourceUnusable
from edge_agent.sources.base import Image
from edge_agent.sources.jpeg import JpegScanner
from edge_agent.sources.pictures import BadPicture, decode_picture

_log = logging.getLogger(__name__)

_LARGEST = 64 * 2**20  # bytes of one picture
_CHUNK = 256 * 1024


class ClipPicture(NamedTuple):
    """One picture of a clip and when it was taken."""

    image: Image
    stamp: Stamp


def read_clip(path: Path) -> Iterator[ClipPicture]:
    """The pictures of a clip in order; what is damaged, and what breaks off, is left out.

    Raises SourceUnusable for a file that cannot be read.
    """
    for jpeg in _jpegs(path):
        stamp = stamp_of(jpeg)
        if stamp is None:
            continue
        try:
            yield ClipPicture(decode_picture(jpeg), stamp)
        except BadPicture as error:
            _log.warning("clip %s: a picture cannot be used: %s", path, error)


def stamps(path: Path, most: int) -> list[Stamp]:
    """When the first pictures of a file were taken; empty for one that is no clip."""
    found: list[Stamp] = []
    for jpeg in _jpegs(path):
        stamp = stamp_of(jpeg)
        if stamp is None or len(found) == most:
            break
        found.append(stamp)
    return found


def _jpegs(path: Path) -> Iterator[bytes]:
    scanner = JpegScanner(_LARGEST)
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield from scanner.feed(chunk)
    except OSError as error:
        raise SourceUnusable(f"clip {path} cannot be read: {error.strerror}") from error
