"""Tries a model out in a process of its own: TFLite crashes on some files that nobody has seen.

As a program (`python -m edge_agent.engines.probe REQUEST`) it is that process: it opens the model,
runs it, and prints one JSON object: the tensors, or the reason why it cannot be run.
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import edge_agent
from edge_agent.engines import open_engine
from edge_agent.engines.delegate import DelegateOptions
from edge_agent.errors import DelegateError, EdgeAgentError, InferenceError, ModelError
from edge_agent.model import TensorSpec

_SECONDS = 60.0
_MAX_ANSWER = 1 << 20
_MAX_LINE = 300
_MAX_WRITTEN = 1 << 28  # bytes of a file that the child writes, such as a plan
_LIBRARIES = 512 << 20  # bytes of address space ...
_OWN_DATA = 128 << 20  # ... and of private memory that the child has without a model
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_OUT_OF_MEMORY = b"bad_alloc"
_SMALLER = "use a smaller model, or stop what else takes memory here"
_CURE = "export or fetch it again; edge-agent inspect tells which engines run it"


@dataclass(frozen=True, slots=True)
class Limits:
    """What trying a model out may take.

    `seconds` of waiting, which is the most processor time too, and `memory` in bytes beyond the
    libraries and four times the model's own file.
    """

    seconds: float = _SECONDS
    memory: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Tried:
    """A model that ran: the engine and its runtime, and the shapes and types of its tensors."""

    engine: str
    runtime: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Refused(ModelError):
    """The child did not survive, or took more than it may."""


def probe(kind: str, path: Path, timeout: float = _SECONDS) -> str:
    """Why this engine cannot run the model, empty where it can; never raises, never crashes."""
    try:
        try_out(path, kind, limits=Limits(seconds=timeout))
    except _Refused as error:
        return error.message
    except EdgeAgentError as error:
        return str(error)
    return ""


def try_out(
    path: Path,
    kind: str,
    delegate: DelegateOptions | None = None,
    golden: Sequence[Path] = (),
    limits: Limits | None = None,
) -> Tried:
    """Open a model in a child process and run it on golden samples, else on made-up input.

    Raises ModelError where it cannot be opened, crashes, hangs or takes too much; InferenceError
    where it opens but does not run on that input; DelegateError for the accelerator.
    """
    limits = limits or Limits()
    request = {
        "path": str(path),
        "kind": kind,
        "delegate": dataclasses.asdict(delegate) if delegate else None,
        "golden": [str(each) for each in golden],
        "seconds": limits.seconds,
        "memory": limits.memory,
    }
    answer = _ask(request, limits)
    if "error" in answer:
        error = _ERRORS.get(answer["type"], ModelError)
        raise error(answer["error"], answer["cure"])
    inputs, outputs = answer["inputs"], answer["outputs"]
    return Tried(answer["engine"], answer["runtime"], tuple(inputs), tuple(outputs))


_ERRORS: dict[str, type[EdgeAgentError]] = {
    each.__name__: each for each in (InferenceError, DelegateError)
}


def _ask(request: dict[str, Any], limits: Limits) -> dict[str, Any]:
    """The child's answer; raises _Refused where it has none."""
    with tempfile.TemporaryFile() as said:
        try:
            done = subprocess.run(  # noqa: S603 - our own module
                [sys.executable, "-P", "-m", __name__, json.dumps(request)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                timeout=limits.seconds,
                env={**child_environment(), "OPENBLAS_NUM_THREADS": "1"},  # they only take memory
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise _Refused(f"it does not answer within {limits.seconds:g} s", _CURE) from None
        except OSError as error:
            raise _Refused(f"it cannot be tried out: {error.strerror}", "free memory") from error
        said.seek(0)
        errors = said.read(_MAX_ANSWER)
    if done.returncode < 0:
        raise _death(signal.Signals(-done.returncode), errors, limits)
    try:
        answer: dict[str, Any] = json.loads(done.stdout[-_MAX_ANSWER:].splitlines()[-1])
    except (ValueError, IndexError):
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f": {last[:_MAX_LINE]}" if last else ""
        text = f"its test ends with code {done.returncode}{why}"
        raise _Refused(text, _CURE) from None
    return answer


def _death(by: signal.Signals, errors: bytes, limits: Limits) -> _Refused:
    if by in (signal.SIGXCPU, signal.SIGALRM):
        return _Refused(f"it takes more than {limits.seconds:g} s of processor time", _CURE)
    if _OUT_OF_MEMORY in errors:
        return _Refused(_too_large(limits.memory), _SMALLER)
    return _Refused(f"it crashes the runtime ({by.name})", _CURE)


def _too_large(memory: int) -> str:
    return f"it needs more than {memory / 2**20:.0f} MiB of memory"


def child_environment() -> dict[str, str]:
    """Ours, with this very package on the path of Python."""
    root = str(Path(edge_agent.__file__).parents[1])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def main(request: dict[str, Any]) -> int:
    """Be the process that may crash; always prints an answer if it does not."""
    path, limits = Path(request["path"]), Limits(request["seconds"], request["memory"])
    try:
        _confine(path, limits)
        answer = _run(path, request)
    except EdgeAgentError as error:
        kind = type(error).__name__
        answer = {"error": error.message, "cure": error.cure, "type": kind}
    except MemoryError:
        answer = {"error": _too_large(limits.memory), "cure": _SMALLER, "type": "ModelError"}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0


def _run(path: Path, request: dict[str, Any]) -> dict[str, Any]:
    delegate = DelegateOptions(**request["delegate"]) if request["delegate"] else None
    engine = open_engine(path, request["kind"], 1, delegate)
    for sample in request["golden"]:
        engine.run(*_golden(Path(sample), engine.inputs))
    # An input without axes cannot be written to: TFLite gives no view of it.
    if not request["golden"] and all(s.shape and -1 not in s.shape for s in engine.inputs):
        engine.run(*_anything(engine.inputs))
    return {
        "engine": engine.name,
        "runtime": engine.runtime,
        "inputs": [_described(spec) for spec in engine.inputs],
        "outputs": [_described(spec) for spec in engine.outputs],
    }


def _described(spec: TensorSpec) -> str:
    shape = "x".join("?" if side < 0 else str(side) for side in spec.shape)
    return f"{spec.name} {shape or 'scalar'} {spec.dtype.name}"


def _golden(path: Path, specs: Sequence[TensorSpec]) -> list[np.ndarray[Any, Any]]:
    """Input tensors of a sample: by their names, else in their order."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            names = [s.name if s.name in arrays else f"arr_{n}" for n, s in enumerate(specs)]
            return [
                arrays[name].astype(spec.dtype, casting="same_kind").reshape(spec.shape)
                for name, spec in zip(names, specs, strict=True)
            ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"the golden sample {path} does not fit the model: {error}",
            "give each input an array of its name, shape and type",
        ) from error


def _anything(specs: Sequence[TensorSpec]) -> list[np.ndarray[Any, Any]]:
    """Noise where any number will do; what may be an index is zero."""
    noise = np.random.default_rng(0)
    made = []
    for spec in specs:
        if spec.dtype.kind == "f":
            values: np.ndarray[Any, Any] = noise.random(spec.shape)
        elif spec.dtype.kind in "iu" and spec.dtype.itemsize == 1:
            values = noise.integers(0, 100, spec.shape)
        else:
            values = np.zeros(spec.shape)
        made.append(values.astype(spec.dtype))
    return made


def _confine(path: Path, limits: Limits) -> None:
    """Whatever becomes of its parent, this process takes no more, and ends in time."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    seconds = int(limits.seconds) + 1
    signal.alarm(seconds + 1)
    size = path.stat().st_size if path.exists() else 0
    memory = limits.memory + 4 * size
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, _LIBRARIES + memory),
        (resource.RLIMIT_DATA, _OWN_DATA + memory),
        (resource.RLIMIT_FSIZE, _MAX_WRITTEN),
    ):
        hard = resource.getrlimit(what)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (limit, limit))


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
