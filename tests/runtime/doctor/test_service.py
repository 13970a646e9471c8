"""Devices, the service, and the drop-in that shuts it in."""

from __future__ import annotations

import grp
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.by_name import SourceConfig
from edge_agent.config.load import config_from_values
from edge_agent.config.schema import Config
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.options import Secret
from edge_agent.runtime.doctor import unit as drop_in_module
from edge_agent.runtime.doctor.devices import kinds, permissions
from edge_agent.runtime.doctor.machine import Identity, Machine
from edge_agent.runtime.doctor.systemd import (
    exposure,
    judge_exposure,
    judge_unit,
    state_of_unit,
    unit_name,
    unit_properties,
)
from edge_agent.runtime.doctor.unit import NameUnknown, drop_in
from edge_agent.sources.audio import AudioOptions
from edge_agent.sources.camera import CameraOptions
from edge_agent.sources.iio import IioOptions
from tests.runtime.doctor.conftest import Make, write_config
from tests.support.agent import ASSETS
from tests.support.cures import do

Program = Callable[[str, str], None]
_UNIT = "edge-agent.service"
_GROUP = next(group.gr_gid for group in grp.getgrall() if group.gr_gid)  # any but root's
_RUNS = {
    "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "MainPID": "812",
    "UnitFileState": "enabled", "NRestarts": "0", "Result": "success", "ProcSubset": "all",
    "SupplementaryGroups": "video", "DynamicUser": "yes", "User": "edge-agent",
    "ExecMainStatus": "0",
}  # fmt: skip


def configured(sources: dict[str, Any], host: str = "localhost", **model: Any) -> Config:
    """A configuration with these sources, the first of them in use."""
    values = {
        "mqtt": {"host": host},
        "models": {"m": {"file": str(ASSETS / "belt.tflite"), **model}},
        "sources": sources,
        "pipelines": {"p": {"source": next(iter(sources)), "model": "m"}},
    }
    return config_from_values(values, Path("/"))


@pytest.fixture
def camera(machine_of: Make) -> Machine:
    """A machine with /dev/video0 for its owner and its group."""
    machine = machine_of({"dev/video0": ""})
    (machine.root / "dev/video0").chmod(0o660)
    if os.getuid() == 0:
        os.chown(machine.root / "dev/video0", 0, _GROUP)
    return machine


def test_permissions(camera: Machine) -> None:
    """Without the group a camera is shut; the cure names group and user."""
    config = configured({"door": {"type": "camera", "device": 0}})
    number = (camera.root / "dev/video0").stat().st_gid
    names = {each.gr_gid: each.gr_name for each in grp.getgrall()}
    group = names.get(number, str(number))
    finding = permissions(camera, config)
    assert finding.state == "FAIL"
    assert f"12345 may not use /dev/video0 (group {group})" in finding.found
    assert finding.fix == f"sudo usermod -aG {group} 12345, then log in again"
    for cured in (Identity(12345, frozenset({number})), Identity(0, frozenset())):
        assert permissions(Machine(camera.root, cured), config).state == "OK"


def test_permissions_of_a_device_that_its_group_may_not_use_either(camera: Machine) -> None:
    """Being in the group is not enough; nobody is to enter the group of root."""
    device = camera.root / "dev/video0"
    device.chmod(0o600)
    config = configured({"door": {"type": "camera", "device": 0}})
    fix = permissions(camera, config).fix
    assert fix.endswith("; sudo usermod -aG video 12345, then log in again")
    if os.getuid():
        pytest.skip("needs root, to give a file to another group")
    do(fix.partition(" (until")[0], {"/dev/video0": device})
    member = Identity(12345, frozenset({grp.getgrnam("video").gr_gid}))
    assert permissions(Machine(camera.root, member), config).state == "OK"


