"""Options of `record:` of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le

from edge_agent.options import Doc, Duration, Options, Positive, Size


@dataclass(frozen=True, slots=True)
class RecordOptions(Options):
    """Clips that stay on this device: of what the pipeline saw, masked, around its events."""

    before: Annotated[
        Duration, Le(60), Doc("A clip begins this long before the event, as memory has it.")
    ] = 5.0
    after: Annotated[
        Duration, Le(600), Doc("It ends this long after the last object left or came to rest.")
    ] = 5.0
    longest: Annotated[
        Duration, Gt(0), Doc("It ends after this long in any case; a new object begins another.")
    ] = 120.0
    fps: Annotated[Positive, Le(60), Doc("Pictures a second at most.")] = 5.0
    quality: Annotated[int, Ge(10), Le(100), Doc("Quality of the JPEGs.")] = 85
    max_bytes: Annotated[
        Size, Ge(2**20), Doc("All clips of the pipeline together; the oldest go.")
    ] = 256 * 2**20
    max_age: Annotated[Duration, Gt(0), Doc("A clip older than this goes.")] = 7 * 86400.0
    min_free: Annotated[
        Size, Doc("Bytes of the disk that are left free: rather than that, no clip is kept.")
    ] = 256 * 2**20
