"""Damages a good model in many ways and opens what comes out, in a process of its own.

`python -m tests.engines.numpy.fuzz MODEL SEED COUNT` prints JSON: how often the engine ran or
refused, what else came up, and the most processor time that one file took, in seconds. A file that
hangs ends it with a traceback.
"""

from __future__ import annotations

import faulthandler
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import InferenceError, ModelError

_MEMORY = 4 << 30  # address space, libraries and all
_HANGS = 60.0  # seconds by the clock, which on a shared machine may be many times the processor's


def damaged(good: bytes, noise: np.random.Generator) -> bytes:
    """A copy that is cut off, or has some bytes, bits or words changed."""
    data = bytearray(good)
    kind = noise.integers(4)
    if kind == 0:
        return bytes(data[: noise.integers(len(data))])
    # Most of a model is weights, which may be anything: half of the hits go to the rest.
    spots = noise.integers(0, len(data), noise.integers(1, 9))
    if noise.random() < 0.5:
        spots = spots % min(len(data), 4096) if noise.random() < 0.5 else -1 - spots % 8192
    for spot in spots.tolist():
        if kind == 1:
            data[spot] ^= 1 << int(noise.integers(8))
        elif kind == 2:
            data[spot] = int(noise.integers(256))
        else:
            word = int(noise.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 65536]))
            start = spot % (len(data) - 4) & ~3
            data[start : start + 4] = word.to_bytes(4, "little")
    return bytes(data)


def outcome(path: Path) -> str:
    """What becomes of one file."""
    try:
        engine = NumpyEngine(path)
        engine.run()
    except (ModelError, InferenceError):
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "ran"


def main(model: str, seed: int, count: int) -> None:
    """Try so many damages of one model."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    good = Path(model).read_bytes()
    noise = np.random.default_rng(seed)
    outcomes: Counter[str] = Counter()
    longest = 0.0
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        path = Path(folder) / "damaged.tflite"
        for _ in range(count):
            path.write_bytes(damaged(good, noise))
            faulthandler.dump_traceback_later(_HANGS, exit=True)
            start = time.process_time()
            outcomes[outcome(path)] += 1
            longest = max(longest, time.process_time() - start)
    faulthandler.cancel_dump_traceback_later()
    print(json.dumps({"outcomes": outcomes, "longest": longest}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
