"""What runs the models on this machine."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import Any

from edge_agent.runtime.doctor.commands import pip, set_in_unit
from edge_agent.runtime.doctor.finding import Finding, fail, ok, warn
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.trial import TrialFailed

_LITERT = ((3, 11), (3, 14))  # Pythons with wheels, which are for 64 bits only
_TFLITE_RUNTIME = (3, 11)  # the last one


def cpu(machine: Machine, unit: str) -> Finding:
    """Whether /proc/cpuinfo can be seen: without it XNNPACK silently stays off."""
    text = machine.text("proc/cpuinfo")
    if not text or "processor" not in text:
        text = "/proc/cpuinfo is hidden: XNNPACK stays off, models run 3 times slower"
        return fail(text, set_in_unit(unit, "ProcSubset=all"))
    names = {line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line}
    shown = next(iter(names), platform.machine())
    return ok(f"{os.cpu_count()} x {shown}, /proc/cpuinfo visible")


def has_litert(is_64_bit: bool | None = None) -> bool:
    """Whether ai-edge-litert has wheels for this Python.

    Not asked of the kernel, which has 64 bits also below a 32-bit Raspberry Pi OS.
    """
    wide = sys.maxsize > 2**32 if is_64_bit is None else is_64_bit
    first, last = _LITERT
    return wide and first <= sys.version_info[:2] <= last


def runtime_cure() -> str:
    """The command that brings the quickest TFLite there is for this Python; empty for none."""
    if has_litert():
        return pip("install", "--force-reinstall", "ai-edge-litert")
    if sys.version_info[:2] <= _TFLITE_RUNTIME:
        return pip("install", "--force-reinstall", "tflite-runtime", "numpy<2")
    return ""


def engines(try_out: Callable[[], dict[str, Any]], needed: bool) -> Finding:
    """`try_out` is the trial of the runtime, `needed` whether a model asks for it by name."""
    try:
        found = try_out()
    except TrialFailed as error:
        return _judge_none(error.message, needed)
    if found["xnnpack"]:
        return ok(f"{found['runtime']}, XNNPACK on; numpy engine")
    if found["runtime"].startswith("tflite-runtime"):
        if not has_litert():
            return ok(f"{found['runtime']}, all there is for this Python; numpy engine")
        text = f"{found['runtime']} runs int8 models without XNNPACK"
        swap = (pip("uninstall", "-y", "tflite-runtime"), pip("install", "ai-edge-litert"))
        return warn(text, " && ".join(swap))
    upgrade = pip("install", "--upgrade", "ai-edge-litert")
    cure = f"see the line `cpu`; if that is fine: {upgrade}"
    return warn(f"{found['runtime']}, but XNNPACK is off: models run several times slower", cure)


def _judge_none(problem: str, needed: bool) -> Finding:
    """No TFLite, for a reason."""
    install = runtime_cure()
    if "needs numpy<2" in problem:
        install = pip("install", "numpy<2")
    if needed:
        numpy = "set engine: auto for that model and remove its delegate"
        cure = f"{install}; or {numpy}" if install else numpy
        return fail(f"{problem}; a model of the configuration is to run on it", cure)
    if not install:
        return ok(f"numpy engine, all there is for this Python: {problem}")
    return warn(f"{problem}; models run on the numpy engine, which is slower", install)
