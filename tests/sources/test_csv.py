"""Files of numbers: every row, the right times, gaps told, and clear words for bad files."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.sources.csv import CsvOptions, CsvSource
from tests.support.data import data_file
from tests.support.reading import reading


def _source(file: Path, text: str | bytes = "", **options: Any) -> CsvSource:
    if text:
        file.write_bytes(text.encode() if isinstance(text, str) else text)
    return CsvSource("rows", CsvOptions(file, options.pop("pace", "fast"), **options))


def _blocks(source: CsvSource, limit: int = 10_000) -> list[Frame]:
    blocks: list[Frame] = []
    try:
        source.start()
        while len(blocks) < limit and (frame := source.read()) is not None:
            blocks.append(frame)
    finally:
        source.stop()
    return blocks


def _signal(frame: Frame) -> Signal:
    assert frame.signal is not None
    return frame.signal


def _values(blocks: list[Frame]) -> list[list[float]]:
    rows: NDArray[np.float32] = np.concatenate([frame.data for frame in blocks])
    listed: list[list[float]] = rows.tolist()
    return listed


def _times(blocks: list[Frame]) -> list[float]:
    times: list[float] = np.concatenate([_signal(frame).times for frame in blocks]).tolist()
    return times


def test_header_and_made_times(tmp_path: Path) -> None:
    """Names become channels, and the rate makes the times of rows that have none."""
    source = _source(tmp_path / "a.csv", "x,y\n1,2\n3,4\n5,6\n", rate=10.0)
    (block,) = _blocks(source)
    signal = _signal(block)
    assert not source.live
    assert signal.channels == ("x", "y")
    assert signal.rate == 10.0
    assert block.data.dtype == np.float32
    assert block.data.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert signal.times.tolist() == pytest.approx([0, 0.1, 0.2])
    assert block.media_time == block.timeline == pytest.approx(0.2)
    assert source.read() is None


@pytest.mark.parametrize(
    ("cells", "options"),
    [
        (("2024-05-01 12:00:00", "2024-05-01 12:00:01"), {}),
        (("2024-05-01T12:00:00Z", "2024-05-01T12:00:01Z"), {}),
        (("2024-05-01T14:00:00+02:00", "2024-05-01T14:00:01+02:00"), {}),
        (("2024/05/01 12:00:00", "2024/05/01 12:00:01"), {}),
        (("01.05.2024 12:00:00", "01.05.2024 12:00:01"), {}),
        (("1714564800", "1714564801"), {}),
        (("1714564800000", "1714564801000"), {}),
        (("1714564800000000000", "1714564801000000000"), {}),
        (("05/01/2024 12:00:00", "05/01/2024 12:00:01"), {"time_format": "%m/%d/%Y %H:%M:%S"}),
        (("2024-05-01 14:00:00", "2024-05-01 14:00:01"), {"timezone": "Europe/Berlin"}),
    ],
)
def test_times_are_read(tmp_path: Path, cells: tuple[str, str], options: dict[str, Any]) -> None:
    """Every usual way to write a moment gives the wall time of the rows and their distance."""
    text = f"time,v\n{cells[0]},1\n{cells[1]},2\n"
    (block,) = _blocks(_source(tmp_path / "a.csv", text, **options))
    assert _signal(block).channels == ("v",)
    assert block.wall == pytest.approx(1714564801.0, abs=1e-6)
    assert _signal(block).times.tolist() == pytest.approx([0.0, 1.0], abs=1e-6)


@pytest.mark.parametrize("time", [None, ("Date", "Time"), (1, 2)])
def test_date_and_time_apart(tmp_path: Path, time: Any) -> None:
    """A date and a time of day in two columns are one moment."""
    text = "Date;Time;v\n01.05.2024;12:00:00;1\n01.05.2024;12:00:01;2\n"
    (block,) = _blocks(_source(tmp_path / "a.csv", text, time=time))
    assert _signal(block).channels == ("v",)
    assert block.wall == pytest.approx(1714564801.0)


@pytest.mark.parametrize("name", ["t", "time"])
def test_a_name_is_not_enough(tmp_path: Path, name: str) -> None:
    """A column that may be a temperature, or that does not rise, is not taken for times."""
    text = f"{name},h\n" + "".join(f"{20 + n % 2},{n}\n" for n in range(30))
    with pytest.raises(SourceUnusable, match="no column of times"):
        _blocks(_source(tmp_path / "a.csv", text))
    (block,) = _blocks(_source(tmp_path / "a.csv", rate=1.0))
    assert _signal(block).channels == (name, "h")


def test_only_times(tmp_path: Path) -> None:
    """Rows whose numbers are all missing are no rows."""
    with pytest.raises(SourceUnusable, match="no row that can be used"):
        _blocks(_source(tmp_path / "a.csv", "time,v\n2024-01-01 00:00:00,\n", columns=("v",)))


def test_a_day_that_is_none(tmp_path: Path) -> None:
    """A row whose time is none is left out; the others around it stay."""
    days = ("02-28 23:59:59", "02-30 00:00:00", "02-29 00:00:00", "junk")
    text = "time,v\n" + "".join(f"2024-{day},{n}\n" for n, day in enumerate(days))
    (block,) = _blocks(_source(tmp_path / "a.csv", text))
    assert block.data.tolist() == [[0], [2]]
    assert _signal(block).times.tolist() == [0.0, 1.0]


def test_a_day_that_is_none_among_plain_ones(tmp_path: Path) -> None:
    """So it is too where all times are written alike and are read as one."""
    days = ("02-28 23:59:59", "02-30 00:00:00", "02-29 00:00:00")
    text = "time,v\n" + "".join(f"2024-{day},{n}\n" for n, day in enumerate(days))
    assert _values(_blocks(_source(tmp_path / "a.csv", text))) == [[0], [2]]


def test_seconds_since_the_start(tmp_path: Path) -> None:
    """Small numbers are seconds since some start: no wall time, but their distance."""
    (block,) = _blocks(_source(tmp_path / "a.csv", "ts;v\n5,0;1\n5,5;2\n"))
    assert _signal(block).times.tolist() == [0.0, 0.5]
    assert block.wall > 1.7e9


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_encodings_and_line_ends(tmp_path: Path, ends: str, encoding: str) -> None:
    """Files of Windows, old Macs and spreadsheets give the same numbers and names."""
    text = ends.join(["Kühlung;Druck", "1,5;2", "-3,25;4"])
    (block,) = _blocks(_source(tmp_path / "a.csv", text.encode(encoding), rate=1.0))
    assert _signal(block).channels == ("Kühlung", "Druck")
    assert block.data.tolist() == [[1.5, 2], [-3.25, 4]]


def test_columns_are_chosen(tmp_path: Path) -> None:
    """Columns are chosen by name and number; by default texts are no channels."""
    text = 'time,label,"x, raw",y\n0,ok,1,2\n1,"not, ok",3,4\n'
    file = tmp_path / "a.csv"
    assert _signal(_blocks(_source(file, text))[0]).channels == ("x, raw", "y")
    (block,) = _blocks(_source(file, columns=(4, "X, raw")))
    assert _signal(block).channels == ("y", "x, raw")
    assert block.data.tolist() == [[2, 1], [4, 3]]


_HOLES = "x,y\n,9\n1,2\n3,\nNaN,6\n7,inf\n8,9\n"


@pytest.mark.parametrize(
    ("missing", "values", "gaps"),
    [
        ("drop", [[1, 2], [8, 9]], [False, True]),
        ("hold", [[1, 2], [3, 2], [3, 6], [7, 6], [8, 9]], [False]),
        ("zero", [[0, 9], [1, 2], [3, 0], [0, 6], [7, 0], [8, 9]], [False]),
    ],
)
def test_missing(tmp_path: Path, missing: str, values: list[list[float]], gaps: list[bool]) -> None:
    """What is missing is dropped with a gap, held or zero, as configured."""
    blocks = _blocks(_source(tmp_path / "a.csv", _HOLES, rate=1.0, missing=missing))
    assert _values(blocks) == values
    assert [_signal(block).is_gap for block in blocks] == gaps


def test_missing_nan_and_error(tmp_path: Path) -> None:
    """What is missing is passed on as NaN, or ends the source with the row and the channel."""
    file = tmp_path / "a.csv"
    (block,) = _blocks(_source(file, _HOLES, rate=1.0, missing="nan"))
    assert int(np.isnan(block.data).sum()) == 4
    with pytest.raises(SourceUnusable, match="row 1 has no number for x"):
        _blocks(_source(file, rate=1.0, missing="error"))


def test_wrong_number_of_cells(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A row with too few or too many cells is left out, told once, and leaves a gap."""
    text = "x,y\n" + "1,2\n" * 5 + "1\n" + "1,2\n" + "1,2,3\n" + "3,4\n"
    blocks = _blocks(_source(tmp_path / "a.csv", text, rate=1.0))
    assert len(_values(blocks)) == 7
    assert _times(blocks) == [0, 1, 2, 3, 4, 6, 8]
    assert [_signal(block).is_gap for block in blocks] == [False, True, True]
    assert caplog.text.count("1 cells where the others have 2") == 1
    assert "2 of 9 rows missed a number" in caplog.text


