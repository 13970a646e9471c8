"""Where the state goes, and what becomes of it where it cannot go anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.load import config_from_values
from edge_agent.config.schema import Config
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.runtime.wire import open_outbox
from edge_agent.state import state_folder


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/edge-agent", "XDG_STATE_HOME": "/x"}, "/var/lib/edge-agent"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/x"}, "/x/edge-agent"),
    ],
)
def test_the_environment_names_the_folder(environ: dict[str, str], folder: str) -> None:
    """Systemd's folder comes before the user's own."""
    assert state_folder(None, environ) == Path(folder)
    assert state_folder(Path("/mine"), environ) == Path("/mine")


@pytest.mark.parametrize("xdg", ["", "relative/path"])
def test_the_home_folder_is_the_last_resort(monkeypatch: pytest.MonkeyPatch, xdg: str) -> None:
    """As the XDG base directory specification has it, which ignores relative paths."""
    monkeypatch.setenv("HOME", "/home/me")
    expected = Path("/home/me/.local/state/edge-agent")
    assert state_folder(None, {"XDG_STATE_HOME": xdg}) == expected


def _config(state_dir: Path) -> Config:
    values = {"agent": {"name": "front-door", "state_dir": str(state_dir)}}
    return config_from_values(values, Path("/"))


def test_each_agent_has_a_file_of_its_own(tmp_path: Path) -> None:
    """The name of the agent is in it, so that two agents of one machine do not meet."""
    outbox = open_outbox(_config(tmp_path / "state"))
    assert isinstance(outbox, SqliteOutbox)
    outbox.close()
    assert (tmp_path / "state" / "front-door.outbox").is_file()


def test_memory_takes_over_where_nothing_can_be_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Loudly, and with numbers that no earlier process can have used."""
    (tmp_path / "file").touch()
    outbox = open_outbox(_config(tmp_path / "file"))
    assert isinstance(outbox, MemoryOutbox)
    assert "events wait in memory only" in caplog.text
    assert outbox.put_events([]) == []
    assert outbox._next_seq > 1_700_000_000_000
