"""The disk that the state is on: room, speed, and whether it is wearing out."""

from __future__ import annotations

import errno
import os
import shlex
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from edge_agent.runtime.doctor.finding import Finding, fail, ok, skip, warn
from edge_agent.runtime.doctor.machine import Machine

_SYNCS = 3
_SLOW = 0.25  # seconds for a sync from which one event a frame may wait for the disk
_LEAST = 32 * 2**20
_MIB = 2**20
_NEW_CARD = "copy the system to a new card or disk soon, and keep a backup"


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """What the disk of `folder` can do; while that is not made, `place` is a folder above it.

    `free` is in bytes, `sync` the seconds of a write that reaches the disk, None where nothing
    can be written, for the errno `error`.
    """

    folder: Path
    place: Path
    free: int
    read_only: bool
    sync: float | None
    error: int = 0


def measure_disk(folder: Path) -> DiskFacts:
    """Look, and write a little for a moment; nothing is left behind. Raises OSError."""
    place = next(path for path in (folder, *folder.parents) if path.is_dir())
    found = os.statvfs(place)
    free = found.f_bavail * found.f_frsize
    read_only = bool(found.f_flag & os.ST_RDONLY)
    try:
        return DiskFacts(folder, place, free, read_only, _sync_time(place))
    except OSError as error:
        return DiskFacts(folder, place, free, read_only, None, error.errno or errno.EIO)


def _sync_time(folder: Path) -> float:
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            began = time.perf_counter()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def judge_disk(facts: DiskFacts, wanted: int, user: str) -> Finding:
    """`wanted` are the bytes that the outbox may take up, `user` is who asks."""
    where, free = facts.place, facts.free // _MIB
    if facts.read_only:
        mount = f"sudo mount -o remount,rw $(findmnt -no TARGET -T {where})"
        cure = f"see why: sudo dmesg | tail; then: {mount}; if it comes again: a new card"
        return fail(f"{where} is mounted read-only: events wait in memory only", cure)
    if facts.free < _LEAST:
        cure = f"make room: sudo du -xh {where} | sort -h | tail; or set agent.state_dir"
        return fail(f"{where} has {free} MiB free: events wait in memory only", cure)
    if facts.sync is None:
        text = f"{where} cannot be written: {os.strerror(facts.error)}"
        return fail(text, _cure_of_writing(facts, user))
    found = f"{where}: {free} MiB free, a write reaches the disk in {1e3 * facts.sync:.1f} ms"
    if facts.free < wanted:
        cure = f"make room, or set outbox.max_bytes to {max(1, free // 2)}MiB"
        return warn(f"{found}; the outbox may take {wanted // _MIB} MiB", cure)
    if facts.sync > _SLOW:
        cure = "use a faster card (class A1 or A2) or an SSD, and outbox.durability: normal"
        return warn(f"{found}: slow", cure)
    return ok(found)


def _cure_of_writing(facts: DiskFacts, user: str) -> str:
    if facts.error in (errno.ENOSPC, errno.EDQUOT):
        look = f"sudo du -x --inodes {facts.place} | sort -n | tail"
        return f"there are too many files, remove some: {look}; or set agent.state_dir"
    if facts.error == errno.EIO:
        return f"see why: sudo dmesg | tail; then {_NEW_CARD}"
    own = f"sudo install -d -o {user} {shlex.quote(str(facts.folder))}"
    return f"{own}, or set agent.state_dir to a folder of {user}"


def wear(machine: Machine) -> Finding:
    """What eMMC chips tell of their age, and file systems of their errors."""
    errors = {
        path.split("/")[-2]: count
        for path in machine.find("sys/fs/ext4/*/errors_count")
        if (count := machine.number(path))
    }
    if errors:
        name, count = next(iter(errors.items()))
        cure = (
            "the system's disk: start once with fsck.mode=force (Raspberry Pi: at the end of the "
            f"line in /boot/firmware/cmdline.txt); another: sudo umount /dev/{name}; "
            f"sudo e2fsck -fy /dev/{name}"
        )
        return fail(f"the file system on {name} has noted {count} errors", cure)
    chips = {path.split("/")[2]: path for path in machine.find("sys/block/mmcblk*/device/type")}
    told = [_chip(machine, name) for name in chips if _life(machine, name)]
    if told:
        return max(told, key=lambda finding: ("OK", "WARN", "FAIL").index(finding.state))
    if chips:
        return skip(f"{', '.join(chips)}: an SD card does not tell its wear; no file system errors")
    return skip("no disk here tells its wear; no file system errors")


def _life(machine: Machine, name: str) -> list[int]:
    """Tenths of the life time that are used up, for each kind of cell; 0 is untold."""
    text = machine.text(f"sys/block/{name}/device/life_time") or ""
    return [value for part in text.split() if (value := int(part, 16))]


def _chip(machine: Machine, name: str) -> Finding:
    used = max(_life(machine, name))
    reserve = machine.number(f"sys/block/{name}/device/pre_eol_info", 16) or 0
    found = f"{name}: about {10 * min(used, 10)} % of its life is used"
    if used > 10 or reserve >= 3:
        return fail(f"{found}: it is worn out", _NEW_CARD)
    if used >= 9 or reserve == 2:
        return warn(f"{found}: it is wearing out", _NEW_CARD)
    return ok(found)
