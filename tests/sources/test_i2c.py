"""Chips on an I2C bus that is only made up: what they hold, and what goes wrong."""

from __future__ import annotations

import errno
import math
import os
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.i2c import I2cOptions, I2cSource, Number, Register
from tests.support.reading import reading


class Bus:
    """The chips of bus 1 by address, each a memory of registers; `broken` registers fail."""

    chips: dict[int, bytearray]
    broken: set[int]
    error: OSError | None
    closed: int

    def __init__(self, number: int) -> None:
        if Bus.error is not None:
            raise Bus.error
        if number != 1:
            raise FileNotFoundError(errno.ENOENT, f"/dev/i2c-{number}")

    def _chip(self, address: int, register: int) -> bytearray:
        if address not in Bus.chips or register in Bus.broken:
            raise OSError(errno.EREMOTEIO, os.strerror(errno.EREMOTEIO))
        return Bus.chips[address]

    def read_i2c_block_data(self, address: int, register: int, length: int) -> list[int]:
        """Bytes from a register on."""
        return list(self._chip(address, register)[register : register + length])

    def write_i2c_block_data(self, address: int, register: int, data: list[int]) -> None:
        """Bytes into a register and those behind it."""
        self._chip(address, register)[register : register + len(data)] = bytes(data)

    def close(self) -> None:
        """Count it."""
        Bus.closed += 1


@pytest.fixture(name="chip")
def _chip(monkeypatch: pytest.MonkeyPatch) -> bytearray:
    """The memory of a chip at 0x48 of bus 1."""
    chip = bytearray(256)
    Bus.chips, Bus.broken, Bus.error, Bus.closed = {0x48: chip}, set(), None, 0
    monkeypatch.setitem(sys.modules, "smbus2", SimpleNamespace(SMBus=Bus))
    return chip


def _source(bus: int = 1, address: int = 0x48, timeout: float = 10.0, **more: Any) -> I2cSource:
    channels = {
        "temp": Register(0x00, "s16be", shift=4, scale=0.0625),
        "light": Register(0x10, "u16le", offset=1.0),
    }
    options = {"channels": channels, "rate": 50.0, "timeout": timeout, **more}
    return I2cSource("chip", I2cOptions(address, bus=bus, **options))


def test_registers_become_numbers(chip: bytearray) -> None:
    """Byte order, sign, shift, scale and offset; what init says is written first."""
    chip[0x00:0x02] = (-400 << 4).to_bytes(2, "big", signed=True)
    chip[0x10:0x12] = b"\x34\x12"
    source = _source(init=((0x6B, 0x01, 0x02), (0x10, 0x35)))
    source.start()
    frame = source.read()
    source.stop()
    assert frame is not None
    assert frame.signal is not None
    assert frame.signal.channels == ("temp", "light")
    assert frame.data[0].tolist() == [-25.0, 0x1235 + 1.0]
    assert chip[0x6B:0x6D] == b"\x01\x02"
    assert Bus.closed == 1


@pytest.mark.parametrize(
    ("text", "data", "value"),
    [
        ("u8", "ff", 255),
        ("s8", "ff", -1),
        ("u16be", "0102", 258),
        ("s16le", "feff", -2),
        ("s24be", "800000", -(2**23)),
        ("u24le", "010000", 1),
        ("s32le", "ffffffff", -1),
    ],
)
def test_types(text: str, data: str, value: int) -> None:
    """Of every size and order."""
    number = Number.parse(text)
    assert number.size == len(data) // 2
    assert number.of(bytes.fromhex(data)) == value


@pytest.mark.parametrize("text", ["", "s16", "u12be", "f32be", "s16me"])
def test_types_that_are_none(text: str) -> None:
    """They are refused when the source is built."""
    with pytest.raises(ValueError, match="write u8, s16be"):
        I2cSource("chip", I2cOptions(0x48, {"x": Register(0, text)}))


def test_init_without_a_value() -> None:
    """A register alone is a mistake."""
    with pytest.raises(ValueError, match="each item of init"):
        _source(init=((0x6B,),))


def test_options_as_in_the_yaml() -> None:
    """With numbers in base 16, which YAML reads itself."""
    options = TypeAdapter(I2cOptions).validate_python(
        {"address": 0x48, "channels": {"x": {"register": 1, "type": "u8"}}, "init": [[107, 0]]}
    )
    assert options == I2cOptions(0x48, {"x": Register(1, "u8")}, init=((107, 0),))


def _fails(source: I2cSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.start()
    source.stop()
    return error.value


def test_what_is_missing(chip: bytearray, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus, a chip, a permission and the library are told apart, each with its cure."""
    assert "there is no /dev/i2c-7" in _fails(_source(bus=7)).message
    assert "i2cdetect -y 1" in _fails(_source(address=0x50)).cure
    Bus.error = PermissionError(errno.EACCES, "Permission denied")
    assert "usermod -aG i2c" in _fails(_source()).cure
    monkeypatch.setitem(sys.modules, "smbus2", None)
    error = _fails(_source())
    assert isinstance(error, SourceUnusable)
    assert "edge-agent[sensors]" in error.cure


def test_a_chip_that_fails_and_comes_back(chip: bytearray) -> None:
    """One register that fails is NaN; a chip that falls off the bus is offline, then online."""
    with reading(_source(timeout=0.2)) as (watcher, _):
        watcher.wait_online()
        Bus.broken = {0x10}
        watcher.wait(lambda: math.isnan(watcher.frames[-1].data[-1, 1]))
        assert watcher.statuses[-1].online
        Bus.chips = {}
        watcher.wait_reason("gives no number for 0.2 s")
        watcher.wait(lambda: "does not answer" in watcher.statuses[-1].reason)
        Bus.chips, Bus.broken = {0x48: chip}, set()
        watcher.wait_online()


def test_no_bus_here() -> None:
    """With the real library, or without it, a machine without such a bus says so."""
    error = _fails(_source(bus=99))
    assert isinstance(error, SourceUnavailable | SourceUnusable)
    assert error.cure
