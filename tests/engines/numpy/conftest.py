"""Plans of real models, which take long to make, are made once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that they are kept in."""
    return tmp_path_factory.mktemp("plans")


@pytest.fixture
def shared_plans(plans: Path, own_state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of a test is that of all others that ask for it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(plans))
    return plans
