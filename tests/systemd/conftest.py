"""The machine with systemd, with this tree and the wheels in it."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.agent import ROOT
from tests.support.container import Container, container_to_test


@pytest.fixture(scope="session")
def machine() -> Container:
    """A machine that holds this tree, a folder of wheels and a running broker."""
    container, wheels = container_to_test()
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    container.put(ROOT, [file for name in listed.stdout.split() if (file := ROOT / name).exists()])
    container.put(wheels, sorted(wheels.glob("*.whl")), "/root/wheels")
    container.run("systemctl", "start", "mosquitto")
    return container
