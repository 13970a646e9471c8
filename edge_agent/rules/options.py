"""Options of `filters:`, `zones:`, `lines:`, `privacy:` and `publish:` of a pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le, MaxLen, MinLen

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
class BoundsOptions(Options):
    """Which numbers count, the bounds included."""

    min: Annotated[float | None, Doc("Least number; default: no bound.")] = None
    max: Annotated[float | None, Doc("Greatest number; default: no bound.")] = None


@dataclass(frozen=True, slots=True)
class FilterOptions(SizeOptions):
    """Which results of a label count."""

    aspect: Annotated[
        tuple[Positive, Positive] | None,
        Doc("Narrowest and widest shape: width to height of the box, as it looks."),
    ] = None
    readings: Annotated[
        dict[str, BoundsOptions],
        Doc(
            "Bounds of what other parts of a fusion measure then, by PART.CHANNEL; while one "
            "is missing nothing of the label counts."
        ),
    ] = field(default_factory=dict)


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
class SnapshotOptions(Options):
    """A JPEG of each new object, retained; in YAML a single word stands for `mode` alone."""

    single_words: ClassVar[tuple[str, ...]] = ("off", "blurred", "full")
    words: ClassVar[str] = "'off', 'blurred', 'full' or a mapping"

    mode: Annotated[
        Literal["off", "blurred", "full"],
        Doc("No pictures; pictures with all or parts pixelated beyond recovery; or as they are."),
    ]
    labels: Annotated[
        Annotated[list[str], MinLen(1)] | None,
        Doc("With blurred: these labels alone are pixelated, also where they are doubtful."),
    ] = None
    keep: Annotated[
        Literal["nothing", "object"],
        Doc("With blurred: object leaves what is followed clear, but not what labels names."),
    ] = "nothing"
    area: Annotated[
        Literal["frame", "crop"],
        Doc("The whole frame, or the new objects and a margin around them."),
    ] = "frame"
    max_side: Annotated[int, Ge(32), Le(4096), Doc("Most pixels of the longer side.")] = 1280
    quality: Annotated[int, Ge(10), Le(95), Doc("Quality of the JPEG.")] = 80
    boxes: Annotated[bool, Doc("Draw boxes with labels and scores.")] = True

    @property
    def allowed(self) -> bool:
        """Whether any picture may leave."""
        return self.mode != "off"

    @property
    def is_partial(self) -> bool:
        """Whether only parts are pixelated, so that the rest can be seen."""
        return self.mode == "blurred" and (self.labels is not None or self.keep == "object")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Take a single word for the mode."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_before_validator_function(
            lambda value: {"mode": value} if isinstance(value, str) else value, handler(source)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> Any:
        """Say that a single word is accepted too."""
        return {"anyOf": [{"enum": list(cls.single_words)}, handler(schema)]}


@dataclass(frozen=True, slots=True)
class PublishOptions(Options):
    """What goes out over MQTT."""

    events: Annotated[bool, Doc("new, update and end of each object.")] = True
    counts: Annotated[bool, Doc("Objects present now, retained, per label and zone.")] = True
    detections: Annotated[bool, Doc("One message per inferred frame.")] = False
    snapshots: Annotated[
        SnapshotOptions,
        Doc("A JPEG of each new object, retained: pixelated beyond recovery, or as it is."),
    ] = SnapshotOptions("off")
    update_every: Annotated[
        Duration, Doc("At most one update of an object in this time; 0 for every change.")
    ] = 1.0
    readings: Annotated[bool, Doc("The newest number of a sensor, retained.")] = True
    reading_every: Annotated[
        Duration, Doc("At most one reading in this time, unless its state changes.")
    ] = 10.0
