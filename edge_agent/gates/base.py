"""What a gate is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from edge_agent.frame import Frame
from edge_agent.geometry import Box
from edge_agent.options import Options


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a frame passes, why, and where something moved (boxes 0..1 of the frame).

    `closed` says that none will pass for long: what is followed cannot be seen to its end.
    """

    passed: bool
    reason: str
    regions: tuple[Box, ...] = ()
    closed: bool = False


class Gate(Protocol):
    """Decides frame by frame; it sees every frame of its source, in order."""

    Options: ClassVar[type[Options]]

    def __init__(self, options: Any) -> None: ...

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Judge one frame; `active` says that objects are being followed right now."""

    def reset(self) -> None:
        """Forget the past: the source was away."""
