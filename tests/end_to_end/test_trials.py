"""The daemon and a model that its child does not outlive."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.agent import ROOT
from tests.support.cli import CLIP, MODEL

HANG = """
import os, sys, time
from pathlib import Path
if "edge_agent.engines.probe" in sys.orig_argv:
    import edge_agent.engines as engines
    def hang(*_):
        Path(os.environ["CHILD"]).write_text(str(os.getpid()))
        time.sleep(100)
    engines.open_engine = hang
"""
CRASH = """
import os, sys
if "edge_agent.engines.probe" in sys.orig_argv:
    os.kill(os.getpid(), 11)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts the daemon with a model of its own; its trial does what a piece of Python says."""
    shutil.copy(MODEL, tmp_path / "m.tflite")
    (tmp_path / "c.yaml").write_text(
        f"agent: {{name: t, state_dir: {tmp_path}/st}}\n"
        "mqtt: {host: 127.0.0.1, port: 9}\n"
        "models: {m: {file: m.tflite}}\n"
        f"sources: {{v: {{type: video, file: {CLIP}, pace: loop}}}}\n"
        "pipelines: {p: {source: v, model: m}}\n"
    )
    processes: list[subprocess.Popen[str]] = []

    def started(site: str) -> subprocess.Popen[str]:
        (tmp_path / "sitecustomize.py").write_text(site)
        path = f"{tmp_path}{os.pathsep}{ROOT}"
        processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "edge_agent", "run", "-c", str(tmp_path / "c.yaml")],
                env={**os.environ, "PYTHONPATH": path, "CHILD": str(tmp_path / "child")},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return processes[-1]

    yield started
    for process in processes:
        process.kill()
        process.wait()


def until(what: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not what() and time.monotonic() < end:
        time.sleep(0.02)
    return what()


def test_sigterm_while_a_model_hangs_in_its_trial(
    tmp_path: Path, start: Callable[[str], subprocess.Popen[str]]
) -> None:
    """The daemon stops within 5 s as always, and its child is gone with it."""
    daemon = start(HANG)
    pid = tmp_path / "child"
    assert until(lambda: pid.exists() and pid.read_text() != "", 20)
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(10) == 0
    assert time.monotonic() - began < 5
    child = Path("/proc", pid.read_text())
    assert until(lambda: not child.exists() or ") Z " in (child / "stat").read_text(), 3)


def test_a_model_that_crashes(start: Callable[[str], subprocess.Popen[str]]) -> None:
    """The daemon says so in one line and runs on."""
    daemon = start(CRASH)
    assert daemon.stderr is not None
    said = next(line for line in daemon.stderr if "is not loaded" in line)
    assert "m.tflite is not loaded: it crashes the runtime (SIGSEGV) (export or fetch" in said
    assert daemon.poll() is None


def test_infer_tries_a_model_out_too(tmp_path: Path) -> None:
    """A file that somebody sent crashes a child, and the command says so."""
    shutil.copy(MODEL, tmp_path / "m.tflite")
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    done = subprocess.run(
        [sys.executable, "-m", "edge_agent", "infer", "-m", "m.tflite", "-i", "none.jpg"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "m.tflite is not loaded: it crashes the runtime (SIGSEGV)" in done.stderr
