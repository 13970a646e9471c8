"""Devices and ports that two sources want for themselves."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.config.checks import Check, entries, text_at
from edge_agent.config.problem import Mistake, quoted
from edge_agent.config.yaml_tree import Mapping

_SOLE_PORTS = {
    "serial": "serial port", "listen": "TCP port", "udp": "UDP port", "fifo": "FIFO",
    "stdin": "standard input",
}  # fmt: skip


def shared_devices(root: Mapping) -> Iterator[Mistake]:
    """A camera gives its frames to one source only, as does what lines come from."""
    users: dict[tuple[str, str], str] = {}
    for source in entries(root, "sources"):
        for what, name in _sole_use(root, source):
            first = users.setdefault((what, name), source)
            if first != source:
                message = f"uses the same {what} as {quoted(first)}, and only one can have it"
                yield Mistake(("sources", source), message, at_key=True)


def _sole_use(root: Mapping, source: str) -> Iterator[tuple[str, str]]:
    """What a source has for itself alone: what it is, and its name."""
    kind = text_at(root, "sources", source, "type")
    if kind == "camera":
        device = text_at(root, "sources", source, "device") or "0"
        yield "camera", f"/dev/video{device}" if device.isdigit() else device
    elif kind == "picamera":
        yield "camera", f"picamera {text_at(root, 'sources', source, 'camera') or '0'}"
    elif kind in ("lines", "text"):
        for key, what in _SOLE_PORTS.items():
            if (name := text_at(root, "sources", source, key)) not in (None, "false"):
                yield what, str(name)


WARNINGS: tuple[Check, ...] = (shared_devices,)
