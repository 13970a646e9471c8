"""Does what a cure of the doctor says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support.agent import ROOT


def do(cure: str, replaced: dict[str, str | Path] | None = None) -> str:
    """What the shell prints; `sudo` changes nothing, and parts are `replaced` for the test."""
    for old, new in (replaced or {}).items():
        assert old in cure, cure
        cure = cure.replace(old, str(new))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    env["PATH"] += ":/usr/sbin:/sbin"
    command = ["bash", "-c", f'set -o pipefail\nsudo() {{ "$@"; }}\n{cure}']
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, f"{cure}: {done.stdout}{done.stderr}"
    return done.stdout
