"""The machine that is examined: what its kernel and its programs say."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_LIMIT = 4.0  # seconds that a program may take


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: user id and the ids of all groups."""

    uid: int
    groups: frozenset[int]

    @classmethod
    def own(cls) -> Self:
        """Of this process."""
        return cls(os.geteuid(), frozenset((os.getegid(), *os.getgroups())))

    @property
    def user(self) -> str:
        """Name of the user."""
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    def may_use(self, path: Path) -> bool:
        """Whether the mode of a device lets this user read and write; raises OSError."""
        if self.uid == 0:
            return True
        found = path.stat()
        if found.st_uid == self.uid:
            return found.st_mode & 0o600 == 0o600
        if found.st_gid in self.groups:
            return found.st_mode & 0o060 == 0o060
        return found.st_mode & 0o006 == 0o006


@dataclass(frozen=True, slots=True)
class Machine:
    """Files of `/sys`, `/proc`, `/dev`, `/etc` and `/run`, below a root that tests make."""

    root: Path = Path("/")
    identity: Identity = field(default_factory=Identity.own)

    def text(self, path: str) -> str | None:
        """Content of a small file without white space around it; None where it cannot be read."""
        try:
            return (self.root / path).read_text("utf-8", "replace").strip()
        except OSError:
            return None

    def number(self, path: str, base: int = 10) -> int | None:
        """Content of a file as a whole number; None where it is none."""
        try:
            return int(self.text(path) or "", base)
        except ValueError:
            return None

    def find(self, pattern: str) -> Iterator[str]:
        """Paths that match, in order, as `text` takes them."""
        return (str(path.relative_to(self.root)) for path in sorted(self.root.glob(pattern)))


def ask(*command: str) -> str | None:
    """What a program prints; None where it is not installed, fails or does not end."""
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the words are our own
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
