"""What is tortured: the agent's process, with all its lives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from tests.support.small_disk import SmallDisk
from tests.torture.journal import Life, read_life

ROOT = Path(__file__).resolve().parents[2]

_RESTARTS = 20
_GOODBYE = 10.0  # s


def cause_of_death(process: subprocess.Popen[Any]) -> str:
    """The exit code of a process that has ended; one that hangs is made to print its stacks."""
    code = process.poll()
    if code is not None:
        return f"the agent had ended by itself with {code}"
    process.send_signal(signal.SIGABRT)
    process.wait(_GOODBYE)
    return "the agent was alive, see its log for what it was doing"


class Agent(Protocol):
    """What the faults are done to; `offset` is how wrong its clock is, in seconds."""

    offset: float

    def start(self, pipelines: list[str]) -> None:
        """Begin a new life with these pipelines."""

    def kill(self) -> None:
        """SIGKILL; safe where it is dead."""

    def stop(self) -> int:
        """End it in good order; its exit code."""

    def autopsy(self) -> str:
        """Why it does not work; ends it, with the stacks of its threads in its log."""

    def order(self, *words: object) -> None:
        """Tell it something, see driver.py."""

    def jump(self, seconds: float) -> None:
        """Set its clock."""

    @property
    def newest(self) -> int:
        """The highest seq so far, as far as one can know."""

    @property
    def made(self) -> int:
        """Events so far."""


class DrivenAgent:
    """The driver as a child process, with a journal for each of its lives."""

    def __init__(self, folder: Path, disk: SmallDisk, port: int, login: tuple[str, str]) -> None:
        self.lives: list[Life] = []
        self.refused_starts = 0
        self.offset = 0.0
        self._folder = folder
        self._disk = disk
        self._settings = {"port": port, "username": login[0], "password": login[1]}
        self._rate = 0.0
        self._process: subprocess.Popen[str] | None = None

    @property
    def journal(self) -> Path:
        """The file of the present or next life."""
        return self._folder / f"journal-{len(self.lives)}"

    @property
    def life(self) -> Life:
        """The present life so far."""
        return read_life(self.journal)

    @property
    def newest(self) -> int:
        """The highest seq of this life whose put has returned."""
        return max(self.life.put, default=0)

    @property
    def made(self) -> int:
        """Events whose put has returned, in all lives."""
        return sum(len(life.put) for life in self.lives) + len(self.life.put)

    def start(self, pipelines: list[str]) -> None:
        """Begin a new life, which publishes states of these pipelines."""
        for _ in range(_RESTARTS):
            self._launch(pipelines)
            if self._is_up():
                self.order("rate", self._rate)
                return
            self.refused_starts += 1
            self._end()
        raise AssertionError(f"the agent does not start, see {self._folder}/agent.log")

    def order(self, *words: object) -> None:
        """Tell the driver something; nothing where it is dead."""
        if words[0] == "rate":
            self._rate = float(str(words[1]))
        process = self._process
        if process is not None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(" ".join(map(str, words)) + "\n")
                process.stdin.flush()

    def jump(self, seconds: float) -> None:
        """Set its clock, also that of the lives to come."""
        self.offset += seconds
        self.order("jump", seconds)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._end()

    def stop(self) -> int:
        """End it in good order; its exit code."""
        assert self._process is not None
        self.order("stop")
        code = self._process.wait(_GOODBYE)
        self._end(killed=False)
        return code

    def autopsy(self) -> str:
        """Why it does not work; ends it, with the stacks of its threads in its log."""
        assert self._process is not None
        cause = cause_of_death(self._process)
        self._end()
        return cause

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def _launch(self, pipelines: list[str]) -> None:
        first = max((life.begun for life in self.lives), default=0) + 1
        settings = {
            **self._settings,
            "first": first,
            "pipelines": pipelines,
            "offset": self.offset,
            "journal": str(self.journal),
            "state_dir": str(self._disk.folder),
        }
        command = [sys.executable, "-m", "tests.torture.driver", json.dumps(settings)]
        with self._log() as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                text=True,
                cwd=ROOT,
                env={**os.environ, "PYTHONFAULTHANDLER": "1"},
            )

    def _is_up(self) -> bool:
        """Wait for the first line of the journal; False where the process ends before it."""
        until = time.monotonic() + 20.0
        while not self.journal.exists() or not self.journal.stat().st_size:
            if not self.alive or time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    def _end(self, killed: bool = True) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        self._process = None
        life = self.life
        life.disk_failed = killed and self._disk.in_trouble
        self.lives.append(life)

    def _log(self) -> IO[bytes]:
        return (self._folder / "agent.log").open("ab")
