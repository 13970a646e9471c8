"""What the machine says of itself: memory, temperature, throttling."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

_ROOT = Path("/")
_STATM = Path("/proc/self/statm")
_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
_THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
_NOW = 0xF
_COMPLAINTS = {1: "under-voltage", 2: "frequency capped", 4: "throttled", 8: "too hot"}
_MEMINFO = Path("proc/meminfo")
_MEMORY_PRESSURE = Path("proc/pressure/memory")


def rss_bytes() -> int:
    """Resident memory of this process; 0 where the kernel does not tell."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def cpu_temperature() -> float | None:
    """Degrees Celsius of the first thermal zone; None where there is none."""
    try:
        return int(_THERMAL.read_text(encoding="ascii")) / 1000.0
    except (OSError, ValueError):
        return None


def throttled() -> bool | None:
    """Whether a Raspberry Pi runs slower now for heat or low voltage; None elsewhere."""
    flags = throttle_flags()
    return None if flags is None else bool(flags & _NOW)


def slowed(root: Path = _ROOT) -> str:
    """What a Raspberry Pi's firmware complains of now, in words; empty where of nothing."""
    flags = throttle_flags(root) or 0
    return ", ".join(words for bit, words in _COMPLAINTS.items() if flags & bit)


def memory_pressure(root: Path = _ROOT) -> float | None:
    """Percentage of the last 10 s in which something waited for memory; None if unknown."""
    try:
        text = (root / _MEMORY_PRESSURE).read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^some avg10=([0-9.]+)", text, re.MULTILINE)
    return float(found[1]) if found else None


def memory_available(root: Path = _ROOT) -> float | None:
    """Percentage of the memory that programs can still take; None if unknown."""
    try:
        text = (root / _MEMINFO).read_text(encoding="ascii")
    except OSError:
        return None
    found = dict(re.findall(r"^(MemTotal|MemAvailable):\s+(\d+) kB$", text, re.MULTILINE))
    if len(found) < 2 or not int(found["MemTotal"]):
        return None
    return 100.0 * int(found["MemAvailable"]) / int(found["MemTotal"])


def cpu_seconds() -> float:
    """Processor time that this process has used, of all its threads."""
    return time.process_time()


def throttle_flags(root: Path = _ROOT) -> int | None:
    """Flags of a Raspberry Pi's firmware, as in `vcgencmd get_throttled`; None elsewhere.

    The low bits tell the present: 1 under-voltage, 2 frequency capped, 4 throttled, 8 soft
    temperature limit; 16 bits higher is what has been since the start.
    """
    try:
        return int((root / _THROTTLED).read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return None
