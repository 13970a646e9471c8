"""Files that hold one number each: temperatures, fans, voltages and more below /sys."""

from __future__ import annotations

import errno
import glob
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Gt, Le, MinLen

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Options
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp
from edge_agent.sources.folder import natural_key
from edge_agent.sources.guard import Guard
from edge_agent.sources.polling import Poller, ReadingFailed

_BYTES = 256  # of a file that are read
_GONE = (errno.ENODEV, errno.ENOENT, errno.ENXIO)
_LISTS = "grep . /sys/class/hwmon/hwmon*/name /sys/class/thermal/thermal_zone*/type"
# Units of the kernel: Documentation/hwmon/sysfs-interface.rst and thermal/sysfs-api.rst.
_UNITS = (
    (re.compile(r"(temp|in|curr|humidity)\d+_(input|average|min|max)|temp"), 1e-3),
    (re.compile(r"(power|energy)\d+_(input|average)"), 1e-6),
)


@dataclass(frozen=True, slots=True)
class FileChannel(Options):
    """One channel of the source `sysfs`."""

    path: Annotated[
        str,
        Doc(
            "A file, a pattern such as /sys/class/thermal/thermal_zone*/temp, hwmon:CHIP/FILE or "
            "thermal:TYPE, which stay the same when the numbers of the devices change."
        ),
    ]
    scale: Annotated[
        float | None,
        Doc("The number is multiplied by it; default: what makes °C, V, A, W of the kernel's."),
    ] = None
    offset: Annotated[float, Doc("Added after that.")] = 0.0


@dataclass(frozen=True, slots=True)
class SysfsOptions(words.Options):
    """Options of the source `sysfs`."""

    channels: Annotated[
        dict[str, str | FileChannel],
        MinLen(1),
        Doc("Each channel's file by its name, or a mapping with path, scale and offset."),
    ]
    rate: Annotated[float, Gt(0), Le(1000), Doc("Readings a second.")] = 1.0
    timeout: Annotated[
        Duration, Gt(0), Doc("A source that gives no number for so long is opened again.")
    ] = 10.0


class SysfsSource:
    """Numbers of files, read at a rate; a pattern that fits several files gives NAME_1, NAME_2."""

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = SysfsOptions
    live = True

    def __init__(
        self,
        name: str,
        options: SysfsOptions,
        clock: Clock = SYSTEM_CLOCK,
        root: Path = Path("/"),
    ) -> None:
        self.name = name
        self._root = root
        self._channels: Mapping[str, FileChannel] = {
            key: FileChannel(item) if isinstance(item, str) else item
            for key, item in options.channels.items()
        }
        self._poller = Poller(
            f"source {name}", options.rate, options.timeout, Stamp(name, clock), clock
        )
        self.patience = self._poller.patience
        self._readers: list[Callable[[], float]] = []
        self._guard = Guard(self._readers.clear)

    def start(self) -> None:
        """Find the files and read each once; raises SourceError."""
        self._guard.reopen()
        found = {
            key: (path, channel)
            for name, channel in self._channels.items()
            for key, path in _named(name, self._find(channel.path))
        }
        with self._guard.use():
            self._readers[:] = [partial(_read, *each) for each in found.values()]
            self._poller.begin(tuple(found))

    def read(self) -> Frame | None:
        """Next readings; raises SourceUnavailable when a file is gone or none holds a number."""
        with self._guard.use() as allowed:
            if not allowed or not self._readers:
                return None
            return self._poller.frame(self._readers, self._guard.closing)

    def stop(self) -> None:
        """End a running wait."""
        self._guard.close()

    def _find(self, pattern: str) -> list[Path]:
        kind, _, rest = pattern.partition(":")
        if kind == "hwmon":
            chip, _, file = rest.partition("/")
            matches = self._below("sys/class/hwmon/hwmon*", "name", chip, file)
        elif kind == "thermal":
            matches = self._below("sys/class/thermal/thermal_zone*", "type", rest, "temp")
        else:
            matches = glob.glob(str(self._root / pattern.lstrip("/")), recursive=True)  # noqa: PTH207
        if not matches:
            raise SourceUnavailable(f"there is no {pattern}", f"look what is there: {_LISTS}")
        return [Path(match) for match in sorted(matches, key=natural_key)]

    def _below(self, devices: str, attribute: str, value: str, file: str) -> list[str]:
        """That file of the devices whose attribute has the value."""
        return [
            str(device / file)
            for device in self._root.glob(devices)
            if _text(device / attribute) == value and (device / file).exists()
        ]


def _named(name: str, paths: list[Path]) -> Iterator[tuple[str, Path]]:
    for number, path in enumerate(paths, 1):
        yield (name if len(paths) == 1 else f"{name}_{number}"), path


def _text(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            return file.read(_BYTES).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _read(path: Path, channel: FileChannel) -> float:
    try:
        with path.open("rb", buffering=0) as file:
            text = file.read(_BYTES).decode("ascii", "replace").strip()
    except PermissionError as error:
        raise SourceUnusable(f"no permission to read {path}", f"sudo chmod a+r {path}") from error
    except OSError as error:
        if error.errno in _GONE:
            text = f"{path} is gone: {error.strerror}"
            raise SourceUnavailable(text, "plug the sensor in again, or load its driver") from error
        raise ReadingFailed(f"{path}: {error.strerror}") from error
    try:
        value = float(text)
    except ValueError:
        raise ReadingFailed(f"{path} holds {text[:40]!r}, no number") from None
    return value * _scale(path, channel) + channel.offset


def _scale(path: Path, channel: FileChannel) -> float:
    if channel.scale is not None:
        return channel.scale
    if "hwmon" not in str(path) and "thermal" not in str(path):
        return 1.0
    return next((scale for name, scale in _UNITS if name.fullmatch(path.name)), 1.0)
