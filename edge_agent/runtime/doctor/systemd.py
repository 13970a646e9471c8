"""The agent as a service: whether it is there, runs, and is shut in."""

from __future__ import annotations

import grp
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from edge_agent.errors import ConfigError
from edge_agent.runtime.doctor.commands import edge_agent, set_in_unit
from edge_agent.runtime.doctor.finding import Finding, fail, ok, skip, warn
from edge_agent.runtime.doctor.machine import Machine, ask

ETC = Path("/etc/edge-agent")
CONFIG = ETC / "edge-agent.yaml"
"""The configuration of the service."""

_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result", "MainPID",
    "ProcSubset", "SupplementaryGroups", "StateDirectory", "User", "DynamicUser", "ExecMainStatus",
)  # fmt: skip
_MOST_RESTARTS = 3
_INSTALL = "in the folder of the source: sudo ./scripts/install.sh; or install the Debian package"
_BAD_CONFIGURATION = str(ConfigError.exit_code)
_EXPOSED = 2.0  # of 10, as systemd-analyze counts
_EXPOSURE = re.compile(r"exposure level for \S+: (\d+(?:\.\d+)?)")
_NO_SYSTEMD = "systemd does not run here"


def unit_name(config: Path | None) -> str:
    """The unit that runs a configuration: of /etc/edge-agent/NAME.yaml the instance NAME."""
    if config is None or config.stem == CONFIG.stem or config.parent != ETC:
        return "edge-agent.service"
    return f"edge-agent@{config.stem}.service"


def unit_properties(machine: Machine, unit: str) -> dict[str, str] | None:
    """What systemd says of a unit; None where it does not run."""
    if not (machine.root / "run/systemd/system").is_dir():
        return None
    text = ask("systemctl", "show", unit, f"--property={','.join(_PROPERTIES)}")
    return None if text is None else dict(line.split("=", 1) for line in text.splitlines() if line)


def state_of_unit(machine: Machine, unit: str) -> Path | None:
    """The folder of its state; None where there is none yet."""
    name = (unit_properties(machine, unit) or {}).get("StateDirectory") or "edge-agent"
    folder = machine.root / "var/lib" / name.split()[0]
    return folder if os.path.lexists(folder) else None  # a link that only root may follow


def judge_unit(
    unit: str,
    properties: Mapping[str, str] | None,
    groups: Collection[str] = (),
    file: Path | None = None,
) -> Finding:
    """`properties` are what systemd says of the unit, `groups` those that `file` needs."""
    if properties is None:
        return skip(_NO_SYSTEMD)
    if (unusable := _judge_loaded(unit, properties)) is not None:
        return unusable
    active, sub = properties.get("ActiveState", "?"), properties.get("SubState", "?")
    found = f"{unit} is {active} ({sub})"
    if active == "failed" or sub == "auto-restart":
        return fail(f"{found}: {properties.get('Result')}", _cure_of_failure(unit, properties))
    if active == "inactive":
        return warn(found, f"sudo systemctl enable --now {unit}")
    if active in ("activating", "deactivating"):
        return warn(found, f"wait a little and ask again; if it stays: sudo journalctl -eu {unit}")
    if missing := sorted(set(groups) - _groups(properties)) if _is_user(properties) else []:
        place = f"/etc/systemd/system/{unit}.d/50-sources.conf"
        cure = (
            f"{edge_agent('doctor', '--unit', '-c', file or CONFIG, root=True)} | "
            f"sudo install -Dm644 /dev/stdin {place}; "
            f"sudo systemctl daemon-reload; sudo systemctl restart {unit}"
        )
        return fail(f"{found}; its sources need the group {', '.join(missing)}", cure)
    return _judge_running(unit, found, properties)


def _judge_loaded(unit: str, properties: Mapping[str, str]) -> Finding | None:
    """What keeps systemd from using the unit at all."""
    match state := properties.get("LoadState", "loaded"):
        case "loaded":
            return None
        case "not-found":
            return warn(f"{unit} is not installed", _INSTALL)
        case "masked":
            cure = f"sudo systemctl unmask {unit}; sudo systemctl enable --now {unit}"
            return warn(f"{unit} is masked: it cannot be started", cure)
    cure = f"see why: systemd-analyze verify {unit}; or install it again ({_INSTALL})"
    return fail(
        f"systemd cannot use {unit}: {state}", f"{cure}; then: sudo systemctl daemon-reload"
    )


def _cure_of_failure(unit: str, properties: Mapping[str, str]) -> str:
    """A wrong configuration can be looked at; for all else there is the journal."""
    again = f"sudo systemctl restart {unit}"
    if properties.get("ExecMainStatus") == _BAD_CONFIGURATION:
        check = edge_agent("check", "-c", _config_of(unit), root=True)
        return f"correct the configuration: {check}; then: {again}"
    return f"the journal tells why: sudo journalctl -eu {unit}; then: {again}"


def _config_of(unit: str) -> Path:
    """The other way round than `unit_name`."""
    instance = unit.removesuffix(".service").partition("@")[2]
    return ETC / f"{instance}.yaml" if instance else CONFIG


def _is_user(properties: Mapping[str, str]) -> bool:
    """False for root, who needs no group."""
    return properties.get("DynamicUser") == "yes" or properties.get("User") not in ("", "root")


def _groups(properties: Mapping[str, str]) -> set[str]:
    """Groups of the service: its own, and those of its user."""
    user = properties.get("User")
    of_user = {group.gr_name for group in grp.getgrall() if user in group.gr_mem}
    return of_user | set(properties.get("SupplementaryGroups", "").split())


def _judge_running(unit: str, found: str, properties: Mapping[str, str]) -> Finding:
    if properties.get("ProcSubset") == "pid":
        cure = set_in_unit(unit, "ProcSubset=all")
        return fail(f"{found}; ProcSubset=pid hides /proc/cpuinfo: XNNPACK stays off", cure)
    if int(properties.get("NRestarts") or 0) > _MOST_RESTARTS:
        cure = _cure_of_failure(unit, {})
        return warn(f"{found}, restarted {properties['NRestarts']} times", cure)
    if properties.get("UnitFileState") == "disabled":
        return warn(f"{found}, but not after a restart", f"sudo systemctl enable {unit}")
    return ok(f"{found}, process {properties.get('MainPID')}")


def exposure(machine: Machine, unit: str) -> Finding:
    """How much of the machine the service can reach."""
    properties = unit_properties(machine, unit)
    if properties is None:
        return skip(_NO_SYSTEMD)
    if properties.get("LoadState") == "not-found":
        return skip(f"{unit} is not installed")
    text = ask("systemd-analyze", "security", "--no-pager", unit) or ""
    match = _EXPOSURE.search(text)
    return judge_exposure(unit, float(match[1]) if match else None)


def judge_exposure(unit: str, level: float | None) -> Finding:
    """`level` is systemd's count from 0 (shut in) to 10, None where it is unknown."""
    if level is None:
        return skip("systemd-analyze security does not tell", "sudo apt install systemd")
    if level > _EXPOSED:
        look = f"systemd-analyze security {unit}"
        cure = f"see what opens it: {look}, in which file: systemctl cat {unit}; or {_INSTALL}"
        return warn(f"{level} of 10: a hole in a library would reach far", cure)
    return ok(f"{level} of 10")
