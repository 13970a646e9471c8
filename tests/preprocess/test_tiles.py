"""Which parts of a frame are looked at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.geometry import Box
from edge_agent.preprocess.placement import Rect
from edge_agent.preprocess.tiles import TileOptions, around, crops, grid

_SIZES = st.tuples(st.integers(1, 400), st.integers(1, 400))
_COUNTS = st.tuples(st.integers(1, 4), st.integers(1, 4))
_ENDS = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda ends: (min(ends), max(ends)))
_BOXES = st.tuples(_ENDS, _ENDS).map(lambda both: (both[0][0], both[1][0], both[0][1], both[1][1]))


@given(_SIZES, _COUNTS, st.floats(0, 0.5))
def test_a_grid_covers_the_frame(
    size: tuple[int, int], counts: tuple[int, int], overlap: float
) -> None:
    """Every pixel is in a tile, and tiles of one size lie inside the frame."""
    tiles = grid(size, counts, overlap)
    seen = np.zeros(size[::-1], np.bool_)
    for tile in tiles:
        assert 0 <= tile.x <= tile.x + tile.width <= size[0]
        assert 0 <= tile.y <= tile.y + tile.height <= size[1]
        seen[tile.slices] = True
    assert seen.all()
    assert len(tiles) == counts[0] * counts[1]
    assert len({(tile.width, tile.height) for tile in tiles}) == 1


def test_overlap() -> None:
    """Neighbours share the given part of themselves."""
    left, right = grid((900, 300), (2, 1), 0.2)
    assert left == Rect(0, 0, 500, 300)
    assert right == Rect(400, 0, 500, 300)


@given(_SIZES, st.lists(_BOXES, min_size=1, max_size=12), _COUNTS)
def test_all_that_moves_is_shown(
    size: tuple[int, int], moving: list[Box], counts: tuple[int, int]
) -> None:
    """Each region lies in one part, within a pixel; parts are inside and of the least size."""
    tile = grid(size, counts, 0.2)[0]
    parts = around(size, moving, (tile.width, tile.height))
    assert len(parts) <= len(moving)
    for part in parts:
        assert 0 <= part.x <= part.x + part.width <= size[0]
        assert 0 <= part.y <= part.y + part.height <= size[1]
        assert part.width >= tile.width
        assert part.height >= tile.height
    for x1, y1, x2, y2 in moving:
        assert any(
            part.x - 1 <= x1 * size[0] <= x2 * size[0] <= part.x + part.width + 1
            and part.y - 1 <= y1 * size[1] <= y2 * size[1] <= part.y + part.height + 1
            for part in parts
        )


@given(
    _SIZES, st.lists(_BOXES, max_size=20), _COUNTS, st.booleans(),
    st.sampled_from(["all", "motion"]),
)  # fmt: skip
def test_bounded(
    size: tuple[int, int], moving: list[Box], counts: tuple[int, int], full: bool, region: str
) -> None:
    """At most as many as the grid has, and the whole frame; at least one, and none twice."""
    options = TileOptions(counts, 0.2, full, region)  # type: ignore[arg-type]
    parts = crops(options, size, moving)
    assert 1 <= len(parts) <= counts[0] * counts[1] + full
    assert len(set(parts)) == len(parts)
    if full:
        assert parts[-1] == Rect(0, 0, *size)


def test_small_movements_share_a_part() -> None:
    """Two regions that fit one tile are seen in one; far ones have parts of their own."""
    near = [(0.1, 0.1, 0.15, 0.15), (0.2, 0.2, 0.25, 0.25)]
    assert len(around((1000, 1000), near, (400, 400))) == 1
    assert len(around((1000, 1000), [*near, (0.8, 0.8, 0.9, 0.9)], (400, 400))) == 2


@pytest.mark.parametrize("full", [True, False])
def test_nothing_moves(full: bool) -> None:
    """The frame is looked at as a whole: the gate let it pass for another reason."""
    options = TileOptions((2, 2), 0.2, full, "motion")
    assert crops(options, (640, 480), ()) == (Rect(0, 0, 640, 480),)


def test_much_moves() -> None:
    """Where more parts were needed than the grid has, they are the grid's."""
    moving = [(x / 10, y / 10, x / 10 + 0.02, y / 10 + 0.02) for x in range(10) for y in range(10)]
    options = TileOptions((2, 2), 0.0, False, "motion")
    assert crops(options, (1000, 1000), moving) == grid((1000, 1000), (2, 2), 0.0)
