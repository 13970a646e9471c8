"""Options of the outbox: how much it keeps and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt

from edge_agent.options import Doc, Duration, Options, Size


@dataclass(frozen=True, slots=True)
class OutboxOptions(Options):
    """What waits while the broker is away, and how safely."""

    durability: Annotated[
        Literal["normal", "full"],
        Doc(
            "What an event survives: normal the end of the agent, also by force; full a power cut "
            "too, for which each waits until the disk has it."
        ),
    ] = "normal"
    max_bytes: Annotated[
        Size,
        Ge(2**16),
        Doc("Most bytes kept: three quarters for events, an eighth each for states and telemetry."),
    ] = 64 * 2**20
    max_age: Annotated[
        Duration, Gt(0), Doc("Events that have waited longer than this are dropped.")
    ] = 7 * 86400.0
