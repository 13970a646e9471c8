"""What runs the models on this machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from edge_agent.runtime.doctor.finding import Finding, fail, ok, warn
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.trial import TrialFailed

_INSTALL = "pip install --force-reinstall ai-edge-litert"


def cpu(machine: Machine) -> Finding:
    """Whether /proc/cpuinfo can be seen: without it XNNPACK silently stays off."""
    text = machine.text("proc/cpuinfo")
    if not text or "processor" not in text:
        cure = "in the unit set ProcSubset=all: sudo systemctl edit edge-agent"
        return fail("/proc/cpuinfo is hidden: XNNPACK stays off, models run 3 times slower", cure)
    names = {line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line}
    shown = next(iter(names), platform.machine())
    return ok(f"{os.cpu_count()} x {shown}, /proc/cpuinfo visible")


def engines(try_out: Callable[[], dict[str, Any]], needed: bool) -> Finding:
    """`try_out` is the trial of the runtime, `needed` whether a model asks for it by name."""
    try:
        found = try_out()
    except TrialFailed as error:
        cure = error.cure or _INSTALL
        if needed:
            return fail(f"{error.message}; a model of the configuration is to run on it", cure)
        return warn(f"{error.message}; models run on the numpy engine, which is slower", cure)
    if found["xnnpack"]:
        return ok(f"{found['runtime']}, XNNPACK on; numpy engine")
    if found["runtime"].startswith("tflite-runtime"):
        if platform.machine() == "armv7l":
            return ok(f"{found['runtime']}, all there is for 32-bit ARM; numpy engine")
        text = f"{found['runtime']} runs int8 models without XNNPACK"
        return warn(text, "pip uninstall tflite-runtime && pip install ai-edge-litert")
    cure = "see the line `cpu`; if that is fine: pip install --upgrade ai-edge-litert"
    return warn(f"{found['runtime']}, but XNNPACK is off: models run several times slower", cure)
