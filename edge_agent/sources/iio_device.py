"""One device of Linux Industrial I/O as sysfs shows it: its channels, and how to set it up."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.sources.folder import natural_key
from edge_agent.sources.polling import ReadingFailed

log = logging.getLogger(__name__)

_DEVICES = "sys/bus/iio/devices"
_READING = re.compile(r"in_(.+)_(raw|input)")
_TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class IioChannel:
    """A channel by its name; a value is (raw + offset) * scale, in the units of the kernel's ABI.

    `is_raw` is False where the kernel gives finished values (in_NAME_input).
    """

    name: str
    folder: Path
    scale: float
    offset: float
    is_raw: bool

    def read(self) -> float:
        """The value now; raises ReadingFailed, or SourceUnavailable where the device is gone."""
        path = self.folder / f"in_{self.name}_{'raw' if self.is_raw else 'input'}"
        try:
            number = float(path.read_text("ascii"))
        except FileNotFoundError as error:
            text = f"{path} is gone"
            raise SourceUnavailable(text, "plug the sensor in again, or load its driver") from error
        except (OSError, ValueError) as error:
            raise ReadingFailed(f"{path}: {error}") from error
        return (number + self.offset) * self.scale


class IioDevice:
    """The device of a number, an id such as iio:device0, or a name such as bme280.

    `root` is / but in tests. Raises SourceUnavailable where it is missing.
    """

    def __init__(self, wanted: str | int, root: Path = Path("/")) -> None:
        self.folder = _find(str(wanted), root / _DEVICES)
        self.node = root / "dev" / self.folder.name
        self.what = f"IIO device {self.folder.name} ({_text(self.folder / 'name') or 'no name'})"

    def channels(self, names: Sequence[str] = ()) -> list[IioChannel]:
        """The channels of these names, or all; raises SourceUnusable for one it has not."""
        kinds: dict[str, str] = {}
        for path in sorted(self.folder.iterdir(), key=lambda path: natural_key(path.name)):
            if found := _READING.fullmatch(path.name):
                kinds[found[1]] = found[2]
        if missing := [name for name in names if name not in kinds]:
            text = f"{self.what} has no channel {', '.join(missing)}"
            raise SourceUnusable(text, f"it has: {', '.join(kinds)}")
        if not kinds:
            raise SourceUnusable(f"{self.what} has no channel to read", "choose another device")
        return [self._channel(name, kinds[name]) for name in names or kinds]

    def write(self, attribute: str, value: object) -> None:
        """Set an attribute; raises SourceUnavailable with the reason."""
        path = self.folder / attribute
        try:
            with path.open("r+", encoding="ascii") as file:  # never made where it is missing
                file.write(str(value))
        except PermissionError as error:
            cure = f"sudo chgrp -R i2c {self.folder}; sudo chmod -R g+w {self.folder}"
            raise SourceUnusable(f"no permission to write {path}", cure) from error
        except OSError as error:
            text = f"{self.what} refuses {attribute} = {value}: {error.strerror}"
            raise SourceUnavailable(
                text, "stop the other program that uses it: iio_info"
            ) from error

    def has(self, attribute: str) -> bool:
        """Whether it has an attribute."""
        return (self.folder / attribute).exists()

    def text(self, attribute: str) -> str:
        """An attribute; empty where it is missing or cannot be read."""
        return _text(self.folder / attribute)

    def _channel(self, name: str, kind: str) -> IioChannel:
        is_raw = kind == "raw"
        scale = self._shared(name, "scale", 1.0) if is_raw else 1.0
        offset = self._shared(name, "offset", 0.0) if is_raw else 0.0
        return IioChannel(name, self.folder, scale, offset, is_raw)

    def _shared(self, name: str, attribute: str, default: float) -> float:
        """An attribute of the channel, or of all of its kind (in_accel_scale for accel_x)."""
        kind = re.split(r"[_\d]", name, maxsplit=1)[0]
        for file in (f"in_{name}_{attribute}", f"in_{kind}_{attribute}", f"in_{attribute}"):
            text = self.text(file)
            if text:
                try:
                    return float(text)
                except ValueError:
                    log.warning("%s: %s holds %r, no number", self.what, file, text[:40])
        return default


def _find(wanted: str, devices: Path) -> Path:
    found = sorted(devices.glob("iio:device*"), key=lambda path: natural_key(path.name))
    for path in found:
        number = path.name.removeprefix("iio:device")
        if wanted in (number, path.name, _text(path / "name"), _text(path / "label")):
            return path
    names = ", ".join(f"{path.name} ({_text(path / 'name')})" for path in found)
    cure = f"devices here: {names}" if found else "none is here: load its driver (sudo dmesg)"
    raise SourceUnavailable(f"there is no IIO device {wanted}", cure)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
