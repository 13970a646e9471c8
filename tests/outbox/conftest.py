"""A disk of its own for each test of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.outbox import Disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """An empty folder, whose outboxes are closed after the test."""
    made = Disk(tmp_path / "disk")
    yield made
    made.close()
