"""A machine made of files, and a configuration to try out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.runtime.doctor.machine import Identity, Machine
from tests.support.agent import ASSETS
from tests.support.verdicts import Seen

Make = Callable[[dict[str, str]], Machine]


@pytest.fixture(scope="session", autouse=True)
def seen() -> Iterator[Seen]:
    """Verdicts that the tests of the doctor have seen so far."""
    seen = Seen()
    with seen.watching():
        yield seen


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


def write_config(folder: Path, **sections: Any) -> Path:
    """A configuration with the bundled model, and other sections."""
    values = {
        "models": {"parts": {"file": str(ASSETS / "belt.tflite")}},
        "sources": {"clip": {"type": "video", "file": str(ASSETS / "belt.mp4")}},
        "pipelines": {"p": {"source": "clip", "model": "parts"}},
        **sections,
    }
    file = folder / "doctor.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def minimal() -> dict[str, Any]:
    """The least values of a configuration, with a camera and a model that are not there."""
    return {
        "models": {"m": {"file": "m.tflite"}},
        "sources": {"s": {"type": "camera"}},
        "pipelines": {"p": {"source": "s", "model": "m"}},
    }
