"""Blocks of samples become windows, however they are cut."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame, Signal
from edge_agent.preprocess import framing as module
from edge_agent.preprocess.framing import AsItComes, SignalFraming, TextFraming, WindowOptions
from edge_agent.preprocess.signal.statistics import StatisticsOptions
from edge_agent.preprocess.signal.windows import Pad
from edge_agent.preprocess.text.tokens import BytesOptions

RATE = 10.0
ANY = np.empty(0)


def block(
    rows: Sequence[float],
    end: float,
    rate: float | None = RATE,
    times: Sequence[float] | None = None,
    is_gap: bool = False,
) -> Frame:
    """Rows of one channel of which the last was taken at `end` seconds."""
    data = np.array(rows, np.float32).reshape(-1, 1)
    if times is None:
        times = [end - i / RATE for i in range(len(rows))][::-1]
    signal = Signal(("x",), np.array(times), rate, is_gap)
    return Frame("s", 0, data, 1000.0 + end, round(1e9 * end), end, end, signal)


def framing(length: float, hop: float | None = None) -> SignalFraming:
    """Windows without features."""
    return SignalFraming(WindowOptions(length, hop), {}, {})


def cut(framing: SignalFraming, *blocks: Frame) -> list[tuple[list[float], float]]:
    """Numbers of each window and the time of it."""
    windows = [window for block in blocks for window in framing.cut(block)]
    return [(each.data.ravel().tolist(), round(each.timeline, 6)) for each in windows]


def test_a_picture_is_a_frame() -> None:
    """Nothing is made of a picture but itself."""
    frame = block([1.0], 0.0)
    assert list(AsItComes().cut(frame)) == [frame]


def test_windows_that_overlap() -> None:
    """Each has its numbers and the time of its last row, over the blocks' borders."""
    found = cut(framing(3, 2), block([0, 1], 0.1), block([2, 3, 4, 5], 0.5), block([6], 0.6))
    assert found == [([0, 1, 2], 0.2), ([2, 3, 4], 0.4), ([4, 5, 6], 0.6)]


def test_durations() -> None:
    """Length and hop in seconds are rows by the rate; the hop is the length unless it is said."""
    found = cut(framing(0.2), block([0, 1, 2, 3], 0.3))
    assert found == [([0, 1], 0.1), ([2, 3], 0.3)]


def test_times_of_a_window() -> None:
    """Wall clock, monotonic clock and place in the recording are those of its last row."""
    (first, second) = framing(1).cut(block([7, 8], 5.0))
    assert (first.wall, first.monotonic_ns, first.media_time) == (1004.9, 4_900_000_000, 4.9)
    assert (second.wall, second.seq, second.signal) == (1005.0, 1, None)


def test_rows_without_a_rate() -> None:
    """Rows that come as they come keep their own times."""
    found = cut(framing(1), block([1, 2], 9.0, None, [2.5, 9.0]))
    assert found == [([1], 2.5), ([2], 9.0)]


def test_a_duration_needs_a_rate() -> None:
    """The error names the option and the cure."""
    with pytest.raises(SignalMismatch, match=r"window.length is a duration.*set rate"):
        cut(framing(0.5), block([1], 0.0, None))


def test_no_window_over_a_gap() -> None:
    """What came before a gap is not joined to what comes after it."""
    found = cut(framing(2), block([0, 1, 2], 0.2), block([7, 8], 9.1, is_gap=True))
    assert found == [([0, 1], 0.1), ([7, 8], 9.1)]


def test_missing_numbers() -> None:
    """A window with NaN or infinity is dropped and counted, the next is used."""
    cutter = framing(2)
    found = cut(cutter, block([0, np.nan, 2, 3, np.inf, 5], 0.5))
    assert found == [([2, 3], 0.3)]
    assert cutter.dropped == 2


def test_the_place_of_a_window() -> None:
    """Its first row, counted from the last gap on, each of which begins another part."""
    stage = framing(2, 1)
    parts = [
        block([1, np.nan, 3, 4, 5], 0.4),
        block([6, 7, 8], 0.9, is_gap=True),
    ]
    places = [window.place for each in parts for window in stage.cut(each)]
    assert all(place is not None and (place.count, place.hop) == (2, 1) for place in places)
    assert [place.first for place in places if place] == [2, 3, 0, 1]
    first, second, *after = [place.part for place in places if place]
    assert first == second
    assert after == [first + 1] * 2


