"""Which operators become int8, which stay, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator
from edge_agent.errors import UsageError
from edge_agent.quantize.rules import QUANTIZABLE, WEIGHTED


@dataclass(frozen=True, slots=True)
class Choice:
    """Places of the operators that become int8; of those that stay float32, with the reason."""

    quantized: frozenset[int]
    kept: Mapping[int, str]


def choose(graph: Graph, keep_float: Sequence[str] = ()) -> Choice:
    """Everything that can be int8, but for what the user keeps.

    Raises UsageError where a name of `keep_float` fits no operator.
    """
    asked = _asked(graph, keep_float)
    quantized, kept = set(), {}
    for operator in graph.operators:
        reason = "asked for" if operator.index in asked else _obstacle(operator, graph)
        if reason is None:
            quantized.add(operator.index)
        elif _is_real(operator, graph):
            kept[operator.index] = reason
    return Choice(frozenset(quantized), kept)


def place_of(operator: Operator, graph: Graph) -> str:
    """How an operator is named to people: its place, kind and output."""
    output = graph.tensors[operator.outputs[0]].name if operator.outputs else "nothing"
    return f"operator {operator.index} ({operator.name}, {output})"


def _asked(graph: Graph, keep_float: Sequence[str]) -> set[int]:
    asked = set()
    for name in keep_float:
        found = {
            operator.index
            for operator in graph.operators
            if name in (operator.name, str(operator.index))
            or any(graph.tensors[index].name == name for index in operator.outputs)
        }
        if not found:
            raise UsageError(
                f"no operator is called {name!r}",
                "give a TFLite name such as SOFTMAX, a place, or the name of an output",
            )
        asked |= found
    return asked


def _is_real(operator: Operator, graph: Graph) -> bool:
    """Whether it computes real numbers at all."""
    return any(graph.tensors[index].dtype == np.float32 for index in operator.outputs)


def _obstacle(operator: Operator, graph: Graph) -> str | None:
    """Why an operator cannot be int8, None where it can."""
    if operator.name not in QUANTIZABLE:
        return "there is no int8 form of it here"
    tensors = [
        graph.tensors[index] for index in (*operator.inputs, *operator.outputs) if index >= 0
    ]
    if not _is_real(operator, graph):
        return "it computes no real numbers"
    if operator.name in WEIGHTED:
        more = [graph.tensors[index] for index in operator.inputs[1:] if index != ABSENT]
        if any(tensor.constant is None for tensor in more):
            return "its weights are not constant"
        if graph.tensors[operator.inputs[0]].constant is not None:
            return "its input is constant"
    if any(tensor.is_variable for tensor in tensors):
        return "it keeps a state"
    return None
