"""What the board itself tells: clock, voltage, heat, memory, wear."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.runtime.doctor.clock import judge_clock
from edge_agent.runtime.doctor.disk import wear
from edge_agent.runtime.doctor.engines import cpu
from edge_agent.runtime.doctor.memory import judge_memory, memory_needed
from edge_agent.runtime.doctor.power import heat, judge_heat, judge_power, power
from tests.runtime.doctor.conftest import Make
from tests.support.cures import do

_FLAGS = "sys/devices/platform/soc/soc:firmware/get_throttled"
_ZONE = "sys/class/thermal/thermal_zone0"
_MIB = 1024  # kB
_SBIN = "/usr/sbin:/sbin"


@pytest.mark.parametrize(
    ("synchronized", "now", "state", "part"),
    [
        (True, 1_800_000_000.0, "OK", "2027-01-15 08:00:00 UTC"),
        (False, 1_800_000_000.0, "WARN", "no time server"),
        (True, 60.0, "FAIL", "1970-01-01 00:01:00"),
        (False, 60.0, "FAIL", "TLS"),
    ],
)
def test_clock(synchronized: bool, now: float, state: str, part: str) -> None:
    """A clock without a battery shows the past; one that nobody sets drifts."""
    finding = judge_clock(synchronized, now)
    assert finding.state == state
    assert part in finding.found
    assert (finding.fix == "") == (state == "OK")
    assert state == "OK" or "timedatectl set-ntp true" in finding.fix


def test_the_clock_of_this_machine_is_not_before_this_program() -> None:
    """The date that counts as impossible is in the past."""
    assert judge_clock(True, time.time()).state == "OK"


def test_cpuinfo(machine_of: Make) -> None:
    """XNNPACK reads /proc/cpuinfo; a unit may hide it."""
    shown = machine_of({"proc/cpuinfo": "processor: 0\nmodel name: ARM\n"})
    assert cpu(shown, "edge-agent.service").state == "OK"
    hidden = cpu(machine_of({"proc/cpuinfo": ""}), "edge-agent.service")
    assert hidden.state == "FAIL"
    assert "\\nProcSubset=all\\n" in hidden.fix


@pytest.mark.parametrize(
    ("flags", "state"),
    [("0", "OK"), ("50005", "FAIL"), ("1", "FAIL"), ("10000", "WARN"), ("80008", "OK")],
)
def test_voltage(machine_of: Make, flags: str, state: str) -> None:
    """Under-voltage now, since the start, or never; heat is another line."""
    finding = power(machine_of({_FLAGS: f"{flags}\n"}))
    assert finding.state == state
    assert state == "OK" or "power supply" in finding.fix


@pytest.mark.parametrize(("alarm", "state"), [("0", "OK"), ("1", "FAIL")])
def test_voltage_sensor(machine_of: Make, alarm: str, state: str) -> None:
    """Kernels without the flags have a sensor with an alarm."""
    files = {"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon0/name": "cpu\n"}
    files["sys/class/hwmon/hwmon1/in0_lcrit_alarm"] = f"{alarm}\n"
    assert power(machine_of(files)).state == state


def test_vcgencmd(machine_of: Make, program: Callable[[str, str], None]) -> None:
    """Where the kernel does not tell, the firmware's own program is asked."""
    program("vcgencmd", 'test "$1" = get_throttled && echo throttled=0x50005')
    assert power(machine_of({})).state == "FAIL"
    program("vcgencmd", "echo throttled=0x0")
    assert power(machine_of({})).state == "OK"
    program("vcgencmd", "echo VCHI initialization failed; exit 1")
    assert (power(machine_of({})).state, power(machine_of({})).fix) == ("SKIP", "")
    denied = power(machine_of({"proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0"}))
    assert denied.state == "SKIP"
    assert denied.fix == "sudo usermod -aG video 12345, then log in again"
    program("vcgencmd", "echo nonsense")
    assert power(machine_of({})).state == "SKIP"


def test_other_boards_do_not_tell() -> None:
    """Nothing is claimed where nothing is known."""
    assert judge_power(None, None).state == "SKIP"
    assert judge_heat(None, {}).state == "SKIP"


