"""Which devices a source needs: the group that may use them, and systemd's name for them."""

from __future__ import annotations

import grp
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.config.by_name import SourceConfig, with_parts
from edge_agent.config.schema import Config
from edge_agent.runtime.doctor.finding import Finding, fail, ok
from edge_agent.runtime.doctor.machine import Machine


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """`allow` are words of DeviceAllow=, `nodes` patterns below /dev of what must be usable."""

    group: str
    allow: tuple[str, ...]
    nodes: tuple[str, ...]


_BY_SOURCE = {
    "camera": DeviceKind("video", ("char-video4linux",), ("video*",)),
    "picamera": DeviceKind(
        "video",
        ("char-video4linux", "char-media", "char-dma_heap"),
        ("video*", "media*", "dma_heap/*"),
    ),
    "audio": DeviceKind("audio", ("char-alsa",), ("snd/pcm*c",)),
    "serial": DeviceKind("dialout", ("char-ttyUSB", "char-ttyACM", "char-ttyAMA", "char-ttyS"), ()),
    "iio": DeviceKind("iio", ("char-iio",), ("iio:device*",)),
    "i2c": DeviceKind("i2c", ("char-i2c",), ("i2c-*",)),
}
_GROUP_RW = 0o060
_EDGE_TPU = DeviceKind("plugdev", ("char-usb_device", "char-apex"), ())


def kinds(config: Config) -> dict[str, DeviceKind]:
    """What the sources and models of a configuration need, by the name of who needs it."""
    found = {
        f"sources.{name}": kind
        for name, source in with_parts(config.sources).items()
        if (kind := _kind(source)) is not None
    }
    for name, model in config.models.items():
        if model.delegate is not None and model.delegate.is_edgetpu:
            found[f"models.{name}"] = _EDGE_TPU
    return found


def _kind(source: SourceConfig) -> DeviceKind | None:
    """What a source needs; None where it needs no device, as sound from a file."""
    options = source.options
    if source.type == "audio" and (getattr(options, "device", None) or "pulse:")[:6] == "pulse:":
        return None
    if source.type == "iio" and getattr(options, "buffer", None) is None:
        return None
    # Lines come from anywhere.
    return _BY_SOURCE.get("serial" if getattr(options, "serial", None) else source.type)


def _nodes(machine: Machine, source: SourceConfig) -> list[Path]:
    """The devices of a source that are there."""
    kind = _kind(source)
    named = str(getattr(source.options, "serial", "") or getattr(source.options, "device", ""))
    if named.startswith("/dev/"):
        patterns: Sequence[str] = (named.removeprefix("/dev/"),)
    elif source.type == "camera" and named.isdecimal():
        patterns = (f"video{named}",)
    else:
        patterns = kind.nodes if kind is not None else ()
    return [path for pattern in patterns for path in sorted((machine.root / "dev").glob(pattern))]


def permissions(machine: Machine, config: Config) -> Finding:
    """Whether this user may read and write the devices that the sources need."""
    identity = machine.identity
    used = {
        path: "plugdev" if (kind := _kind(source)) is None else kind.group
        for source in with_parts(config.sources).values()
        for path in _nodes(machine, source)
    }
    shut = {path: used[path] for path in sorted(used) if not identity.may_use(path)}
    if shut:
        groups = ", ".join(sorted({_group(path) for path in shut}))
        names = ", ".join(f"/{path.relative_to(machine.root)}" for path in shut)
        found = f"{identity.user} may not use {names} (group {groups})"
        return fail(found, _cure(machine, shut))
    if not used:
        return ok("no device here that a source needs")
    names = ", ".join(f"/{path.relative_to(machine.root)}" for path in sorted(used))
    return ok(f"{identity.user} may use {names}")


def _cure(machine: Machine, shut: Mapping[Path, str]) -> str:
    """`shut` are devices with the group that usually has them."""
    lines, groups = [], set()
    for path, usual in shut.items():
        found = path.stat()
        opened = stat.S_IMODE(found.st_mode) & _GROUP_RW == _GROUP_RW and found.st_gid != 0
        groups.add(_group(path) if opened else usual)
        if not opened:
            name = f"/{path.relative_to(machine.root)}"
            lines.append(f"sudo chgrp {usual} {name}; sudo chmod g+rw {name} (until a restart)")
    lines.append(f"sudo usermod -aG {','.join(sorted(groups))} {machine.identity.user}")
    return "; ".join(lines) + ", then log in again"


def _group(path: Path) -> str:
    number = path.stat().st_gid
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
