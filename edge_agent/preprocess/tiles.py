"""Parts of a frame that are looked at on their own: small objects are large to the model then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from edge_agent.geometry import Box
from edge_agent.options import Doc, Options
from edge_agent.preprocess.placement import Rect

_MARGIN = 0.2  # of what moved, on each side: the gate sees only the parts that change
_Count = Annotated[int, Ge(1), Le(4)]


@dataclass(frozen=True, slots=True)
class TileOptions(Options):
    """Several crops of a frame are inferred one after the other; their boxes become one list."""

    grid: Annotated[tuple[_Count, _Count], Doc("Columns and rows of crops.")] = (2, 2)
    overlap: Annotated[
        float, Ge(0), Le(0.5), Doc("Part of a crop that its neighbour shows too.")
    ] = 0.2
    full: Annotated[
        bool, Doc("Whether the whole frame is inferred too, for what is larger than a crop.")
    ] = True
    region: Annotated[
        Literal["all", "motion"],
        Doc(
            "all: the crops of the grid. motion: crops of that size around what the motion gate "
            "saw moving, at most as many as the grid has; where nothing moves, around what moved "
            "last."
        ),
    ] = "all"


def crops(options: TileOptions, frame: tuple[int, int], moving: Sequence[Box]) -> tuple[Rect, ...]:
    """Parts of a frame of (width, height) that are inferred, the whole frame among them at the end.

    `moving` are boxes 0..1 of the frame. There are at most as many as the grid has, and one.
    """
    whole = Rect(0, 0, *frame)
    if options.region == "motion" and not moving:
        return (whole,)
    tiles = grid(frame, options.grid, options.overlap)
    if options.region == "motion":
        found = around(frame, moving, (tiles[0].width, tiles[0].height))
        tiles = found if len(found) <= len(tiles) else tiles
    parts = tuple(dict.fromkeys(tile for tile in tiles if tile != whole))
    return (*parts, whole) if options.full or not parts else parts


def grid(frame: tuple[int, int], counts: tuple[int, int], overlap: float) -> tuple[Rect, ...]:
    """Tiles of one size that cover a frame of (width, height), row by row."""
    columns, rows = (
        _spans(side, count, overlap) for side, count in zip(frame, counts, strict=True)
    )
    return tuple(Rect(x, y, width, height) for y, height in rows for x, width in columns)


def _spans(side: int, count: int, overlap: float) -> list[tuple[int, int]]:
    """Start and length of each tile along one side."""
    length = min(side, -int(-side // (count - (count - 1) * overlap)))
    steps = max(1, count - 1)
    return [((side - length) * number // steps, length) for number in range(count)]


def around(
    frame: tuple[int, int], moving: Sequence[Box], least: tuple[int, int]
) -> tuple[Rect, ...]:
    """Parts of at least that (width, height) which together show all that moves.

    Regions that fit one part share it; one that is larger has a part as large as itself.
    """
    groups: list[Box] = []
    room = (least[0] / frame[0], least[1] / frame[1])
    for region in sorted(moving, key=lambda box: (box[2] - box[0]) * (box[1] - box[3])):
        for number, group in enumerate(groups):
            union = _union(group, region)
            if union == group or _fits(union, room):
                groups[number] = union
                break
        else:
            groups.append(region)
    return tuple(dict.fromkeys(_part(group, frame, least) for group in groups))


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _fits(box: Box, room: tuple[float, float]) -> bool:
    grown = 1 + 2 * _MARGIN
    return (box[2] - box[0]) * grown <= room[0] and (box[3] - box[1]) * grown <= room[1]


def _part(box: Box, frame: tuple[int, int], least: tuple[int, int]) -> Rect:
    x, width = _span(box[0], box[2], frame[0], least[0])
    y, height = _span(box[1], box[3], frame[1], least[1])
    return Rect(x, y, width, height)


def _span(low: float, high: float, side: int, least: int) -> tuple[int, int]:
    """Start and length along one side, inside the frame."""
    wanted = round((high - low) * (1 + 2 * _MARGIN) * side)
    length = min(side, max(least, wanted, 1))
    start = round((low + high) / 2 * side - length / 2)
    return min(max(start, 0), side - length), length
