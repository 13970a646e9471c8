"""A disk that can be full, really."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import ROOT

_CLONE_NEWNS = 0x20000
_MEBIBYTES = 32
_AFTERMATH = 3.0  # s in which a disk that has room again may still be out of use


def own_mounts() -> bool:
    """Give this process mounts of its own, gone with it; False where that is not allowed.

    To be called before there are threads.
    """
    if os.geteuid() != 0 or ctypes.CDLL(None).unshare(_CLONE_NEWNS) != 0:
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False).returncode == 0


class SmallDisk:
    """A file system of a few MiB that can be filled to the last byte; needs `own_mounts`."""

    def __init__(self, folder: Path, mounted: bool) -> None:
        self.folder = folder
        self._filler = folder / "filler"
        self._is_full = False
        self._freed_at = -_AFTERMATH
        self._mounted = mounted
        folder.mkdir()
        if mounted:
            options = f"size={_MEBIBYTES}m,mode=700"
            subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)

    @property
    def in_trouble(self) -> bool:
        """Whether the agent may have events in memory because of this disk."""
        return self._is_full or time.monotonic() - self._freed_at < _AFTERMATH

    def fill(self) -> None:
        """Leave no room for a single byte."""
        self._is_full = True
        with self._filler.open("ab", buffering=0) as file:
            for size in (2**16, 2**9, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def free(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)
        if self._is_full:
            self._freed_at = time.monotonic()
        self._is_full = False

    def close(self) -> None:
        """Take it away; nobody may use it any more."""
        self.free()
        if self._mounted:
            subprocess.run(["umount", self.folder], check=True)
        self._mounted = False


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")


def told_by_child(script: str, *words: str) -> Any:
    """The JSON that a program printed, which may mount; skips where no mount is allowed.

    It calls `own_mounts` first and ends with "no mounts" where that fails.
    """
    child = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
        check=False,
    )
    if "no mounts" in child.stderr:
        pytest.skip("this machine lets nobody mount")
    assert child.returncode == 0, child.stderr
    return json.loads(child.stdout)