def test_gap_in_time(tmp_path: Path) -> None:
    """A hole in the times is a gap; the block behind it says so."""
    times = [0, 1, 2, 3, 60, 61]
    text = "ts,v\n" + "".join(f"{t},{n}\n" for n, t in enumerate(times))
    blocks = _blocks(_source(tmp_path / "a.csv", text))
    assert _times(blocks) == times
    assert [_signal(block).is_gap for block in blocks] == [False, True]
    assert len(_blocks(_source(tmp_path / "a.csv", max_gap=100.0))) == 1


def test_clock_steps_back(tmp_path: Path) -> None:
    """A clock that was set back is a gap; the timeline rises on, the wall time is as written."""
    start = 1714564800
    noted = [start, start + 1, start + 2, start - 3600, start - 3599]
    text = "ts,v\n" + "".join(f"{t},1\n" for t in noted)
    blocks = _blocks(_source(tmp_path / "a.csv", text))
    assert _times(blocks) == [0, 1, 2, 3, 4]
    assert [_signal(block).is_gap for block in blocks] == [False, True]
    assert [block.wall for block in blocks] == [start + 2, start - 3599]


def test_resampling(tmp_path: Path) -> None:
    """Irregular rows become even ones, and nothing is made up inside a gap."""
    times = [0, 0.5, 2, 3, 4, 30, 31]
    text = "ts,v\n" + "".join(f"{t},{t * 10}\n" for t in times)
    file = tmp_path / "a.csv"
    blocks = _blocks(_source(file, text, rate=1.0, max_gap=2.0))
    assert _times(blocks) == [0, 1, 2, 3, 4, 30, 31]
    assert _values(blocks) == [[t * 10] for t in _times(blocks)]
    assert [_signal(block).is_gap for block in blocks] == [False, True]
    assert _signal(blocks[0]).rate == 1.0
    held = _blocks(_source(file, rate=1.0, max_gap=2.0, resample="hold"))
    assert _values(held)[:3] == [[0], [5], [20]]