@pytest.mark.parametrize(
    ("type_", "device", "node", "group"),
    [
        ("camera", "0", "video0", "video"),
        ("audio", "default", "snd/pcmC1D0c", "audio"),
        ("i2c", "", "i2c-1", "i2c"),
        ("serial", "/dev/ttyUSB0", "ttyUSB0", "dialout"),
    ],
)
def test_groups_of_devices(
    machine_of: Make, type_: str, device: str, node: str, group: str
) -> None:
    """Each kind of device has a group of its own, which opens it."""
    machine = machine_of({f"dev/{node}": ""})
    (machine.root / "dev" / node).chmod(0o600)
    door = configured({"door": {"type": "camera", "device": 0}})
    source = SourceConfig(type_, CameraOptions(device=device))
    config = door.model_copy(update={"sources": {"s": source}})
    finding = permissions(machine, config)
    assert (finding.state, f"/dev/{node}" in finding.found) == ("FAIL", True)
    assert f"sudo usermod -aG {group} 12345" in finding.fix
    (machine.root / "dev" / node).chmod(0o666)
    assert permissions(machine, config).state == "OK"


def test_sensors_that_need_a_device_or_none(machine_of: Make) -> None:
    """A buffer of IIO is a device; polled files, sound of a file or a sound server are none."""
    machine = machine_of({"dev/iio:device0": "", "dev/snd/pcmC1D0c": "", "dev/video0": ""})
    for node in ("iio:device0", "snd/pcmC1D0c", "video0"):
        (machine.root / "dev" / node).chmod(0o600)
    config = configured({"door": {"type": "camera"}})
    for kind, options, found in (
        ("iio", IioOptions(0, buffer=64), "/dev/iio:device0"),
        ("iio", IioOptions(0), "no device"),
        ("audio", AudioOptions(device="default"), "/dev/snd/pcmC1D0c"),
        ("audio", AudioOptions(device="pulse:"), "no device"),
        ("audio", AudioOptions(file=Path("x.wav")), "no device"),
    ):
        chosen = config.model_copy(update={"sources": {"s": SourceConfig(kind, options)}})
        assert found in permissions(machine, chosen).found
        assert bool(kinds(chosen)) == found.startswith("/dev")


def test_permissions_by_mode(camera: Machine) -> None:
    """Others, and the owner, are judged by their own bits."""
    device = camera.root / "dev/video0"
    stranger, owner = Identity(12345, frozenset()), Identity(os.getuid() or 1, frozenset())
    device.chmod(0o666)
    assert stranger.may_use(device)
    device.chmod(0o060)
    assert not stranger.may_use(device)
    if os.getuid():
        assert not owner.may_use(device)


def test_permissions_where_nothing_is_needed(camera: Machine) -> None:
    """Recordings need no device, and a Pi camera all of its own that are there."""
    recording = configured({"clip": {"type": "video", "file": str(ASSETS / "belt.mp4")}})
    assert permissions(camera, recording).state == "OK"
    assert permissions(camera, configured({"cam": {"type": "picamera"}})).state == "FAIL"


def test_a_service_that_runs() -> None:
    """Its process is told."""
    finding = judge_unit(_UNIT, _RUNS, {"video"})
    assert (finding.state, "process 812" in finding.found) == ("OK", True)
    assert judge_unit(_UNIT, None).state == "SKIP"


