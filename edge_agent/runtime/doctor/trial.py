"""Tries a source, a model or the runtime out in a process of its own, which may hang or crash.

As a program (`python -m edge_agent.runtime.doctor.trial KIND [FILE NAME]`) it is that process: it
prints what it found as one JSON object. It reads the configuration itself, so that no password
stands on a command line.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.config.load import load_config
from edge_agent.config.schema import Config
from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine
from edge_agent.engines.probe import child_environment
from edge_agent.engines.tflite import TfliteEngine
from edge_agent.errors import ConfigError, EdgeAgentError
from edge_agent.frame import Frame
from edge_agent.preprocess.numbers import shape_of
from edge_agent.runtime.doctor.samples import SampleLook
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.opening import open_for
from edge_agent.runtime.system import rss_bytes
from edge_agent.sources import SOURCES
from edge_agent.sources.base import Source

_SETTLING = 3  # first frames, which come late or all at once
_FRAMES = 90  # at most
_SECONDS = 3.0  # of looking at a source
_RUNS = 50  # at most
_RUNNING = 1.0  # seconds of running a model
_PICTURE = (480, 640, 3)


class TrialFailed(EdgeAgentError):
    """What was tried out failed, crashed or did not answer."""


def trial(kind: str, *words: str | Path, limit: float) -> dict[str, Any]:
    """What the child found within `limit` seconds; raises TrialFailed."""
    command = [sys.executable, "-P", "-m", __name__, kind, str(limit), *map(str, words)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limit,
            env=child_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TrialFailed(f"no answer within {limit:g} s") from None
    if done.returncode < 0:
        raise TrialFailed(f"it crashes: {signal.Signals(-done.returncode).name}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    except (ValueError, IndexError):
        raise TrialFailed(f"its test ends with code {done.returncode}") from None
    if "error" in answer:
        raise TrialFailed(answer["error"], answer["cure"])
    return answer


def try_runtime() -> dict[str, Any]:
    """Which TFLite is installed, and whether XNNPACK runs a part of the bundled int8 model."""
    model = files("edge_agent") / "assets" / "belt.tflite"
    with as_file(model) as path, closing(open_engine(path, "tflite")) as engine:
        return {"runtime": engine.runtime, "xnnpack": _is_delegated(engine)}


def try_model(config: Config, name: str) -> dict[str, Any]:
    """What the model is run by and how long it takes, in ms, from a frame to its results."""
    with closing(open_for(config, name, may_crash=True)) as inference:
        numbers = inference.beside.zeros()
        if config.takes_pictures(name):
            example = np.random.default_rng(0).integers(0, 256, _PICTURE, np.uint8)
        else:
            example = np.zeros(shape_of(inference.engine.inputs[0]), np.float32)
        inference.run(example, 0.5, numbers=numbers)
        times: list[float] = []
        until = time.perf_counter() + _RUNNING
        while len(times) < _RUNS and time.perf_counter() < until:
            began = time.perf_counter()
            inference.run(example, 0.5, numbers=numbers)
            times.append(time.perf_counter() - began)
        engine = inference.engine
        return {
            "runtime": engine.runtime,
            "device": engine.device,
            "fallback": engine.fallback_reason,
            "xnnpack": _is_delegated(engine),
            "decoder": inference.decoder.name,
            "labels": len(inference.labels or ()),
            "ms": 1e3 * float(np.median(times)),
            "rss": rss_bytes(),
        }


def _is_delegated(engine: Engine) -> bool:
    return isinstance(engine, TfliteEngine) and engine.is_delegated


def try_source(config: Config, name: str) -> dict[str, Any]:
    """Open the source and look at what it gives, for some seconds."""
    chosen = config.sources[name]
    source = SOURCES.load(chosen.type)(name, chosen.options)
    try:
        source.start()
        opened = (chosen, *chosen.parts.values())
        if any(getattr(each.options, "folder", None) is not None for each in opened):
            return {"folder": True}  # reading would use a picture up
        return _look_at(source)
    finally:
        source.stop()


def _look_at(source: Source) -> dict[str, Any]:
    timer = threading.Timer(_SECONDS, source.stop)
    timer.daemon = True
    if waits := source.patience is None:  # silence is no fault of it
        timer.start()
    samples = SampleLook()
    times: list[float] = []
    prints: set[int] = set()
    newest: Frame | None = None
    while len(times) < _FRAMES and (frame := source.read()) is not None:
        newest = frame
        if not frame.is_picture:
            samples.add(frame)
        if frame.media_time is not None:
            break
        times.append(time.perf_counter())
        prints.add(zlib.crc32(np.ascontiguousarray(frame.data).data))
        if len(times) == 1 and not waits:
            timer.start()
    timer.cancel()
    if newest is None:
        return {"waits": True} if waits else {}
    return _facts(newest, times, len(prints)) if newest.is_picture else samples.facts()


def _facts(frame: Frame, times: list[float], different: int) -> dict[str, Any]:
    if frame.signal is not None:
        return {"channels": list(frame.signal.channels), "rate": frame.signal.rate}
    if frame.text is not None:
        return {"text": len(frame.text)}
    height, width = frame.data.shape[:2]
    settled = times[min(_SETTLING, len(times) // 2) :]
    span = settled[-1] - settled[0] if len(settled) > 1 else 0.0
    return {
        "live": frame.media_time is None,
        "size": [width, height],
        "frames": len(times),
        "different": different,
        "fps": (len(settled) - 1) / span if span > 0 else None,
        "mean": float(frame.data.mean()),
        "spread": float(frame.data.std()),
    }


def main(kind: str, limit: str, *words: str) -> int:
    """Be the process that may hang; whatever becomes of its parent, it ends in time."""
    signal.alarm(int(float(limit)) + 1)
    set_up_logging("error")
    try:
        answer = _try(kind, *words)
    except EdgeAgentError as error:
        answer = {"error": error.message, "cure": error.cure}
    except ValueError as error:
        answer = {"error": str(error), "cure": ""}
    sys.stdout.write(f"\n{json.dumps(answer)}\n")
    return 0


def _try(kind: str, *words: str) -> dict[str, Any]:
    if kind == "runtime":
        return try_runtime()
    file, name = words
    config = load_config(file).config
    if config is None:
        raise ConfigError((f"{file} cannot be used any more",))
    return try_model(config, name) if kind == "model" else try_source(config, name)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
