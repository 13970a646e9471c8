"""One planner per operator: it checks what it can run and writes its calls into the plan.

A planner is a function `(operator, plan) -> None` in the module of its kind; `PLANNERS` names them
all. It raises `Unsupported` with the reason for what it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_agent.engines.numpy.operators import (
    activations,
    convolution,
    detection,
    elementwise,
    gathering,
    joining,
    lstm,
    pooling,
    quantizing,
    reduction,
    resize,
    shaping,
    slicing,
    softmax,
    spectral,
    svdf,
    variables,
)
from edge_agent.engines.numpy.plan import Plan
from edge_agent.engines.numpy.program import Operator

Planner = Callable[[Operator, Plan], None]

PLANNERS: Mapping[str, Planner] = {
    **activations.PLANNERS,
    **convolution.PLANNERS,
    **detection.PLANNERS,
    **elementwise.PLANNERS,
    **gathering.PLANNERS,
    **joining.PLANNERS,
    **lstm.PLANNERS,
    **pooling.PLANNERS,
    **quantizing.PLANNERS,
    **reduction.PLANNERS,
    **resize.PLANNERS,
    **shaping.PLANNERS,
    **slicing.PLANNERS,
    **softmax.PLANNERS,
    **spectral.PLANNERS,
    **svdf.PLANNERS,
    **variables.PLANNERS,
}
"""Planners by the TFLite name of the operator."""
