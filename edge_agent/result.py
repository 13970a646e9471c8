"""What a model's output means: objects, areas, classes, readings, arrays; and tracks of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from edge_agent.geometry import Box, Point

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["object", "keypoints", "segmentation", "class", "keyword", "raw"]


@dataclass(frozen=True, slots=True)
class Keypoint:
    """A point of a body by its name; x and y are 0..1 of the source frame."""

    name: str
    x: float
    y: float
    score: float


@dataclass(frozen=True, slots=True)
class Detection:
    """An object in the frame; `box` is 0..1 of the source frame, `index` the model's class.

    `keypoints` are all of those that the model knows, also unsure ones, in its order. `polygons`
    are the outlines of its mask and of the holes in it, as those of a `ClassArea`. `sublabel` is
    what a second model named it, with the mean of its scores.
    """

    label: str
    score: float
    box: Box
    index: int
    keypoints: tuple[Keypoint, ...] = ()
    polygons: tuple[tuple[Point, ...], ...] = ()
    sublabel: str | None = None
    sublabel_score: float | None = None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class of the whole frame with its score, 0..1."""

    label: str
    score: float
    index: int


@dataclass(frozen=True, slots=True)
class ClassArea:
    """The part of the frame that shows a class; `area` is 0..1 of the whole.

    `polygons` are outlines, and those of the holes in them: inside is what an odd number of them
    is around.
    """

    label: str
    area: float
    polygons: tuple[tuple[Point, ...], ...]
    index: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class RawOutput:
    """An output tensor that no decoder understands, as real numbers."""

    name: str
    values: NDArray[Any]


Result = Detection | ClassScore | ClassArea | RawOutput


@dataclass(frozen=True, slots=True)
class Reading:
    """A number of one window with what it means: `state` is "normal" or what is wrong.

    `score` is 0..1; `limit` is where the state changes, None where there is no such limit.
    """

    value: float
    score: float
    state: str
    unit: str = ""
    limit: float | None = None


Scored = Result | Reading
"""What is known of a frame once it was seen beside those before it."""


@dataclass(frozen=True, slots=True)
class Track:
    """One object followed over frames, as it stands after the newest of them.

    `phase` is "new" in the update that confirms it, then "live", and "ended" in the last one.
    `box` is None for whole-frame classes. `start` and `last_seen` are timeline seconds of its
    first and newest sighting; `seen` is False while it is only remembered. `sublabel` is what a
    second model named it, with the mean of its scores.
    """

    id: int
    label: str
    score: float
    top_score: float
    box: Box | None
    start: float
    last_seen: float
    phase: Literal["new", "live", "ended"]
    seen: bool = True
    sublabel: str | None = None
    sublabel_score: float | None = None
