"""What was measured of normal is kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import StateError
from edge_agent.scoring.calibration import CalibrationStore, limit_of, make_calibration


def store_with(folder: Path, *limits: float) -> CalibrationStore:
    """One with a calibration for each limit."""
    store = CalibrationStore(folder / "normal")
    for limit in limits:
        windows = np.arange(6, dtype=np.float32).reshape(3, 2)
        store.save("p", make_calibration("distance 1", [limit / 2], windows, limit))
    return store


def test_the_newest_holds(tmp_path: Path) -> None:
    """It comes back as it was made."""
    known = store_with(tmp_path, 3.0, 4.0).newest("p")
    assert known is not None
    assert (known.limit, known.windows, known.basis) == (4.0, 1, "distance 1")
    np.testing.assert_allclose(known.mean, [2.0, 3.0])
    assert known.normal.shape == (3, 2)


def test_older_ones_are_kept_for_a_while(tmp_path: Path) -> None:
    """The five newest, numbered on."""
    versions = store_with(tmp_path, *range(1, 9)).versions("p")
    assert [path.name for path in versions] == [f"p.{n}.npz" for n in range(4, 9)]


def test_names_with_dots(tmp_path: Path) -> None:
    """A pipeline does not take another's for its own."""
    store = store_with(tmp_path, 1.0)
    store.save("p.1", make_calibration("b", [1.0], np.empty((0, 0), np.float32), 9.0))
    assert [path.name for path in store.versions("p")] == ["p.1.npz"]
    known = store.newest("p.1")
    assert known is not None
    assert known.limit == 9.0
    assert store.newest("q") is None


def test_a_damaged_file(tmp_path: Path) -> None:
    """The error names the file and the cure."""
    store = store_with(tmp_path, 1.0)
    (path,) = store.versions("p")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StateError, match=r"p.1.npz cannot be read.*calibrate again"):
        store.newest("p")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """It is told with the cure, not lost."""
    (tmp_path / "normal").write_text("a file")
    with pytest.raises(StateError, match="state_dir"):
        store_with(tmp_path, 1.0)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.51, 1.0), st.floats(1.0, 10.0))
def test_a_limit_is_usable(values: list[float], quantile: float, margin: float) -> None:
    """Above zero, and no normal value of the quantile is above it."""
    limit = limit_of(values, quantile, margin)
    assert limit > 0.0
    assert limit >= np.quantile(values, quantile) * (1.0 - 1e-12)
