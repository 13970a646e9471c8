"""The drop-in that lets the service reach what its configuration names, and nothing else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from edge_agent.config.by_name import with_parts
from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.options import Options, Secret
from edge_agent.page.options import is_own
from edge_agent.runtime.doctor.devices import kinds
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.systemd import unit_name
from edge_agent.runtime.privacy.hosts import contact_of
from edge_agent.sources.address import Contact
from edge_agent.sources.endpoint import Endpoint

_LIMIT = 10.0  # seconds for all names
_PRIVATE = "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 fc00::/7 fe80::/10"

Resolve = Callable[[str], Sequence[str]]


class NameUnknown(EdgeAgentError):
    """A host of the configuration has no address now; a drop-in without it would lock it out."""


def hosts(config: Config) -> dict[str, str]:
    """Hosts that the configuration names, by who names them."""
    found = {"mqtt": config.mqtt.host}
    if (updates := contact_of(config.updates)) is not None:
        found["updates"] = updates.host
    for name, source in with_parts(config.sources).items():
        for host in _hosts_of(source.options):
            found[f"sources.{name}"] = host
    return found


def _hosts_of(options: Options) -> Iterator[str]:
    contact = getattr(options, "contact", None)
    if isinstance(contact, Contact):
        yield contact.host
        return
    for item in fields(options):  # type: ignore[arg-type]
        value = getattr(options, item.name)
        if isinstance(value, Secret):
            value = value.reveal()
        if isinstance(value, str) and "://" in value and (host := urlsplit(value).hostname):
            yield host


def _listening(config: Config) -> Iterator[str]:
    """Lines for the sources that others send to, from anywhere in the networks around."""
    for name, source in config.sources.items():
        place: Endpoint | None = getattr(source.options, "listens", None)
        if place is not None:
            kind = "tcp" if getattr(source.options, "listen", None) else "udp"
            yield f"# sources.{name}: {kind} port {place}"
            yield f"SocketBindAllow={kind}:{place.port}"
            if not is_own(place.host):
                yield f"IPAddressAllow={_PRIVATE}"


def addresses(host: str) -> list[str]:
    """Addresses of a host as the system knows them now; raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))


def drop_in(config: Config, file: Path, machine: Machine, resolve: Resolve = addresses) -> str:
    """The text of the drop-in; raises NameUnknown for a host without an address."""
    named = hosts(config)
    known = _resolved(sorted(set(named.values())), resolve)
    unit = unit_name(file.absolute())
    lines = [
        f"# /etc/systemd/system/{unit}.d/50-sources.conf",
        f"# Made by: edge-agent doctor --unit -c {file}",
        f"# Names have the addresses of {time.strftime('%Y-%m-%d %H:%M')}: make it anew when one",
        "# changes, and after a change of the configuration; then systemctl daemon-reload and",
        f"# systemctl restart {unit}.",
        "[Service]",
        "IPAddressDeny=any",
        "IPAddressAllow=",  # forgets what the unit itself allows
        "IPAddressAllow=localhost",
    ]
    for who, host in named.items():
        if outside := [each for each in known[host] if not ip_address(each).is_loopback]:
            lines += [f"# {who}: {host}", f"IPAddressAllow={' '.join(outside)}"]
    if any(_is_name(host) for host in named.values()) and (servers := _name_servers(machine)):
        lines += ["# name servers, to find the others", f"IPAddressAllow={' '.join(servers)}"]
    return "\n".join([*lines, *_listening(config), *_devices(config)]) + "\n"


def _devices(config: Config) -> Iterator[str]:
    needed = kinds(config)
    yield f"# devices of {', '.join(needed)}" if needed else "# no source needs a device"
    yield f"PrivateDevices={'no' if needed else 'yes'}"
    yield "DevicePolicy=closed"
    yield "DeviceAllow="
    for each in dict.fromkeys(each for kind in needed.values() for each in kind.allow):
        yield f"DeviceAllow={each} rw"
    yield "SupplementaryGroups="
    if groups := dict.fromkeys(kind.group for kind in needed.values()):
        yield f"SupplementaryGroups={' '.join(groups)}"


def _is_name(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


def _name_servers(machine: Machine) -> list[str]:
    lines = (machine.text("etc/resolv.conf") or "").splitlines()
    words = [line.split() for line in lines]
    found = [each[1].partition("%")[0] for each in words if each[:1] == ["nameserver"] and each[1:]]
    return [each for each in found if not ip_address(each).is_loopback]


def _resolved(names: Sequence[str], resolve: Resolve) -> dict[str, Sequence[str]]:
    """Addresses by name, all asked for at once since a name server may be silent."""
    known: dict[str, Sequence[str]] = {}
    reasons: dict[str, str] = {}

    def look_up(name: str) -> None:
        try:
            known[name] = resolve(name)
        except OSError as error:
            reasons[name] = str(error)

    threads = [threading.Thread(target=look_up, args=(name,), daemon=True) for name in names]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _LIMIT
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if missing := [name for name in names if name not in known]:
        why = reasons.get(missing[0], f"no answer within {_LIMIT:g} s")
        cure = "check the spelling and the name server, or write the address into the YAML"
        raise NameUnknown(f"no address is known for {', '.join(missing)}: {why}", cure)
    return known
