"""What a model keeps from run to run: resource variables.

They hold 8-bit numbers with their zero point, as TFLite does: who reads may have another one.
"""

from __future__ import annotations

import numpy as np

from edge_agent.engines.numpy.operators.moving import zero_of
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor


def plan_call_once(operator: Operator, plan: Plan) -> None:
    """Nothing at run time: the engine runs the graph at the start."""


def plan_var_handle(operator: Operator, plan: Plan) -> None:
    """The output stands for a resource of that name, in whichever graph it is used."""
    names = operator.options.get("container", ""), operator.options.get("shared_name", "")
    plan.resources[operator.outputs[0]] = "/".join(map(str, names))


def plan_read_variable(operator: Operator, plan: Plan) -> None:
    """A copy: the resource may be assigned while the output is still in use."""
    y = plan.output(operator)
    kept = _resource(operator, plan, y)
    if zero_of(y):
        plan.call(np.subtract, kept, np.float32(zero_of(y)), plan.array(y))
    else:
        plan.call(np.copyto, plan.array(y), kept)


def plan_assign_variable(operator: Operator, plan: Plan) -> None:
    """From now on, this is what the resource holds."""
    x = plan.input(operator, 1)
    kept = _resource(operator, plan, x)
    if zero_of(x):
        plan.call(np.add, plan.array(x), np.float32(zero_of(x)), kept)
    else:
        plan.call(np.copyto, kept, plan.array(x))


def _resource(operator: Operator, plan: Plan, tensor: Tensor) -> Array:
    handle = plan.input(operator, 0)
    if handle.index not in plan.resources:
        raise Unsupported(f"tensor {handle.index} stands for no resource of this graph")
    like = np.empty(tensor.shape, plan.array(tensor).dtype)
    kept = plan.variables.array(plan.resources[handle.index], like)
    if kept.shape != like.shape or kept.dtype != like.dtype:
        raise Unsupported(f"a resource of shape {kept.shape} used as one of {like.shape}")
    return kept


PLANNERS = {
    "CALL_ONCE": plan_call_once,
    "VAR_HANDLE": plan_var_handle,
    "READ_VARIABLE": plan_read_variable,
    "ASSIGN_VARIABLE": plan_assign_variable,
}
