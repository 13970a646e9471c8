"""The agent as a service: whether it is there, runs, and is shut in."""

from __future__ import annotations

import grp
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from edge_agent.runtime.doctor.finding import Finding, fail, ok, skip, warn
from edge_agent.runtime.doctor.machine import Machine, ask

ETC = Path("/etc/edge-agent")
CONFIG = ETC / "edge-agent.yaml"
"""The configuration of the service."""

_PROPERTIES = (
    "LoadState", "ActiveState", "SubState", "UnitFileState", "NRestarts", "Result", "MainPID",
    "ProcSubset", "SupplementaryGroups", "StateDirectory", "User", "DynamicUser",
)  # fmt: skip
_MOST_RESTARTS = 3
_EXPOSED = 2.0  # of 10, as systemd-analyze counts
_EXPOSURE = re.compile(r"exposure level for \S+: (\d+(?:\.\d+)?)")
_NO_SYSTEMD = skip("systemd does not run here")


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
        return _NO_SYSTEMD
    if properties.get("LoadState") == "not-found":
        return warn(f"{unit} is not installed", "sudo ./scripts/install.sh, or README: systemd")
    active, sub = properties.get("ActiveState", "?"), properties.get("SubState", "?")
    found = f"{unit} is {active} ({sub})"
    if active == "failed" or sub == "auto-restart":
        return fail(f"{found}: {properties.get('Result')}", f"journalctl -eu {unit}")
    if active == "inactive":
        return warn(found, f"sudo systemctl enable --now {unit}")
    if missing := sorted(set(groups) - _groups(properties)) if _is_user(properties) else []:
        place = f"/etc/systemd/system/{unit}.d/50-sources.conf"
        cure = (
            f"edge-agent doctor --unit -c {file} | sudo install -Dm644 /dev/stdin {place}; "
            f"sudo systemctl daemon-reload; sudo systemctl restart {unit}"
        )
        return fail(f"{found}; its sources need the group {', '.join(missing)}", cure)
    return _judge_running(unit, found, properties)


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
        cure = f"sudo systemctl edit {unit}: [Service] ProcSubset=all; then restart it"
        return fail(f"{found}; ProcSubset=pid hides /proc/cpuinfo: XNNPACK stays off", cure)
    if int(properties.get("NRestarts") or 0) > _MOST_RESTARTS:
        return warn(f"{found}, restarted {properties['NRestarts']} times", f"journalctl -eu {unit}")
    if properties.get("UnitFileState") == "disabled":
        return warn(f"{found}, but not after a restart", f"sudo systemctl enable {unit}")
    return ok(f"{found}, process {properties.get('MainPID')}")


def exposure(machine: Machine, unit: str) -> Finding:
    """How much of the machine the service can reach."""
    properties = unit_properties(machine, unit)
    if properties is None:
        return _NO_SYSTEMD
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
        cure = f"install this version's unit, and see: systemd-analyze security {unit}"
        return warn(f"{level} of 10: a hole in a library would reach far", cure)
    return ok(f"{level} of 10")
