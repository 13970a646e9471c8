"""What the tests of quantisation share."""

from __future__ import annotations

import pytest

from tests.support.cli import Terminal


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Calls commands."""
    return Terminal(capsys)
