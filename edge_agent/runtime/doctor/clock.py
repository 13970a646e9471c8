"""Whether the wall clock is right: events carry it, certificates are checked against it."""

from __future__ import annotations

import time

from edge_agent.runtime.doctor.finding import Finding, fail, ok, warn

_RELEASED = 1_767_225_600  # 2026-01-01: this program is not older
_CURE = (
    "sudo timedatectl set-ntp true (or: sudo apt install chrony); it asks time servers in the "
    "network: timedatectl timesync-status"
)


def judge_clock(synchronized: bool, now: float) -> Finding:
    """`now` is what the clock shows, in epoch seconds."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < _RELEASED:
        return fail(f"it shows {shown}: TLS and the times of events are wrong", _CURE)
    if not synchronized:
        return warn(f"no time server keeps it; it shows {shown}", _CURE)
    return ok(f"synchronised, {shown}")
