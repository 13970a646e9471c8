"""Gates: which frames are worth inferring."""

from __future__ import annotations

from edge_agent.gates.base import Gate
from edge_agent.registry import Registry

GATES: Registry[Gate] = Registry(
    "edge_agent.gates",
    {
        "motion": "edge_agent.gates.motion:MotionGate",
        "rate": "edge_agent.gates.rate:RateGate",
        "schedule": "edge_agent.gates.schedule:ScheduleGate",
    },
)

__all__ = ["GATES", "Gate"]
