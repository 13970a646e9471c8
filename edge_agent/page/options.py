"""Options of the status page."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from edge_agent.options import Doc, Options, Secret


@dataclass(frozen=True, slots=True)
class PageOptions(Options):
    """The status page at http://ADDRESS:PORT/."""

    address: Annotated[str, Doc("Where to listen; 0.0.0.0 for the whole network.")] = "127.0.0.1"
    port: Annotated[int, Ge(1), Le(65535), Doc("TCP port.")] = 8787
    token: Annotated[
        Secret | None,
        Doc("Who opens /?token=... once is let in; needed where others can reach the page."),
    ] = None
    preview: Annotated[bool, Doc("Show what the cameras see, masks applied.")] = False

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_own(self.address)


def is_own(address: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_options(options: PageOptions) -> None:
    """Raise ValueError where options do not fit together."""
    if not options.is_local and not options.token:
        raise ValueError("page.token is needed where page.address is not this machine's own")
