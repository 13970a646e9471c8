"""scripts/install.sh: what it would do, and that it says no in plain words."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.support.agent import ROOT

SCRIPT = ROOT / "scripts" / "install.sh"


def install(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the script, which touches nothing with --dry-run."""
    return subprocess.run(
        [str(SCRIPT), *words], capture_output=True, text=True, timeout=60, check=False
    )


def test_what_would_be_installed() -> None:
    """User, environment, configuration for the group alone, both units, all drop-ins."""
    done = install("--dry-run")
    assert done.returncode == 0, done.stderr
    for part in (
        "/opt/edge-agent/venv/bin/pip install",
        "install -d -m 0750 -o root -g edge-agent /etc/edge-agent",
        "systemd/edge-agent.service /etc/systemd/system/edge-agent.service",
        "systemd/edge-agent@.service",
        "systemd/drop-ins/camera.conf",
        "systemd/camera.rules",
    ):
        assert part in done.stdout, part


def test_what_would_be_removed() -> None:
    """Uninstalling keeps the configuration and what waits; purging does not."""
    assert "rm -rf /etc/edge-agent" not in install("--dry-run", "--uninstall").stdout
    purged = install("--dry-run", "--purge").stdout
    assert "rm -rf /opt/edge-agent" in purged
    assert "rm -rf /etc/edge-agent /var/lib/edge-agent" in purged


def test_wrong_use() -> None:
    """An unknown option prints the usage; a folder without our wheel is named."""
    assert install("--nonsense").returncode == 2
    done = install("--dry-run", "--wheels", "/usr")
    assert done.returncode == 1
    assert "no edge_agent-*.whl in /usr" in done.stderr


def test_it_needs_root() -> None:
    """Without it the way is told, before anything is touched."""
    if os.geteuid() == 0:
        pytest.skip("this is root")
    assert "sudo" in install().stderr


def test_the_scripts_are_sound() -> None:
    """Shellcheck has nothing to say."""
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is missing: sudo apt install shellcheck")
    files = [SCRIPT, *sorted((ROOT / "tests" / "systemd").glob("*.sh"))]
    done = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert done.stdout == ""