def test_real_pace_is_short_blocks(tmp_path: Path) -> None:
    """At pace real a block spans 50 ms at most and comes when its last row has."""
    text = "v\n" + "".join(f"{n}\n" for n in range(200))
    source = _source(tmp_path / "a.csv", text, rate=1000.0, pace="real")
    blocks = _blocks(source)
    assert source.live
    assert _values(blocks) == [[n] for n in range(200)]
    assert max(len(block.data) for block in blocks) <= 51
    spent = (blocks[-1].monotonic_ns - blocks[0].monotonic_ns) / 1e9
    assert spent >= _signal(blocks[-1]).times[-1] - _signal(blocks[0]).times[-1] - 0.001


def test_loop_goes_on(tmp_path: Path) -> None:
    """A loop begins again with a gap while its timeline rises evenly."""
    source = _source(tmp_path / "a.csv", "v\n1\n2\n3\n", rate=100.0, pace="loop")
    blocks = _blocks(source, 3)
    assert _times(blocks) == pytest.approx([n / 100 for n in range(9)])
    assert [_signal(block).is_gap for block in blocks] == [False, True, True]
    assert [block.media_time for block in blocks] == pytest.approx([0.02] * 3)


def test_stop_ends_a_wait(tmp_path: Path) -> None:
    """A stop from another thread ends the wait for a row that is far away."""
    source = _source(tmp_path / "a.csv", "ts,v\n0,1\n1000,2\n", pace="real", max_gap=1.0)
    source.start()
    assert source.read() is not None
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.stop()
    thread.join(10)
    assert results == [None]


