"""Whether there is memory for the agent and its models."""

from __future__ import annotations

import re

from edge_agent.runtime.doctor.finding import Finding, fail, ok, skip, warn

_LINE = re.compile(r"(\w+):\s+(\d+) kB")
_AGENT = 113 * 2**20  # bytes of the whole agent with an SSD model, as README measured it
_COPIES = 2  # of a model's file: the file itself and what the engine makes of it
_RESERVE = 64 * 2**20
_MIB = 2**20


def memory_needed(model_sizes: int) -> int:
    """Bytes that an agent may take whose model files have so many bytes in all."""
    return _AGENT + _COPIES * model_sizes


def judge_memory(meminfo: str | None, needed: int) -> Finding:
    """`meminfo` is /proc/meminfo, `needed` the bytes that have yet to be taken."""
    values = {key: int(kib) * 1024 for key, kib in _LINE.findall(meminfo or "")}
    available = values.get("MemAvailable")
    if available is None:
        return skip("/proc/meminfo does not tell what is available")
    swap = values.get("SwapFree", 0)
    found = f"{available // _MIB} MiB available, {swap // _MIB} MiB of swap"
    if not needed:
        return _judge_rest(found, available + swap)
    found += f"; the agent takes about {needed // _MIB} MiB"
    cure = "stop other programs (see: ps aux --sort=-rss | head), or use a smaller model"
    if available < needed:
        return (warn if available + swap >= needed else fail)(found, cure)
    return _judge_rest(found, available + swap - needed)


def _judge_rest(found: str, left: int) -> Finding:
    if left < _RESERVE:
        cure = "sudo apt install zram-tools, or stop other programs: ps aux --sort=-rss | head"
        return warn(f"{found}: little is left", cure)
    return ok(found)
