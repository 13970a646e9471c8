"""A machine to throw away, with systemd: reached by whatever command runs words inside it."""

from __future__ import annotations

import io
import os
import shlex
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

COMMAND, WHEELS = "EDGE_AGENT_CONTAINER", "EDGE_AGENT_WHEELS"
FOLDER = "/root/edge-agent"


class Container:
    """Runs words inside the machine, as root."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def run(self, *words: str, seconds: float = 180, data: bytes | None = None) -> str:
        """What the words print on both channels; fails the test where they end with an error."""
        done = subprocess.run(
            [*self._command, *words],
            input=data,
            stdin=subprocess.DEVNULL if data is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{shlex.join(words)} ended with {done.returncode}:\n{said}"
        return said

    def shell(self, text: str, seconds: float = 180) -> str:
        """What a few lines of bash print; the first that fails ends them."""
        return self.run("bash", "-euc", f"cd {FOLDER}\n{text}", seconds=seconds)

    def put(self, root: Path, files: Iterable[Path], folder: str = FOLDER) -> None:
        """Copy files into a folder of the machine, under their paths below `root`."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for file in files:
                tar.add(file, arcname=str(file.relative_to(root)))
        self.run("mkdir", "-p", folder)
        self.run("tar", "xof", "-", "-C", folder, data=packed.getvalue())


def container_to_test() -> tuple[Container, Path]:
    """The machine and the folder of wheels that the environment names; skips where it does not."""
    missing = [name for name in (COMMAND, WHEELS) if not os.environ.get(name)]
    if missing:
        pytest.skip(
            f"{' and '.join(missing)} not set: the command that runs words as root in a machine "
            "to throw away (systemd, mosquitto and clients, python3-venv; no edge-agent), and a "
            "folder of wheels for it: pip wheel -w DIR ."
        )
    return Container(shlex.split(os.environ[COMMAND])), Path(os.environ[WHEELS])
