"""Options of how models change while the agent runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt

from edge_agent.options import Doc, Duration, Options


@dataclass(frozen=True, slots=True)
class UpdatesOptions(Options):
    """How a model takes another's place while the agent runs."""

    watch: Annotated[
        Duration, Gt(0), Doc("The one before comes back if the new one does worse for so long.")
    ] = 60.0
    slowdown: Annotated[
        float, Ge(1), Doc("A model that takes more than so many times as long does worse.")
    ] = 2.0
