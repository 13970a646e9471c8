"""Tries a model out in a process of its own: TFLite crashes on some files that nobody has seen.

As a program (`python -m edge_agent.engines.probe ENGINE FILE`) it is that process: it opens the
model, runs it once on zeros, prints the reason if that fails and exits with 1.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import edge_agent
from edge_agent.engines import open_engine
from edge_agent.errors import EdgeAgentError

TIMEOUT = 60.0
"""Seconds that opening and one run may take."""

MEMORY = 1 << 30
"""Bytes that the model may take beyond the libraries and its own file."""

_MAX_REASON = 2000


def probe(kind: str, path: Path, timeout: float = TIMEOUT) -> str:
    """Why this engine cannot run the model, empty where it can; never raises, never crashes."""
    command = [sys.executable, "-P", "-m", __name__, kind, str(path)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            env={**child_environment(), "OPENBLAS_NUM_THREADS": "1"},  # threads only take memory
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it does not answer within {timeout:g} s"
    if done.returncode < 0:
        return f"it crashes the runtime ({signal.Signals(-done.returncode).name})"
    said = done.stdout[-_MAX_REASON:].decode("utf-8", "replace").strip()
    return said or (f"its test ends with code {done.returncode}" if done.returncode else "")


def child_environment() -> dict[str, str]:
    """Ours, with this very package on the path of Python."""
    root = str(Path(edge_agent.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def main(kind: str, path: Path) -> int:
    """Be the process that may crash; exit code 0 where the model runs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        _limit_memory(path)
        engine = open_engine(path, kind)
        if not any(-1 in spec.shape for spec in engine.inputs):
            engine.fill(_write_zeros)
            engine.run()
    except (EdgeAgentError, MemoryError) as error:
        sys.stdout.write(str(error) or "it needs too much memory")
        return 1
    return 0


def _write_zeros(*inputs: Any) -> None:
    for tensor in inputs:
        tensor.fill(0)


def _limit_memory(path: Path) -> None:
    libraries = 2 << 30  # address space, most of it never touched
    size = path.stat().st_size if path.exists() else 0
    limit = libraries + MEMORY + 4 * size
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
