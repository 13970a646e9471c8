"""Voltage and heat: what makes a small board slow, or stops it."""

from __future__ import annotations

from edge_agent.runtime.doctor.finding import Finding, fail, ok, skip, warn
from edge_agent.runtime.doctor.machine import Machine, ask
from edge_agent.runtime.system import throttle_flags

_UNDER_VOLTAGE = 0x1
_HOT = 0x2 | 0x4 | 0x8  # frequency capped, throttled, soft limit
_SINCE_START = 16  # bits
_WARM, _TOO_HOT = 75.0, 85.0  # degrees Celsius; a Raspberry Pi slows down from 80 on

_SUPPLY = "use the board's own power supply and a short, thick cable; then: sudo reboot"
_COOL = "give it a heat sink or a fan, or let it do less: pipelines.NAME.gate.rate.fps"


def firmware_flags(machine: Machine) -> int | None:
    """Flags of a Raspberry Pi's firmware, from the kernel or from vcgencmd; None elsewhere."""
    flags = throttle_flags(machine.root)
    if flags is None and (answer := ask("vcgencmd", "get_throttled")):
        try:
            flags = int(answer.strip().removeprefix("throttled="), 16)
        except ValueError:
            return None
    return flags


def under_voltage_alarm(machine: Machine) -> bool | None:
    """The alarm of a Raspberry Pi's voltage sensor; None where there is none."""
    for name in machine.find("sys/class/hwmon/hwmon*/name"):
        if machine.text(name) == "rpi_volt":
            alarm = machine.number(name.removesuffix("name") + "in0_lcrit_alarm")
            return None if alarm is None else bool(alarm)
    return None


def temperatures(machine: Machine) -> dict[str, float]:
    """Degrees Celsius by name of the thermal zone."""
    found = {}
    for path in machine.find("sys/class/thermal/thermal_zone*/temp"):
        value = machine.number(path)
        if value is not None:
            zone = path.removesuffix("/temp")
            found[machine.text(f"{zone}/type") or zone.rpartition("/")[2]] = value / 1000.0
    return found


def judge_power(flags: int | None, alarm: bool | None, fix: str = "") -> Finding:
    """`flags` are the firmware's, `alarm` the voltage sensor's, `fix` is what would show them."""
    if flags is None and alarm is None:
        return skip("its supply voltage is not told; only a Raspberry Pi tells it", fix)
    if alarm or (flags or 0) & _UNDER_VOLTAGE:
        return fail("under-voltage now: it runs slower, and cameras and disks may fail", _SUPPLY)
    if (flags or 0) & _UNDER_VOLTAGE << _SINCE_START:
        return warn("there has been under-voltage since it started", _SUPPLY)
    return ok("no under-voltage")


def judge_heat(flags: int | None, zones: dict[str, float]) -> Finding:
    """`zones` are degrees Celsius by name."""
    if flags is None and not zones:
        return skip("this machine does not tell its temperature")
    name, hottest = max(zones.items(), key=lambda zone: zone[1], default=("", 0.0))
    shown = f"{hottest:.0f} °C ({name})" if zones else "temperature unknown"
    if (flags or 0) & _HOT or hottest >= _TOO_HOT:
        return fail(f"{shown}: it is slowed down for its heat now", _COOL)
    if hottest >= _WARM:
        return warn(f"{shown}: it is slowed down soon", _COOL)
    if (flags or 0) & _HOT << _SINCE_START:
        return warn(f"{shown}: it has been slowed down since it started", f"{_COOL}; sudo reboot")
    return ok(shown)


def power(machine: Machine) -> Finding:
    """The supply voltage."""
    is_pi = "Raspberry Pi" in (machine.text("proc/device-tree/model") or "")
    fix = f"sudo usermod -aG video {machine.identity.user}, then log in again" if is_pi else ""
    return judge_power(firmware_flags(machine), under_voltage_alarm(machine), fix)


def heat(machine: Machine) -> Finding:
    """The temperature."""
    return judge_heat(firmware_flags(machine), temperatures(machine))