def test_groups_of_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user may have the group by itself, and root needs none."""
    member = grp.struct_group(("video", "x", 44, ["edge-agent"]))
    monkeypatch.setattr(grp, "getgrall", lambda: [member])
    alone = {**_RUNS, "SupplementaryGroups": ""}
    assert judge_unit(_UNIT, alone, {"video"}).state == "OK"
    assert judge_unit(_UNIT, alone, {"audio"}).state == "FAIL"
    root = {**alone, "DynamicUser": "no", "User": ""}
    assert judge_unit(_UNIT, root, {"audio"}).state == "OK"


@pytest.mark.parametrize(
    ("changed", "state", "fix"),
    [
        ({"LoadState": "not-found"}, "WARN", "install"),
        ({"ActiveState": "failed", "Result": "exit-code"}, "FAIL", f"journalctl -eu {_UNIT}"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, "FAIL", "journalctl"),
        ({"LoadState": "masked"}, "WARN", f"sudo systemctl unmask {_UNIT}"),
        ({"LoadState": "bad-setting"}, "FAIL", f"systemd-analyze verify {_UNIT}"),
        (
            {"ActiveState": "failed", "ExecMainStatus": "78"},
            "FAIL", "check -c /etc/edge-agent/edge-agent.yaml; then: sudo systemctl restart",
        ),
        ({"ActiveState": "activating", "SubState": "start"}, "WARN", "wait a little"),
        ({"ActiveState": "deactivating"}, "WARN", "wait a little"),
        ({"ActiveState": "inactive"}, "WARN", f"systemctl enable --now {_UNIT}"),
        ({"ProcSubset": "pid"}, "FAIL", "ProcSubset=all"),
        ({"SupplementaryGroups": "audio"}, "FAIL", "--unit -c /c.yaml | sudo install -Dm644"),
        ({"NRestarts": "12"}, "WARN", "journalctl"),
        ({"UnitFileState": "disabled"}, "WARN", f"systemctl enable {_UNIT}"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_service(changed: dict[str, str], state: str, fix: str) -> None:
    """Each fault alone, of a service that is else in order."""
    finding = judge_unit(_UNIT, {**_RUNS, **changed}, {"video"}, Path("/c.yaml"))
    assert finding.state == state
    assert fix in finding.fix


def test_the_cure_of_a_missing_group_works(tmp_path: Path) -> None:
    """What it installs gives the service the group, and systemd is told of it."""
    camera = {"door": {"type": "camera", "device": 0}}
    file = write_config(
        tmp_path, sources=camera, pipelines={"p": {"source": "door", "model": "parts"}}
    )
    shut = {**_RUNS, "SupplementaryGroups": ""}
    cure = judge_unit(_UNIT, shut, {"video"}, file).fix
    log = tmp_path / "log"
    systemctl = f"systemctl() {{ echo $* >> {log}; }}\n"
    do(systemctl + cure, {"/etc/systemd/system": tmp_path})
    text = (tmp_path / f"{_UNIT}.d" / "50-sources.conf").read_text()
    groups = text.rpartition("SupplementaryGroups=")[2].strip()
    assert judge_unit(_UNIT, {**shut, "SupplementaryGroups": groups}, {"video"}).state == "OK"
    assert log.read_text() == f"daemon-reload\nrestart {_UNIT}\n"


def test_a_template_that_is_wrongly_configured() -> None:
    """The cure names the file of the instance."""
    failed = {**_RUNS, "ActiveState": "failed", "ExecMainStatus": "78"}
    fix = judge_unit("edge-agent@yard.service", failed).fix
    assert "check -c /etc/edge-agent/yard.yaml; " in fix
    assert fix.endswith("sudo systemctl restart edge-agent@yard.service")


def test_systemd_is_asked(machine_of: Make, program: Program) -> None:
    """It is asked only where systemd runs, and may fail."""
    program("systemctl", 'test "$1 $2" = "show edge-agent.service" && echo LoadState=loaded')
    assert unit_properties(machine_of({}), _UNIT) is None
    machine = machine_of({"run/systemd/system/x": ""})
    assert unit_properties(machine, _UNIT) == {"LoadState": "loaded"}
    assert unit_properties(machine, "other.service") is None


@pytest.mark.parametrize(("level", "state"), [("1.2 OK :-)", "OK"), ("8.6 EXPOSED", "WARN")])
def test_exposure(machine_of: Make, program: Program, level: str, state: str) -> None:
    """The count of systemd-analyze decides."""
    machine = machine_of({"run/systemd/system/x": ""})
    program("systemctl", "echo LoadState=loaded")
    program("systemd-analyze", f'echo "→ Overall exposure level for {_UNIT}: {level}"')
    finding = exposure(machine, _UNIT)
    assert (finding.state, level[:3] in finding.found) == (state, True)
    assert state == "OK" or "systemd-analyze security" in finding.fix


def test_the_state_of_a_service(machine_of: Make, program: Program) -> None:
    """Where the unit says; nowhere before its first start."""
    program("systemctl", "echo StateDirectory=edge-agent/yard")
    machine = machine_of({"run/systemd/system/x": ""})
    assert state_of_unit(machine, "edge-agent@yard.service") is None
    (machine.root / "var/lib/edge-agent/yard").mkdir(parents=True)
    assert state_of_unit(machine, "x") == machine.root / "var/lib/edge-agent/yard"


def test_exposure_unknown(machine_of: Make, program: Program) -> None:
    """No systemd, no unit, or a systemd that does not tell."""
    assert exposure(machine_of({}), _UNIT).state == "SKIP"
    program("systemctl", "echo LoadState=not-found")
    assert exposure(machine_of({"run/systemd/system/x": ""}), _UNIT).state == "SKIP"
    assert judge_exposure(_UNIT, None).state == "SKIP"


@pytest.mark.parametrize(
    ("config", "unit"),
    [
        (None, _UNIT),
        ("/etc/edge-agent/edge-agent.yaml", _UNIT),
        ("/etc/edge-agent/yard.yaml", "edge-agent@yard.service"),
        ("/home/me/yard.yaml", _UNIT),
    ],
)
def test_the_unit_of_a_configuration(config: str | None, unit: str) -> None:
    """The template's instance is named as its file."""
    assert unit_name(Path(config) if config else None) == unit


