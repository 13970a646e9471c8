"""Fewer operators, the same numbers: batch norm into weights, ReLU into what it follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Tensor
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.rules import WEIGHTED

Array = NDArray[Any]

_ACTIVATIONS = {"RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
_FUSING = frozenset({*WEIGHTED, "ADD", "SUB", "MUL"})


def fuse(graph: Graph) -> Graph:
    """The graph with every MUL, ADD, SUB and ReLU that fits moved into the operator before it."""
    while True:
        smaller = _Fuser(graph).once()
        if smaller is None:
            return graph
        graph = smaller


class _Fuser:
    """Looks at each operator that follows another one alone."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._tensors = list(graph.tensors)
        self._readers = Counter(i for op in graph.operators for i in op.inputs)
        self._readers.update(graph.outputs)
        self._writers = {index: op for op in graph.operators for index in op.outputs}

    def once(self) -> Graph | None:
        """The graph with one operator less, None where none can go."""
        for operator in self._graph.operators:
            changed = self._changed(operator)
            if changed is not None:
                return self._without(operator, changed)
        return None

    def _changed(self, operator: Operator) -> Operator | None:
        """What the operator before becomes when it takes this one in; None where it cannot."""
        if not operator.inputs:
            return None
        source, others = operator.inputs[0], operator.inputs[1:]
        if operator.name in ("MUL", "ADD") and source not in self._writers and others:
            source, others = others[0], (source,)
        before = self._writers.get(source)
        if before is None or self._readers[source] != 1 or before.options.get("activation"):
            return None
        if operator.name in _ACTIVATIONS and before.name in _FUSING:
            options = {**before.options, "activation": _ACTIVATIONS[operator.name]}
            return replace(before, options=options, outputs=operator.outputs)
        if operator.name not in ("MUL", "ADD", "SUB") or before.name not in WEIGHTED:
            return None
        return self._folded(before, operator, others[0])

    def _folded(self, before: Operator, operator: Operator, other: int) -> Operator | None:
        """Weights and bias of `before` with a row of numbers worked into them."""
        row = self._tensors[other].constant
        weights = self._tensors[before.inputs[1]]
        count = self._tensors[before.outputs[0]].shape[-1]
        bias = self._bias(before, count)
        if row is None or weights.constant is None or bias is None:
            return None
        is_row = row.size == 1 or row.shape[-1] == row.size == count
        before_shape = self._tensors[before.outputs[0]].shape
        if not is_row or self._tensors[operator.outputs[0]].shape != before_shape:
            return None
        values = np.broadcast_to(row.reshape(-1), (count,)).astype(np.float64)
        is_product = operator.name == "MUL"
        factor = values if is_product else np.ones(count)
        offset = np.zeros(count) if is_product else values * (-1 if operator.name == "SUB" else 1)
        along = [1] * len(weights.shape)
        along[WEIGHTED[before.name] or 0] = count
        inputs = (
            before.inputs[0],
            self._add(weights.name, weights.constant * factor.reshape(along)),
            self._add(f"{weights.name}_bias", bias * factor + offset),
        )
        options = {**before.options, "activation": operator.options.get("activation", 0)}
        return replace(before, inputs=inputs, outputs=operator.outputs, options=options)

    def _bias(self, operator: Operator, count: int) -> Array | None:
        if len(operator.inputs) < 3 or operator.inputs[2] == ABSENT:
            return np.zeros(count)
        return self._tensors[operator.inputs[2]].constant

    def _add(self, name: str, values: Array) -> int:
        whole = values.astype(np.float32)
        index = len(self._tensors)
        self._tensors.append(Tensor(index, name, whole.shape, whole.dtype, constant=whole))
        return index

    def _without(self, gone: Operator, changed: Operator) -> Graph:
        draft = Draft()
        draft.tensors = self._tensors
        draft.operators = [
            changed if operator.index == changed.index else operator
            for operator in self._graph.operators
            if operator.index != gone.index
        ]
        return draft.finish(self._graph.inputs, self._graph.outputs)
