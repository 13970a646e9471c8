"""The command line: called in this process, or as a child where the process itself matters."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import cv2
import pytest

from edge_agent.cli.main import main
from tests.support.agent import ASSETS, ROOT
from tests.support.pictures import encode

MODEL = str(ASSETS / "belt.tflite")
CLIP = str(ASSETS / "belt.mp4")


@dataclass(frozen=True)
class Answer:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The only JSON value on stdout."""
        return json.loads(self.out)

    @property
    def complaint(self) -> str:
        """The only line on stderr, without the name of the program."""
        (line,) = self.err.splitlines()
        name, text = line[:12], line[12:]
        assert name == "edge-agent: ", line
        return text


class Terminal:
    """Calls commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> Answer:
        """Run `edge-agent WORDS`."""
        self._capsys.readouterr()
        with _own_logging():
            try:
                code = main([str(word) for word in words])
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 0
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)


@contextmanager
def _own_logging() -> Iterator[None]:
    """Commands set up logging for their whole process; pytest wants its own back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


class Children:
    """Starts commands as children of this process, and kills those that are left."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[str]] = []

    def __call__(
        self,
        *words: str | Path,
        options: tuple[str, ...] = (),
        stdout: IO[str] | int = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        """Start `edge-agent WORDS`, with these options of Python."""
        command = [sys.executable, *options, "-m", "edge_agent", *map(str, words)]
        env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        process = subprocess.Popen(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()


def finish(process: subprocess.Popen[str], timeout: float = 30.0) -> Answer:
    """Wait for a child's end."""
    out, err = process.communicate(timeout=timeout)
    return Answer(process.returncode, out or "", err)


@cache
def _frame_bytes(seconds: float) -> bytes:
    capture = cv2.VideoCapture(CLIP, cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_POS_MSEC, 1e3 * seconds)
    done, image = capture.read()
    capture.release()
    assert done
    return encode(image, ".png")  # type: ignore[arg-type]


def belt_frame(path: Path, seconds: float = 3.0) -> Path:
    """A frame of the bundled clip as a PNG file; at 3 s it shows nine parts."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(_frame_bytes(seconds))
    return path
