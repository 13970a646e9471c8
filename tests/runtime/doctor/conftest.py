"""A machine made of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.runtime.doctor.machine import Identity, Machine

Make = Callable[[dict[str, str]], Machine]


@pytest.fixture
def machine_of(tmp_path: Path) -> Make:
    """Makes a machine whose kernel says what the files say, by their paths without the first /."""

    def make(files: dict[str, str]) -> Machine:
        root = tmp_path / "root"
        root.mkdir(exist_ok=True)
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        return Machine(root, Identity(12345, frozenset()))

    return make


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a shell script in front of the path, in place of a program that is not here."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return make
