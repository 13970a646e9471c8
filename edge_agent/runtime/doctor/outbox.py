"""The outbox's file: who uses it, and whether it was ever damaged."""

from __future__ import annotations

from pathlib import Path

from edge_agent.errors import StateError
from edge_agent.outbox.store import owner
from edge_agent.runtime.doctor.finding import Finding, ok, skip, warn


def outbox(path: Path, user: str, as_root: str) -> Finding:
    """`path` is the outbox's file, `as_root` the doctor's command for who may see everything."""
    try:
        who = owner(path)
        damaged = sorted(path.parent.glob(f"{path.name}.corrupt-*[0-9]"))
    except (StateError, PermissionError) as error:
        text = f"{user} may not look into {path.parent}: {error}"
        return skip(text, as_root)
    used = f"in use by the running agent ({who})" if who else "not in use: no agent runs here"
    if damaged:
        cure = f"check the disk (line `wear`), then remove it: sudo rm {path}.corrupt-*"
        return warn(f"{path}: {used}; it was damaged: {damaged[-1].name} was set aside", cure)
    return ok(f"{path}: {used}")
