"""Several gates in a row."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.frame import Frame
from edge_agent.gates.base import Gate, Verdict
from edge_agent.geometry import Box

_OPEN = Verdict(True, "open")


class GateChain:
    """Passes a frame that every gate passes; without gates, every frame.

    A gate sees only the frames that passed the ones before it, so the cheap ones come first.
    """

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = tuple(gates)

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Ask each gate in order; the regions of all are joined, the last reason counts."""
        verdict = _OPEN
        regions: tuple[Box, ...] = ()
        for gate in self._gates:
            verdict = gate.check(frame, active)
            if not verdict.passed:
                return verdict
            regions += verdict.regions
        return Verdict(True, verdict.reason, regions) if regions else verdict

    def reset(self) -> None:
        """Reset every gate."""
        for gate in self._gates:
            gate.reset()