_NETWORK = {
    "door": {"type": "camera", "device": 0},
    "yard": {"type": "rtsp", "url": "rtsp://user:hunter2@cam.example:8554/1"},
    "gate": {"type": "http", "url": "http://192.0.2.7/still.jpg"},
}
_BOOK = {
    "broker.example": ["192.0.2.1", "2001:db8::1"],
    "cam.example": ["192.0.2.9"],
    "192.0.2.7": ["192.0.2.7"],
    "localhost": ["127.0.0.1"],
}


def look_up(host: str) -> Sequence[str]:
    """A name server of our own."""
    if host not in _BOOK:
        raise socket.gaierror(-2, "Name or service not known")
    return _BOOK[host]


def directives(text: str) -> list[str]:
    """Its lines without comments."""
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_the_drop_in(machine_of: Make) -> None:
    """Broker, cameras and name server may be reached, and the camera's device; nothing else."""
    machine = machine_of({"etc/resolv.conf": "nameserver 192.0.2.53\nnameserver 127.0.0.53\n"})
    text = drop_in(configured(_NETWORK, "broker.example"), Path("c.yaml"), machine, look_up)
    assert directives(text) == [
        "[Service]",
        "IPAddressDeny=any",
        "IPAddressAllow=",
        "IPAddressAllow=localhost",
        "IPAddressAllow=192.0.2.1 2001:db8::1",
        "IPAddressAllow=192.0.2.9",
        "IPAddressAllow=192.0.2.7",
        "IPAddressAllow=192.0.2.53",
        "PrivateDevices=no",
        "DevicePolicy=closed",
        "DeviceAllow=",
        "DeviceAllow=char-video4linux rw",
        "SupplementaryGroups=",
        "SupplementaryGroups=video",
    ]
    assert "# sources.yard: cam.example" in text
    assert "hunter2" not in text


def test_a_drop_in_for_updates(machine_of: Make) -> None:
    """The server of new models may be reached; the password in its address is not told."""
    options = UpdatesOptions(url=Secret("https://me:hunter2@cam.example/x"))
    config = configured({"door": {"type": "camera"}}).model_copy(update={"updates": options})
    text = drop_in(config, Path("c.yaml"), machine_of({}), look_up)
    assert "# updates: cam.example\nIPAddressAllow=192.0.2.9" in text
    assert "hunter2" not in text