@pytest.mark.parametrize(
    ("flags", "millidegrees", "state"),
    [
        ("0", 48312, "OK"),
        ("0", 76000, "WARN"),
        ("0", 86000, "FAIL"),
        ("4", 60000, "FAIL"),
        ("40000", 48000, "WARN"),
        ("10001", 48000, "OK"),
    ],
)
def test_heat(machine_of: Make, flags: str, millidegrees: int, state: str) -> None:
    """By degrees, and by what the firmware does about them; voltage is another line."""
    files = {f"{_ZONE}/temp": f"{millidegrees}\n", f"{_ZONE}/type": "cpu-thermal\n"}
    finding = heat(machine_of({_FLAGS: flags, **files}))
    assert finding.state == state
    assert f"{millidegrees / 1000:.0f} °C (cpu-thermal)" in finding.found
    assert state == "OK" or "fan" in finding.fix


@pytest.mark.parametrize(
    ("available", "swap", "needed", "state"),
    [
        (400, 0, 120, "OK"),
        (150, 0, 120, "WARN"),
        (150, 75, 120, "OK"),
        (100, 100, 120, "WARN"),
        (100, 0, 120, "FAIL"),
        (200, 0, 120, "OK"),
        (100, 0, 0, "OK"),
        (50, 0, 0, "WARN"),
        (50, 25, 0, "OK"),
    ],
)
def test_memory(available: int, swap: int, needed: int, state: str) -> None:
    """Numbers in MiB; 0 are needed while the agent runs.

    Swap in memory as by zram-tools, half of a small memory, makes up for what is little.
    """
    text = f"MemTotal: 999999 kB\nMemAvailable: {available * _MIB} kB\nSwapFree: {swap * _MIB} kB"
    finding = judge_memory(text, needed * 2**20)
    assert finding.state == state
    assert f"{available} MiB available, {swap} MiB of swap" in finding.found
    assert state == "OK" or "other programs" in finding.fix


def test_memory_unknown() -> None:
    """A hidden or strange /proc/meminfo."""
    assert judge_memory(None, 1).state == "SKIP"


def test_models_take_memory() -> None:
    """A larger model needs more."""
    assert memory_needed(10 * 2**20) > memory_needed(0) > 0


@pytest.mark.parametrize(
    ("life", "reserve", "state", "part"),
    [
        ("0x01 0x02", "0x01", "OK", "about 20 %"),
        ("0x00 0x0a", "0x01", "WARN", "wearing out"),
        ("0x02 0x02", "0x02", "WARN", "wearing out"),
        ("0x0b 0x01", "0x01", "FAIL", "worn out"),
        ("0x02 0x02", "0x03", "FAIL", "worn out"),
        ("0x00 0x00", "0x00", "SKIP", "does not tell"),
    ],
)
def test_wear_of_emmc(machine_of: Make, life: str, reserve: str, state: str, part: str) -> None:
    """The chip tells its age in tenths, and how much of its reserve is left."""
    device = "sys/block/mmcblk0/device"
    files = {f"{device}/type": "MMC", f"{device}/life_time": life}
    finding = wear(machine_of({**files, f"{device}/pre_eol_info": reserve}))
    assert finding.state == state
    assert part in finding.found
    assert state in ("OK", "SKIP") or "new card" in finding.fix


def test_wear_of_other_disks(machine_of: Make) -> None:
    """SD cards tell nothing, but the file system notes its errors."""
    card = {"sys/block/mmcblk0/device/type": "SD\n", "sys/fs/ext4/mmcblk0p2/errors_count": "0\n"}
    assert wear(machine_of(card)).state == "SKIP"
    finding = wear(machine_of({"sys/fs/ext4/mmcblk0p2/errors_count": "3\n"}))
    assert (finding.state, "mmcblk0p2 has noted 3 errors" in finding.found) == ("FAIL", True)
    assert "fsck.mode=force" in finding.fix


def test_wear_unknown(machine_of: Make) -> None:
    """A machine without any chip of that kind."""
    assert wear(machine_of({})).state == "SKIP"


def test_the_cure_of_a_file_system_clears_its_errors(tmp_path: Path, machine_of: Make) -> None:
    """What e2fsck checks has no errors noted any more, in a real file system."""
    if shutil.which("debugfs", path=_SBIN) is None:
        pytest.skip("e2fsprogs is not installed: sudo apt install e2fsprogs")
    disk = tmp_path / "disk"
    do(f"mkfs.ext4 -q {disk} 2M && debugfs -w -R 'ssv error_count 3' {disk}")
    assert do(f"dumpe2fs -h {disk} | grep -c 'FS Error count: *3'") == "1\n"
    finding = wear(machine_of({"sys/fs/ext4/sda1/errors_count": "3\n"}))
    check = finding.fix.rpartition("; ")[2]
    do(f"{check} || test $? = 1", {"/dev/sda1": disk})  # 1: errors were corrected
    assert "FS Error count" not in do(f"dumpe2fs -h {disk}")
