"""Lets at most so many frames a second through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.options import Doc, Options, Positive

_PASSED = Verdict(True, "rate")
_HELD_BACK = Verdict(False, "rate")


@dataclass(frozen=True, slots=True)
class RateOptions(Options):
    """Options of `gate: rate`."""

    fps: Annotated[Positive, Doc("Frames a second that pass at most.")] = 5.0


class RateGate:
    """Passes frames on a grid of 1/fps seconds of the frames' own time line.

    The next due time advances by whole periods, so a 10 fps source at `fps: 5` gives every second
    frame and 30 fps at `fps: 20` gives 20, without drift.
    """

    Options: ClassVar[type[Options]] = RateOptions

    def __init__(self, options: RateOptions) -> None:
        self._period = 1.0 / options.fps
        self._due: float | None = None

    def check(self, frame: Frame, active: bool) -> Verdict:  # noqa: ARG002 - same for all
        """Pass the frame when its time has come."""
        now = frame.timeline
        # A thousandth of a period: frame times are rounded to microseconds.
        if self._due is not None and now < self._due - 1e-3 * self._period:
            return _HELD_BACK
        late = self._due is None or now - self._due > self._period
        self._due = (now if late or self._due is None else self._due) + self._period
        return _PASSED

    def reset(self) -> None:
        """Let the next frame pass."""
        self._due = None