def test_a_drop_in_for_sensors(machine_of: Make) -> None:
    """A broker of its own and a web service may be reached, and an I2C bus."""
    sources = {
        "hall": {"type": "mqtt", "host": "cam.example", "channels": {"t": {"topic": "t"}}},
        "meter": {"type": "http_json", "url": "http://broker.example/x", "channels": {"p": "p"}},
    }
    chip = {"type": "i2c", "address": 0x48, "channels": {"t": {"register": 0}}}
    sources = {"all": {"type": "fusion", "parts": {**sources, "chip": chip}}}
    text = drop_in(configured(sources), Path("c.yaml"), machine_of({}), look_up)
    assert "# sources.all.hall: cam.example" in text
    assert "# sources.all.meter: broker.example" in text
    assert "DeviceAllow=char-i2c rw" in text


def test_a_drop_in_without_names_or_devices(machine_of: Make) -> None:
    """Addresses need no name server, recordings no device."""
    clip = {"clip": {"type": "video", "file": str(ASSETS / "belt.mp4")}}
    machine = machine_of({"etc/resolv.conf": "nameserver 192.0.2.53\n"})
    text = drop_in(configured(clip), Path("c.yaml"), machine, look_up)
    assert directives(text) == [
        "[Service]",
        "IPAddressDeny=any",
        "IPAddressAllow=",
        "IPAddressAllow=localhost",
        "PrivateDevices=yes",
        "DevicePolicy=closed",
        "DeviceAllow=",
        "SupplementaryGroups=",
    ]


def test_an_edge_tpu_is_let_in(machine_of: Make) -> None:
    """A model on a Coral needs its USB device."""
    delegate = {"library": "libedgetpu.so.1"}
    text = drop_in(configured(_NETWORK, delegate=delegate), Path("c.yaml"), machine_of({}), look_up)
    assert "DeviceAllow=char-usb_device rw" in text
    assert "SupplementaryGroups=video plugdev" in text


_LINES = {
    "meter": {"type": "lines", "tcp": "cam.example:4001"},
    "radio": {"type": "lines", "udp": "0.0.0.0:5005"},
    "log": {"type": "text", "listen": "127.0.0.1:5006"},
    "scale": {"type": "lines", "serial": "/dev/ttyUSB0"},
}


def test_lines_are_let_in(machine_of: Make) -> None:
    """Senders on the network, the ports that they send to, and serial ports."""
    text = drop_in(configured(_LINES), Path("c.yaml"), machine_of({}), look_up)
    lines = directives(text)
    assert "IPAddressAllow=192.0.2.9" in lines
    bound = [line for line in lines if line.startswith("SocketBind")]
    assert bound == ["SocketBindAllow=udp:5005", "SocketBindAllow=tcp:5006"]
    assert len([line for line in lines if "192.168.0.0/16" in line]) == 1
    assert "DeviceAllow=char-ttyUSB rw" in lines
    assert "SupplementaryGroups=dialout" in lines


def test_unknown_hosts(machine_of: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drop-in that would lock the broker out is not made, nor is a name server waited for."""
    config = configured(_NETWORK, "brokr.example")
    with pytest.raises(NameUnknown, match=r"brokr\.example"):
        drop_in(config, Path("c.yaml"), machine_of({}), look_up)
    monkeypatch.setattr(drop_in_module, "_LIMIT", 0.1)
    forever = threading.Event()
    with pytest.raises(NameUnknown, match="no answer"):
        drop_in(config, Path("c.yaml"), machine_of({}), lambda _: [str(forever.wait(20))])
    forever.set()


def test_systemd_understands_the_drop_in(tmp_path: Path, machine_of: Make) -> None:
    """systemd-analyze verify has nothing to say of a unit with it."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: sudo apt install systemd")
    machine = machine_of({"etc/resolv.conf": "nameserver 192.0.2.53\n"})
    sources = {**_NETWORK, **_LINES}
    config = configured(sources, "broker.example", delegate={"library": "libedgetpu.so.1"})
    text = drop_in(config, Path("c.yaml"), machine, look_up)
    (tmp_path / "x.service").write_text(f"[Service]\nExecStart=/bin/true\n{text}")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "x.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
