"""Where the agent keeps what must survive a restart."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def state_folder(chosen: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The chosen folder, else systemd's $STATE_DIRECTORY, else the user's own by XDG.

    Nothing is made or looked at. Raises RuntimeError where there is not even a home folder.
    """
    if chosen is not None:
        return chosen
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])  # systemd lists all of StateDirectory=
    xdg = environ.get("XDG_STATE_HOME", "")
    # The specification has relative paths ignored.
    base = Path(xdg) if xdg.startswith("/") else Path.home() / ".local" / "state"
    return base / "edge-agent"
