"""Commands that cures name, as they are to be typed on this machine."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

_SUDO_LOOKS_IN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def edge_agent(*words: str | Path, root: bool = False) -> str:
    """This program: by its name where the shell, or sudo for `root`, finds it, else by its path."""
    known = shutil.which("edge-agent", path=_SUDO_LOOKS_IN if root else None)
    program = ["edge-agent"] if known else [sys.executable, "-m", "edge_agent"]
    return shlex.join([*(["sudo"] if root else []), *program, *map(str, words)])


def pip(*words: str) -> str:
    """Pip of the environment that this program runs in, which may be without pip, or root's."""
    python = [sys.executable] if os.access(sys.prefix, os.W_OK) else ["sudo", sys.executable]
    command = shlex.join([*python, "-m", "pip", *words])
    if find_spec("pip") is None:
        return f"{shlex.join([*python, '-m', 'ensurepip'])} && {command}"
    return command


def set_in_unit(unit: str, setting: str) -> str:
    """A drop-in with one setting of [Service], and a restart."""
    name = setting.partition("=")[0].lower()
    place = f"/etc/systemd/system/{unit}.d/60-{name}.conf"
    write = f"printf '[Service]\\n{setting}\\n' | sudo install -Dm644 /dev/stdin {place}"
    return f"{write} && sudo systemctl daemon-reload && sudo systemctl restart {unit}"