def test_reader_finishes(tmp_path: Path) -> None:
    """Read by its thread, a file is delivered whole and then finished."""
    source = _source(tmp_path / "a.csv", "v\n" + "1\n" * 10_000, rate=1.0)
    with reading(source) as (watcher, reader):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
        assert reader.frames == 3
        assert [status.online for status in watcher.statuses] == [True, False]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("", {"rate": 1.0}, "does not exist"),
        ("\n\n# nothing\n", {"rate": 1.0}, "no rows"),
        ("a,b\n1,2\n", {}, "no column of times"),
        ("a,b\n1,2\n", {"time": "c"}, "no column 'c'"),
        ("a,b\n1,2\n", {"time": 3}, "no column 3"),
        ("a,b\nhello,2\n", {"time": "a"}, "holds no times, such as 'hello'"),
        ("a,b\nhello,you\n", {"rate": 1.0}, "no column holds numbers"),
        ("temp,b\n1,2\n", {"rate": 1.0, "columns": ("tmp",)}, "did you mean 'temp'"),
        (b"\0\1\2" * 1000, {"rate": 1.0}, "is no text"),
        ("a,b\n1,\n2,\n", {"rate": 1.0, "pace": "loop"}, "no row that can be used"),
    ],
)
def test_bad_files(tmp_path: Path, text: str | bytes, options: dict[str, Any], words: str) -> None:
    """What cannot be read is told in clear words with a cure."""
    with pytest.raises(SourceUnusable, match=words) as error:
        _blocks(_source(tmp_path / "a.csv", text, **options))
    assert error.value.cure


def test_unknown_time_zone(tmp_path: Path) -> None:
    """A time zone that is none is a mistake of the configuration."""
    with pytest.raises(ValueError, match="Mars"):
        _source(tmp_path / "a.csv", timezone="Mars/Olympus")


@pytest.mark.parametrize("name", ["a.npy", "a.NPZ"])
def test_an_array_needs_a_rate(name: str) -> None:
    """That it has no times is known before the file is there."""
    with pytest.raises(ValueError, match=f"{name} is an array, which has no times: set rate"):
        CsvSource("table", CsvOptions(Path(name)))


def test_arrays(tmp_path: Path) -> None:
    """Arrays of NumPy are rows too."""
    rows = np.arange(30_000, dtype=np.int16).reshape(-1, 3)
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "a.npz", rows)
    for name in ("a.npy", "a.npz"):
        blocks = _blocks(_source(tmp_path / name, rate=100.0, columns=(1, 3)))
        assert _values(blocks) == rows[:, [0, 2]].tolist()
        assert _signal(blocks[0]).channels == ("column1", "column3")


def test_one_of_several_arrays(tmp_path: Path) -> None:
    """Of several arrays one is named; else they are listed."""
    file = tmp_path / "a.npz"
    np.savez(file, normal=np.zeros(3), fault=np.ones(3), wide=np.ones((1, 2, 3)))
    assert _values(_blocks(_source(file, rate=1.0, array="fault"))) == [[1], [1], [1]]
    for array, words in ((None, "normal, fault"), ("falt", "'fault'"), ("wide", "rows x channels")):
        with pytest.raises(SourceUnusable, match=words):
            _source(file, rate=1.0, array=array).start()


def test_a_header_without_names(tmp_path: Path) -> None:
    """A first row that names nothing is no row of numbers; later ones like it are gaps."""
    blocks = _blocks(_source(tmp_path / "a.txt", "-,-\n1, 2\n-,-\n3, 4\n", rate=1.0))
    assert _signal(blocks[0]).channels == ("column1", "column2")
    assert _values(blocks) == [[1, 2], [3, 4]]
    assert _signal(blocks[1]).is_gap


def test_memory_does_not_grow(tmp_path: Path) -> None:
    """A file three times as long takes no more memory."""
    peaks = []
    for count in (80_000, 240_000):
        source = _source(tmp_path / "a.csv", "x,y,z\n" + "0.123,4.567,8.901\n" * count, rate=1.0)
        source.start()
        tracemalloc.start()
        rows = 0
        while (frame := source.read()) is not None:
            rows += len(frame.data)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        source.stop()
        assert rows == count
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.data
def test_real_file() -> None:
    """A file of the anomaly benchmark has all its rows, five minutes apart."""
    blocks = _blocks(_source(data_file("sensor/nab/machine_temperature_system_failure.csv")))
    rows = sum(len(block.data) for block in blocks)
    assert rows == 22_695
    times = np.diff(_times(blocks))
    assert np.median(times) == pytest.approx(300.0)
