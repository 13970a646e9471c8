"""Options of model updates: whom to believe, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from edge_agent.modelstore.keys import PublicKey, parse_key
from edge_agent.options import Doc, Duration, Options, Secret


@dataclass(frozen=True, slots=True)
class HawkbitOptions(Options):
    """A device of Eclipse hawkBit (Direct Device Integration API)."""

    url: Annotated[Secret, Doc("Address of the server, such as https://hawkbit.local.")]
    tenant: Annotated[str, Doc("Tenant of the server.")] = "DEFAULT"
    controller: Annotated[str | None, Doc("Id of this device there; default: agent.name.")] = None
    token: Annotated[Secret | None, Doc("Security token of this device.")] = None
    gateway_token: Annotated[
        Secret | None, Doc("Token of a gateway in its place, which is good for all devices.")
    ] = None


@dataclass(frozen=True, slots=True)
class UpdatesOptions(Options):
    """Whom to believe about models, and where new ones come from."""

    keys: Annotated[
        tuple[str, ...],
        Doc(
            "Public keys, as `edge-agent models keygen` prints them; with any, no model of the "
            "model store is loaded that none of them signed."
        ),
    ] = ()
    url: Annotated[
        Secret | None,
        Doc("Where releases are, such as https://models.local/fleet; default: none are fetched."),
    ] = None
    every: Annotated[Duration, Ge(10), Doc("How often it looks there for newer releases.")] = 3600.0
    ca_file: Annotated[
        Path | None, Doc("Certificate authority to trust there instead of the system's.")
    ] = None
    hawkbit: Annotated[
        HawkbitOptions | None, Doc("A server that rolls releases out to devices in stages.")
    ] = None

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys; raises ValueError where one is none."""
        return tuple(map(parse_key, self.keys))

    @property
    def server(self) -> str | None:
        """Address of the one server that is asked, maybe with a password in it; None for none."""
        chosen = self.url if self.hawkbit is None else self.hawkbit.url
        return chosen.reveal() if chosen else None
