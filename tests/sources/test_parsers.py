"""Properties of the parsers of numbers: what goes in comes out, and garbage does no harm."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.errors import SourceUnusable
from edge_agent.sources.csv import CsvOptions, CsvSource
from edge_agent.sources.linebuffer import LineBuffer
from edge_agent.sources.records import BadLine, RecordForm, RecordReader
from edge_agent.sources.resample import Method, Resampler
from edge_agent.sources.timeline import Timeline
from edge_agent.sources.timestamps import Timestamps

_FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
_quick = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def _tables(draw: st.DrawFn) -> list[list[float]]:
    width = draw(st.integers(1, 5))
    return draw(st.lists(st.lists(_FINITE, min_size=width, max_size=width), min_size=1))


def _read(file: Path, **options: object) -> list[list[float]]:
    source = CsvSource("s", CsvOptions(file, "fast", **options))  # type: ignore[arg-type]
    source.start()
    rows: list[list[float]] = []
    try:
        while (frame := source.read()) is not None:
            rows += frame.data.tolist()
    finally:
        source.stop()
    return rows


@_quick
@given(
    table=_tables(),
    separator=st.sampled_from([",", ";", "\t", "|", " "]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    header=st.booleans(),
    quoted=st.booleans(),
)
def test_a_table_comes_back(
    tmp_path: Path, table: list[list[float]], separator: str, end: str, header: bool, quoted: bool
) -> None:
    """Whatever the table and however it is written, every number is the same afterwards."""
    lines = [[f'"{value!r}"' if quoted else repr(value) for value in row] for row in table]
    if header:
        lines.insert(0, [f"name{n}" for n in range(len(table[0]))])
    file = tmp_path / "a.csv"
    file.write_text(end.join(separator.join(cells) for cells in lines) + end, newline="")
    assert _read(file, rate=1.0) == table


@_quick
@given(
    data=st.binary(max_size=400)
    | st.text('0123456789.,;-: \t\n\r"ab#é', max_size=400).map(str.encode)
)
def test_garbage_in_a_file(tmp_path: Path, data: bytes) -> None:
    """A file of anything is read, or refused in words, but raises nothing else."""
    file = tmp_path / "a.csv"
    file.write_bytes(data)
    for options in ({"rate": 1.0}, {"time": 1}, {}):
        try:
            rows = _read(file, **options)
        except SourceUnusable:
            continue
        assert all(map(math.isfinite, (cell for row in rows for cell in row)))


_LINE = st.text(max_size=80) | st.text("0123456789.,;-:= \t\"'{}[]abtrue", max_size=80)


@_quick
@given(lines=st.lists(_LINE, max_size=20), time=st.sampled_from([None, 1, "a"]))
def test_garbage_in_lines(lines: list[str], time: int | str | None) -> None:
    """A line of anything is a record of the known channels, or refused as a bad line."""
    reader = RecordReader(RecordForm(time=time))
    for line in lines:
        try:
            record = reader.read(line)
        except (BadLine, SourceUnusable):
            continue
        if record is not None:
            assert len(record.values) == len(reader.channels) > 0
            assert not any(map(math.isinf, record.values))


@_quick
@given(text=st.text(max_size=40) | st.from_regex(r"\d{1,4}[-/.]\d\d?[-/.]\d{1,4}[ T].*"))
def test_garbage_in_times(text: str) -> None:
    """Anything is a time or is not."""
    try:
        stamps = Timestamps(text)
    except ValueError:
        return
    assert math.isfinite(stamps.one(text))
    assert stamps.many([text, text]).tolist() == [stamps.one(text)] * 2


@_quick
@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=8))
def test_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """However bytes come in pieces, the lines are the same."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    whole, pieces = LineBuffer(1000), LineBuffer(1000)
    expected = whole.feed(data) + whole.flush()
    found = [line for first, last in pairwise(places) for line in pieces.feed(data[first:last])]
    assert found + pieces.flush() == expected


@pytest.mark.parametrize("limit", [1, 10])
def test_lines_are_bounded(limit: int) -> None:
    """A line without an end takes no more memory than the limit, and what follows is whole."""
    buffer = LineBuffer(limit)
    for _ in range(100):
        assert buffer.feed(b"x" * 50) == []
    assert buffer.feed(b"x\n1\n2") == [b"1"]
    assert buffer.too_long == 1
    assert buffer.flush() == [b"2"]


@_quick
@given(
    pieces=st.lists(
        st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), min_size=1, max_size=5
    ),
    limit=st.none() | st.floats(0.1, 100.0),
    again=st.booleans(),
)
def test_the_timeline_never_falls(
    pieces: list[list[float]], limit: float | None, again: bool
) -> None:
    """Whatever clocks do, times rise, and each step back or over the limit is a gap."""
    timeline = Timeline(limit)
    last = 0.0
    for noted in pieces:
        times, breaks = timeline.place(np.array(noted))
        assert times[0] >= last
        steps = np.diff(times)
        assert (steps >= 0).all()
        back = set((np.flatnonzero(np.diff(noted) < 0) + 1).tolist())
        assert back <= set(breaks.tolist())
        last = float(times[-1])
        if again:
            timeline.begin_again()


@_quick
@given(
    steps=st.lists(st.floats(1e-3, 2.0), min_size=1, max_size=40),
    rate=st.sampled_from([0.5, 1.0, 3.0, 10.0]),
    method=st.sampled_from(["linear", "hold"]),
    cut=st.integers(1, 40),
)
def test_resampling_in_pieces(steps: list[float], rate: float, method: Method, cut: int) -> None:
    """Rows are on the grid and the same whether they came at once or in pieces."""
    times = np.cumsum(steps)
    values = np.stack([times, np.arange(len(times))], axis=1).astype(np.float32)
    grid, expected = Resampler(rate, method).feed(times, values)
    assert np.diff(grid) == pytest.approx(1.0 / rate)
    if method == "linear":
        assert expected[:, 0] == pytest.approx(grid, abs=1e-4)
    pieces = Resampler(rate, method)
    parts = [pieces.feed(times[:cut], values[:cut])]
    if cut < len(times):
        parts.append(pieces.feed(times[cut:], values[cut:]))
    assert np.concatenate([part[0] for part in parts]) == pytest.approx(grid)
    assert np.concatenate([part[1] for part in parts]).tolist() == expected.tolist()


def test_nothing_is_made_up_behind_a_gap() -> None:
    """After a gap the grid begins at the first row there."""
    resampler = Resampler(1.0, "linear")
    resampler.feed(np.array([0.0, 1.4]), np.zeros((2, 1), np.float32))
    resampler.begin()
    grid, values = resampler.feed(np.array([9.5, 10.5]), np.ones((2, 1), np.float32))
    assert grid.tolist() == [9.5, 10.5]
    assert values.tolist() == [[1.0], [1.0]]
