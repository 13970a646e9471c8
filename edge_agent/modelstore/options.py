"""Options of model updates: whom to believe, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from edge_agent.modelstore.keys import PublicKey, parse_key
from edge_agent.options import Doc, Options


@dataclass(frozen=True, slots=True)
class UpdatesOptions(Options):
    """Whom to believe about models."""

    keys: Annotated[
        tuple[str, ...],
        Doc(
            "Public keys, as `edge-agent models keygen` prints them; with any, no model of the "
            "model store is loaded that none of them signed."
        ),
    ] = ()

    @property
    def trusted(self) -> tuple[PublicKey, ...]:
        """The keys; raises ValueError where one is none."""
        return tuple(map(parse_key, self.keys))
