"""Real stages that raise when a test wants them to."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import ClassVar

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.options import Options
from edge_agent.result import Result, Track
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.objects import ObjectRules
from edge_agent.rules.options import LineOptions
from edge_agent.rules.zones import ZoneWatch
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.options import TrackOptions


class Fuse:
    """Stages whose name is in `blown` raise."""

    def __init__(self) -> None:
        self.blown: set[str] = set()

    def check(self, stage: str) -> None:
        """Raise if that stage is broken."""
        if stage in self.blown:
            raise RuntimeError(f"{stage} is broken")


class FusedGate:
    """Passes every frame whose number is not in `held`; keeps what it was asked.

    Of those in `shut` it says that none will pass for long.
    """

    Options: ClassVar[type[Options]] = Options

    def __init__(self, fuse: Fuse) -> None:
        self._fuse = fuse
        self.active: list[bool] = []
        self.held: set[int] = set()
        self.shut: set[int] = set()
        self.resets = 0

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Judge by the number of the frame."""
        self._fuse.check("gate")
        self.active.append(active)
        if frame.seq in self.shut:
            return Verdict(False, "test", closed=True)
        return Verdict(frame.seq not in self.held, "test", ((0.0, 0.0, 0.5, 0.5),))

    def reset(self) -> None:
        """Count the resets."""
        self._fuse.check("reset")
        self.resets += 1


class FusedTracker(BoxTracker):
    """The real tracker with a fuse."""

    def __init__(self, fuse: Fuse, options: TrackOptions) -> None:
        super().__init__(options, itertools.count(1))
        self._fuse = fuse

    def update(
        self, results: Sequence[Result], timeline: float, faint: Sequence[Result] = ()
    ) -> tuple[Track, ...]:
        """Take in the next frame."""
        self._fuse.check("tracker")
        return super().update(results, timeline, faint)

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End what is overdue."""
        self._fuse.check("expire")
        return super().expire(timeline)

    def flush(self) -> tuple[Track, ...]:
        """End everything."""
        self._fuse.check("flush")
        return super().flush()


class FusedRules(ObjectRules):
    """The real rules with a fuse; one line at x = 0.5, `cat` counted from the start."""

    def __init__(self, fuse: Fuse, zones: ZoneWatch | None = None, **times: float) -> None:
        line = LineOptions((0.5, 0.0), (0.5, 1.0))
        lines = LineWatch({"door": line})
        super().__init__(zones or ZoneWatch({}), lines, ["cat"], 0.0, **times)
        self._fuse = fuse

    def new_day(self) -> None:
        """Set the line counts to zero."""
        self._fuse.check("new_day")
        super().new_day()