def test_another_number_of_channels() -> None:
    """A signal that changes its form begins anew."""
    cutter = framing(2)
    wide = block([1, 2, 3], 1.0)
    two = Frame(
        "s", 0, np.ones((2, 2), np.float32), 0.0, 0, 2.0, None,
        Signal(("x", "y"), np.array([1.9, 2.0]), RATE),
    )  # fmt: skip
    assert len(cut(cutter, wide, two)) == 2


def test_windows_stay_as_they_are() -> None:
    """A window that waits is not changed by what comes after it."""
    cutter = framing(2, 1)
    windows = [w for start in range(50) for w in cutter.cut(block([start], start / RATE))]
    assert [w.data.ravel().tolist() for w in windows] == [[i, i + 1] for i in range(49)]


def test_a_picture_cannot_be_cut() -> None:
    """A source of pictures and a window do not fit."""
    picture = Frame("cam", 0, np.zeros((2, 2, 3), np.uint8), 0.0, 0, 0.0)
    with pytest.raises(SignalMismatch, match="source cam gives no samples"):
        list(framing(1).cut(picture))


@given(st.integers(1, 8), st.integers(1, 12), st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_however_it_is_cut(length: int, hop: int, sizes: list[int]) -> None:
    """The windows and their times are the same for any blocks."""
    total = sum(sizes)
    whole = cut(framing(length, hop), block(range(total), (total - 1) / RATE))
    ends = np.cumsum(sizes)
    parts = [
        block(range(end - size, end), (end - 1) / RATE)
        for size, end in zip(sizes, ends.tolist(), strict=True)
    ]
    assert cut(framing(length, hop), *parts) == whole


def unstacked(frames: Iterable[Frame]) -> list[Frame]:
    """Each window as it comes by itself."""
    return [frame.window(n) for frame in frames for n in range(frame.count)]


@given(
    length=st.integers(1, 5),
    hop=st.integers(1, 7),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    pad=st.sampled_from(["none", "edge"]),
    features=st.sampled_from([{}, {"statistics": StatisticsOptions(["mean", "max"])}]),
    most=st.integers(1, 20),
)
def test_stacked(
    length: int,
    hop: int,
    sizes: list[int],
    pad: Pad,
    features: dict[str, StatisticsOptions],
    most: int,
) -> None:
    """The same windows at the same times, those without numbers left out, however many at once."""
    options = WindowOptions(length, hop, pad)
    ends = np.cumsum(sizes)
    dice = np.random.default_rng(sum(sizes))
    blocks = []
    for size, end in zip(sizes, ends, strict=True):
        rows = np.where(dice.random(size) < 0.1, np.nan, dice.normal(0, 1, size))
        blocks.append(block(rows.tolist(), end / RATE, is_gap=bool(dice.random() < 0.2)))
    alone, together = (
        SignalFraming(options, {}, features),
        SignalFraming(options, {}, features, True),
    )
    plain, found = list[Frame](), list[Frame]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_STACKED", most)
        for each in blocks:
            plain += alone.cut(each)
            cut = list(together.cut(each))
            assert all(frame.count <= max(1, most // length) for frame in cut)
            found += unstacked(cut)
    plain += alone.flush()
    found += unstacked(together.flush())
    assert together.dropped == alone.dropped
    assert len(found) == len(plain)
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_array_equal(one.data, other.data)
        assert replace(one, data=ANY) == replace(other, data=ANY, place=None)


def test_a_line_of_text() -> None:
    """It becomes numbers and is still there."""
    line = Frame("s", 0, np.empty(0, np.float32), 0.0, 0, 0.0, text="Hello")
    framing = TextFraming({"bytes": BytesOptions(length=8)})
    (found,) = framing.cut(line)
    assert (found.data.shape, found.text) == ((8,), "Hello")


def test_two_ways_for_one_text() -> None:
    """A model takes one of them."""
    with pytest.raises(ValueError, match="one way to make numbers of text, not 0"):
        TextFraming({})


def test_a_signal_is_no_text() -> None:
    """The error says what to leave out."""
    with pytest.raises(SignalMismatch, match="source s gives no text"):
        TextFraming({"bytes": BytesOptions()}).cut(block([1.0], 0.0))
