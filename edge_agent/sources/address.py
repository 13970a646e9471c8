"""The address of a network camera, taken apart so that no secret of it is ever shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

# Some cameras take the password in the path or the query.
_SECRET_PARTS = re.compile(r"(?i)((?:user|usr|login|pass|passwd|password|pwd|token|key)=)[^&/?]*")

_TYPES = {"http": ("http", "https"), "rtsp": ("rtsp", "rtsps")}


@dataclass(frozen=True, slots=True)
class Address:
    """Parts of a URL; `target` is its path and query, `shown` what may be logged."""

    scheme: str
    host: str
    port: int
    target: str
    user: str
    password: str
    shown: str

    @property
    def contact(self) -> Contact:
        """Whom one connects to at this address."""
        login = bool(self.user or self.password)
        return Contact(self.host, self.port, self.scheme in ("https", "rtsps"), login)


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a source connects to, and whether it sends a user name and a password there."""

    host: str
    port: int
    encrypted: bool
    login: bool


def _cure(scheme: str, ports: dict[str, int]) -> str:
    """What to write; another source type where that is the one for such an address."""
    for kind, schemes in _TYPES.items():
        if scheme in schemes and scheme not in ports:
            return f"an address with {scheme}:// needs type: {kind}"
    return f"write {next(iter(ports))}://HOST/PATH"


def parse_address(url: str, ports: dict[str, int]) -> Address:
    """Take a URL apart; `ports` maps each allowed scheme to its port.

    Raises ValueError with a text that repeats nothing of the URL, since it may hold a password.
    """
    schemes = " or ".join(f"{scheme}://" for scheme in ports)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(
            "url is not a valid address; in a user name or password write @ as %40, / as %2F, "
            ": as %3A, # as %23 and ? as %3F"
        ) from None
    if parts.scheme not in ports or not parts.hostname:
        raise ValueError(f"url must be {schemes} with a host ({_cure(parts.scheme, ports)})")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    shown = f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
    return Address(
        parts.scheme,
        parts.hostname,
        port or ports[parts.scheme],
        target,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        _SECRET_PARTS.sub(r"\1***", shown),
    )
