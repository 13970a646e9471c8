"""When recordings begin that are replayed together, and the clocks of their frames."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge_agent.errors import SourceUnusable
from edge_agent.runtime.replay.footage import Footage, Shot
from edge_agent.runtime.replay.player import frames_of
from edge_agent.runtime.replay.session import BEGIN, beginning

IMAGE = np.zeros((4, 6, 3), np.uint8)
WALL = 1_780_000_000.0


def footage(began: float | None, jump: float = 0.0) -> Footage:
    """Three pictures, half a second apart; the clock is set forward by `jump` before the last."""

    def shots() -> Iterator[Shot]:
        for number in range(3):
            late = jump if number == 2 else 0.0
            yield Shot(IMAGE, number / 2, None if began is None else began + number / 2 + late)

    return Footage(2.0, 3, shots(), SourceUnusable("empty"))


def test_clips_keep_their_distance_and_others_begin_with_the_first() -> None:
    """Also where the first frame is put at another time."""
    group = {"b": footage(WALL + 7.0), "a": footage(WALL), "video": footage(None)}
    found = beginning(group, None)
    assert found.lead == {"b": 7.0, "a": 0.0, "video": 0.0}
    assert found.wall == {"b": WALL + 7.0, "a": WALL, "video": WALL}
    assert beginning(group, 1000.0).wall == {"b": 1007.0, "a": 1000.0, "video": 1000.0}
    assert beginning({"video": footage(None)}, None).wall == {"video": BEGIN}


def test_frames_on_the_common_clock() -> None:
    """Durations are monotonic; the wall time is the clip's own, also where its clock was set."""
    frames = list(frames_of("b", footage(WALL, jump=3600.0), 1000.0, 7.0))
    assert [frame.timeline for frame in frames] == [7.0, 7.5, 8.0]
    assert [frame.monotonic_ns for frame in frames] == [7 * 10**9, 75 * 10**8, 8 * 10**9]
    assert [frame.media_time for frame in frames] == [0.0, 0.5, 1.0]
    assert [frame.wall for frame in frames] == pytest.approx([1000.0, 1000.5, 4601.0])


def test_nothing_to_play() -> None:
    """Footage without a single picture says so when it is opened."""
    with pytest.raises(SourceUnusable, match="empty"):
        Footage(1.0, 0, iter(()), SourceUnusable("empty"))
