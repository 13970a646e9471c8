"""Options of `filters:`, `zones:`, `lines:`, `privacy:` and `publish:` of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import MaxLen

from edge_agent.options import Doc, Duration, Fraction, Options, Polygon, Positive, Vertex


@dataclass(frozen=True, slots=True)
class SizeOptions(Options):
    """Which objects of a label count in a zone."""

    threshold: Annotated[Fraction | None, Doc("Least score; in a zone the best so far.")] = None
    min_height: Annotated[Fraction, Doc("Least height of the box, as part of the frame's.")] = 0.0
    max_height: Annotated[Fraction, Doc("Greatest height of the box.")] = 1.0
    min_area: Annotated[Fraction, Doc("Least area of the box, as part of the frame's.")] = 0.0
    max_area: Annotated[Fraction, Doc("Greatest area of the box.")] = 1.0


@dataclass(frozen=True, slots=True)
class FilterOptions(SizeOptions):
    """Which results of a label count."""

    aspect: Annotated[
        tuple[Positive, Positive] | None,
        Doc("Narrowest and widest shape: width to height of the box, as it looks."),
    ] = None


@dataclass(frozen=True, slots=True)
class ZoneOptions(Options):
    """An area of the frame; an object is in it when its anchor is."""

    polygon: Annotated[Polygon, Doc("Corners [x, y], 0..1 of the frame, in order.")]
    dwell: Annotated[
        Duration, Doc("An object has entered once it stayed inside for this long.")
    ] = 0.0
    loiter: Annotated[
        Duration | None, Doc("An object that stays inside for this long is told as loitering.")
    ] = None
    anchor: Annotated[
        Literal["bottom", "center", "overlap"],
        Doc(
            "What of an object must be inside: the middle of its lower edge, the middle of its box,"
            " or any part of its box."
        ),
    ] = "bottom"
    filters: Annotated[
        dict[str, SizeOptions], Doc("Which objects can come in, by label; other labels all can.")
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LineOptions(Options):
    """A line that objects cross.

    `in` counts those that come from the left-hand side of someone who walks from `from` to `to`
    (the frame seen with y downwards), `out` the others. Through the points of `via` it is bent.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "extra": "forbid",
        "alias_generator": lambda name: name.rstrip("_"),
    }

    from_: Annotated[Vertex, Doc("First end [x, y], 0..1 of the frame.")]
    to: Annotated[Vertex, Doc("Second end [x, y], 0..1 of the frame.")]
    via: Annotated[
        Annotated[list[Vertex], MaxLen(64)],
        Doc("Points [x, y] at which it bends, on the way from one end to the other."),
    ] = field(default_factory=list)
    anchor: Annotated[
        Literal["bottom", "center"],
        Doc("What of an object crosses: the middle of its lower edge, or the middle of its box."),
    ] = "bottom"


@dataclass(frozen=True, slots=True)
class PrivacyOptions(Options):
    """What nobody may see."""

    mask: Annotated[
        list[Polygon],
        Doc("Areas that are blackened before anything else sees the frame: polygons, 0..1."),
    ] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PublishOptions(Options):
    """What goes out over MQTT."""

    events: Annotated[bool, Doc("new, update and end of each object.")] = True
    counts: Annotated[bool, Doc("Objects present now, retained, per label and zone.")] = True
    detections: Annotated[bool, Doc("One message per inferred frame.")] = False
    snapshots: Annotated[
        Literal["off", "blurred", "full"],
        Doc("A JPEG of each new object, retained: pixelated beyond recovery, or as it is."),
    ] = "off"
    update_every: Annotated[
        Duration, Doc("At most one update of an object in this time; 0 for every change.")
    ] = 1.0
