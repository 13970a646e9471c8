"""Chips on an I2C bus: registers named in the YAML, read at a rate."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le, MinLen

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Options
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp
from edge_agent.sources.guard import Guard
from edge_agent.sources.polling import Poller, ReadingFailed

_TYPE = re.compile(r"([us])(8|16|24|32)(be|le)?")

_Byte = Annotated[int, Ge(0), Le(255)]


@dataclass(frozen=True, slots=True)
class Register(Options):
    """One channel of the source `i2c`."""

    register: Annotated[_Byte, Doc("Number of its first register.")]
    type: Annotated[
        str, Doc("u or s (signed), its bits (8, 16, 24, 32), be or le: u8, s16be, u24le.")
    ] = "s16be"
    shift: Annotated[int, Ge(0), Le(31), Doc("Bits at the low end that do not belong to it.")] = 0
    scale: Annotated[float, Doc("The number is multiplied by it.")] = 1.0
    offset: Annotated[float, Doc("Added after that.")] = 0.0


@dataclass(frozen=True, slots=True)
class I2cOptions(words.Options):
    """Options of the source `i2c`."""

    address: Annotated[int, Ge(3), Le(0x77), Doc("Address of the chip, such as 0x48.")]
    channels: Annotated[dict[str, Register], MinLen(1), Doc("Its registers, by channel name.")]
    bus: Annotated[int, Ge(0), Doc("Number of the bus: N of /dev/i2c-N.")] = 1
    init: Annotated[
        tuple[tuple[_Byte, ...], ...],
        Doc("Written when it is opened, each a register and what goes into it: [[0x6B, 0]]."),
    ] = ()
    rate: Annotated[float, Gt(0), Le(1000), Doc("Readings a second.")] = 10.0
    timeout: Annotated[
        Duration, Gt(0), Doc("A chip that gives no number for so long is opened again.")
    ] = 10.0


@dataclass(frozen=True, slots=True)
class Number:
    """How bytes become a number; raises ValueError for a type that is none."""

    size: int
    is_little: bool
    is_signed: bool

    @classmethod
    def parse(cls, text: str) -> Number:
        """From a type such as s16be; one byte needs no order."""
        found = _TYPE.fullmatch(text)
        if found is None or (found[3] is None and found[2] != "8"):
            raise ValueError(f"type {text!r} is none: write u8, s16be, u16le, s24be and so on")
        return cls(int(found[2]) // 8, found[3] == "le", found[1] == "s")

    def of(self, data: bytes) -> int:
        """The number."""
        return int.from_bytes(data, "little" if self.is_little else "big", signed=self.is_signed)


class I2cSource:
    """A chip on an I2C bus, through smbus2, which is imported when it starts."""

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = I2cOptions
    live = True

    def __init__(self, name: str, options: I2cOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._options = options
        self._numbers = {key: Number.parse(item.type) for key, item in options.channels.items()}
        if any(len(each) < 2 for each in options.init):
            raise ValueError("each item of init is a register and at least one byte for it")
        self._what = f"I2C chip 0x{options.address:02x} on bus {options.bus}"
        self._poller = Poller(self._what, options.rate, options.timeout, Stamp(name, clock), clock)
        self.patience = self._poller.patience
        self._guard = Guard(self._release)
        self._bus: Any = None
        self._readers: list[Callable[[], float]] = []

    def start(self) -> None:
        """Open the bus, set the chip up and read every channel once; raises SourceError."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._bus = self._open()
            try:
                self._set_up(self._bus)
            except (OSError, ReadingFailed) as error:
                self._release()
                text = f"{self._what} does not answer: {error}"
                cure = f"check its wiring and address: i2cdetect -y {self._options.bus}"
                raise SourceUnavailable(text, cure) from error
            self._poller.begin(tuple(self._options.channels))

    def read(self) -> Frame | None:
        """Next readings; raises SourceUnavailable when the chip gives none."""
        with self._guard.use() as allowed:
            if not allowed or not self._readers:
                return None
            return self._poller.frame(self._readers, self._guard.closing)

    def stop(self) -> None:
        """End a running wait and close the bus."""
        self._guard.close()

    def _open(self) -> Any:
        try:
            smbus = import_module("smbus2").SMBus
        except ImportError as error:
            cure = "pip install 'edge-agent[sensors]'"
            raise SourceUnusable("the source i2c needs smbus2", cure) from error
        node = f"/dev/i2c-{self._options.bus}"
        try:
            return smbus(self._options.bus)
        except FileNotFoundError as error:
            cure = "switch I2C on: sudo raspi-config nonint do_i2c 0; buses here: ls /dev/i2c-*"
            raise SourceUnavailable(f"there is no {node}", cure) from error
        except PermissionError as error:
            cure = "sudo usermod -aG i2c USER, and the drop-in i2c.conf for the service"
            raise SourceUnavailable(f"no permission to use {node}", cure) from error
        except OSError as error:
            raise SourceUnavailable(f"{node} cannot be opened: {error}", "see dmesg") from error

    def _set_up(self, bus: Any) -> None:
        for register, *values in self._options.init:
            bus.write_i2c_block_data(self._options.address, register, values)
        self._readers = [
            partial(self._read, bus, item, self._numbers[key])
            for key, item in self._options.channels.items()
        ]
        for read in self._readers:
            read()

    def _read(self, bus: Any, item: Register, number: Number) -> float:
        try:
            data = bus.read_i2c_block_data(self._options.address, item.register, number.size)
        except OSError as error:
            raise ReadingFailed(f"register 0x{item.register:02x}: {error}") from error
        return (number.of(bytes(data)) >> item.shift) * item.scale + item.offset

    def _release(self) -> None:
        bus, self._bus = self._bus, None
        self._readers = []
        if bus is not None:
            bus.close()
