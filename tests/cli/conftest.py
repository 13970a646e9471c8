"""The command line for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Children, Terminal, belt_frame
from tests.support.replay import Desk


@pytest.fixture(autouse=True)
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are opened without a child trying them out, which has tests of its own."""
    monkeypatch.setattr("edge_agent.runtime.trials.Trials.check", lambda *_: None)


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Calls commands in this process."""
    return Terminal(capsys)


@pytest.fixture
def children() -> Iterator[Children]:
    """Starts commands as processes of their own; none outlives its test."""
    started = Children()
    yield started
    started.close()


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """A frame of the bundled clip, with nine parts on it."""
    return belt_frame(tmp_path / "frame.png")


@pytest.fixture
def desk(tmp_path: Path, terminal: Terminal) -> Desk:
    """The bundled model behind a camera that is not there, to be replayed."""
    return Desk(tmp_path, terminal)
