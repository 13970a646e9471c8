"""Where the optional test data lies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]


def test_data() -> Path | None:
    """Folder of the real models and clips, None where it is absent."""
    folder = Path(os.environ.get("EDGE_AGENT_TEST_DATA", _ROOT.parent / "shared" / "data"))
    return folder if (folder / "MODELS.json").is_file() else None


def data_file(relative: str) -> Path:
    """One file of the test data; skips the calling test with the reason where it is absent."""
    folder = test_data()
    if folder is None:
        pytest.skip("no test data: set EDGE_AGENT_TEST_DATA, or put it into ../shared/data")
    path = folder / relative
    if not path.is_file():
        pytest.skip(f"the test data has no {relative}")
    return path
