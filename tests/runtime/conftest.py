"""What the tests of the runtime share."""

from __future__ import annotations

import pytest

from tests.support.runtime import Rig, hold_time


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A live pipeline, online, whose time stands still."""
    return Rig(time=hold_time(monkeypatch, "pipeline", "reporter", "metrics")).begin()
