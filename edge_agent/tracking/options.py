"""Options of `track:`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from edge_agent.options import Doc, Duration, Fraction, Options


@dataclass(frozen=True, slots=True)
class TrackOptions(Options):
    """How detections are joined to objects."""

    iou: Annotated[
        Fraction,
        Doc(
            "Least overlap of two boxes of one object in consecutive frames; both are drawn wider "
            "the further it may have moved since it was seen."
        ),
    ] = 0.2
    hits: Annotated[
        int, Ge(1), Le(64), Doc("An object is real once it was seen in this many frames ...")
    ] = 3
    of: Annotated[int, Ge(1), Le(64), Doc("... of this many consecutive inferred frames.")] = 5
    lost: Annotated[Duration, Doc("An object ends when it was not seen for this long.")] = 2.0
    sure: Annotated[
        Fraction,
        Doc(
            "A detection with a score above this makes an object real at once, and one below four "
            "fifths of it must fit an object better to be joined to it; 1 = all count the same."
        ),
    ] = 0.9
    faint: Annotated[
        Fraction,
        Doc(
            "A detection below the threshold, but not below this part of it, goes on with an "
            "object where it was just seen; it never begins one. 1 = none counts."
        ),
    ] = 0.4
