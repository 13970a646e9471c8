"""Windows over a stream are those that a look at the whole recording gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.preprocess.signal import Windows
from edge_agent.preprocess.signal import windows as module
from edge_agent.preprocess.signal.windows import Pad

Found = list[tuple[int, list[list[float]]]]


def recording(rows: int, channels: int) -> NDArray[np.float32]:
    """Rows that are all different."""
    return np.arange(1, rows * channels + 1, dtype=np.float32).reshape(rows, channels)


def cut(rows: NDArray[np.float32], sizes: list[int]) -> list[NDArray[np.float32]]:
    """The recording in blocks of these sizes, the last one holds the rest."""
    return np.split(rows, np.minimum(np.cumsum(sizes), len(rows)))


def naive(rows: NDArray[np.float32], length: int, hop: int, pad: Pad) -> Found:
    """Windows of the whole recording, padded first and looked at afterwards."""
    if not len(rows):
        return []
    front = 0 if pad == "none" else max(0, length - hop)
    head, tail = (rows[0], rows[-1]) if pad == "edge" else (0 * rows[0], 0 * rows[0])
    padded = np.concatenate([np.tile(head, (front, 1)), rows, np.tile(tail, (length, 1))])
    found = []
    for first in range(-front, len(rows), hop):
        fresh = first + front if first == -front else first + max(0, length - hop)
        whole = first + length <= len(rows)
        if whole or (pad != "none" and fresh < len(rows)):
            found.append((first, padded[first + front : first + front + length].tolist()))
    return found


@given(
    length=st.integers(1, 9),
    hop=st.integers(1, 13),
    channels=st.integers(1, 3),
    rows=st.integers(0, 60),
    sizes=st.lists(st.integers(0, 25), max_size=8),
    pad=st.sampled_from(["none", "zero", "edge"]),
    room=st.integers(1, 9),
)
def test_like_a_look_at_the_whole(
    length: int, hop: int, channels: int, rows: int, sizes: list[int], pad: Pad, room: int
) -> None:
    """Whatever the length, hop, padding and blocks: the same windows, numbered by first row."""
    whole = recording(rows, channels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROOM", room)
        windows = Windows(length, hop, channels, pad)
    for _ in range(2):  # the second time after a reset
        found: Found = []
        for block in cut(whole, sizes):
            found += [(first, view.tolist()) for first, view in windows.push(block)]
        found += [(first, view.tolist()) for first, view in windows.flush()]
        assert found == naive(whole, length, hop, pad)
        windows.reset()


def test_what_overlaps_is_not_copied() -> None:
    """Windows of one block share their memory."""
    (_, one), (_, two) = Windows(8, 2, 1).push(recording(10, 1))
    assert np.shares_memory(one, two)


def test_memory_stays() -> None:
    """A long stream needs no more room than a short one."""
    windows = Windows(64, 64, 2)
    firsts = [first for _ in range(100) for first, _ in windows.push(recording(1000, 2))]
    assert firsts == list(range(0, 100_000 - 63, 64))
    assert windows._rows.nbytes < 50_000


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_impossible_sizes(sizes: tuple[int, int, int]) -> None:
    """Each size must be 1 at least, and the error names the one that is not."""
    name = ("length", "hop", "channels")[sizes.index(0)]
    with pytest.raises(ValueError, match=f"^{name}: 0"):
        Windows(*sizes)
