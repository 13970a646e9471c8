"""What the machine says of itself: memory, temperature, throttling."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path("/")
_STATM = Path("/proc/self/statm")
_THERMAL = Path("/sys/class/thermal/thermal_zone0/temp")
_THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
_NOW = 0xF


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


def throttle_flags(root: Path = _ROOT) -> int | None:
    """Flags of a Raspberry Pi's firmware, as in `vcgencmd get_throttled`; None elsewhere.

    The low bits tell the present: 1 under-voltage, 2 frequency capped, 4 throttled, 8 soft
    temperature limit; 16 bits higher is what has been since the start.
    """
    try:
        return int((root / _THROTTLED).read_text(encoding="ascii"), 16)
    except (OSError, ValueError):
        return None
