"""One scale and zero point for each tensor that becomes int8, shared where operators demand it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce

import numpy as np

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator
from edge_agent.quantize.choose import Choice
from edge_agent.quantize.ranges import Parameters, Range
from edge_agent.quantize.rules import FIXED, TIED, WEIGHTED


def choose_parameters(
    graph: Graph, ranges: Mapping[int, Range], choice: Choice
) -> dict[int, Parameters]:
    """Parameters of every float32 tensor, constants too, that an int8 operator reads or writes.

    Tensors that a tied operator joins have the same. Those of an operator with a fixed output hold
    for all that is tied to it, unless something else comes in there as well: then the fixed output
    is rescaled.
    """
    operators = [graph.operators[place] for place in sorted(choice.quantized)]
    parent = {index: index for operator in operators for index in _real(operator, graph)}
    for operator in operators:
        if operator.name in TIED:
            first, *others = _real(operator, graph)
            for other in others:
                parent[_root(parent, other)] = _root(parent, first)
    groups: dict[int, list[int]] = {}
    for index in parent:
        groups.setdefault(_root(parent, index), []).append(index)
    writers = {index: operator for operator in operators for index in operator.outputs}
    return {
        index: found
        for members in groups.values()
        for found in [_of_group(members, writers, graph, ranges)]
        for index in members
    }


def _real(operator: Operator, graph: Graph) -> list[int]:
    """Its tensors of real numbers, without weights and biases."""
    inputs = operator.inputs[:1] if operator.name in WEIGHTED else operator.inputs
    indices = [index for index in (*inputs, *operator.outputs) if index != ABSENT]
    return [index for index in indices if graph.tensors[index].dtype == np.float32]


def _root(parent: Mapping[int, int], index: int) -> int:
    while parent[index] != index:
        index = parent[index]
    return index


def _of_group(
    members: list[int],
    writers: Mapping[int, Operator],
    graph: Graph,
    ranges: Mapping[int, Range],
) -> Parameters:
    sources = {_source(index, writers) for index in members} - {"tied"}
    if len(sources) == 1:
        (only,) = sources
        if only in FIXED:
            scale, zero = FIXED[only]
            return Parameters(np.float32(scale), zero)
    return Parameters.of(reduce(Range.joined, _ranges(members, graph, ranges)))


def _source(index: int, writers: Mapping[int, Operator]) -> str:
    """The kind of operator that a tensor's values come from; LOGISTIC and SOFTMAX are alike."""
    if index not in writers:
        return "outside"
    name = writers[index].name
    if name in TIED:
        return "tied"
    return "LOGISTIC" if FIXED.get(name) == FIXED["LOGISTIC"] else name


def _ranges(members: list[int], graph: Graph, ranges: Mapping[int, Range]) -> Iterator[Range]:
    for index in members:
        constant = graph.tensors[index].constant
        if constant is None:
            yield ranges[index]
        elif constant.size:
            yield Range(float(constant.min()), float(constant.max()))
