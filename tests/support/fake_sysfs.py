"""A tree of files like the kernel's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def put(root: Path, files: Mapping[str, str]) -> None:
    """Write each file with its folders, at once as the kernel shows it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(f"{content}\n")
        fresh.replace(path)
