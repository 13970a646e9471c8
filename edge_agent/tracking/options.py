"""Options of `track:` and `refine:`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, MinLen

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


@dataclass(frozen=True, slots=True)
class RefineOptions(Options):
    """A second model that looks at each object by itself and names it more closely."""

    labels: Annotated[
        Annotated[list[str], MinLen(1)] | None,
        Doc("Labels of the objects that it looks at; default: all."),
    ] = None
    threshold: Annotated[
        Fraction, Doc("Least score of a class; below it a look does not vote.")
    ] = 0.5
    margin: Annotated[
        float, Ge(0), Le(1), Doc("Drawn in around the box, on each side, as part of the box's.")
    ] = 0.1
    min_size: Annotated[
        int, Ge(0), Doc("Least pixels of the shorter side of the box in the frame.")
    ] = 32
    looks: Annotated[
        int,
        Ge(1),
        Le(64),
        Doc(
            "A new object is looked at so often; a name needs more than half of these votes. "
            "1 for single pictures."
        ),
    ] = 3
    every: Annotated[
        Duration | None,
        Gt(0),
        Doc("One that has its name is looked at again after this long; default: no more."),
    ] = None
    per_frame: Annotated[
        int, Ge(1), Le(64), Doc("Most objects of one frame that are looked at; the newest first.")
    ] = 2
