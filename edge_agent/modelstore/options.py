"""Options of model updates: how they come into use, whom to believe, where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt

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
    """How models change while the agent runs, whom to believe, and where new ones come from."""

    watch: Annotated[
        Duration, Gt(0), Doc("The one before comes back if the new one does worse for so long.")
    ] = 60.0
    slowdown: Annotated[
        float, Ge(1), Doc("A model that takes more than so many times as long does worse.")
    ] = 2.0
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
