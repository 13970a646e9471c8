"""Cross-layer equalisation: channels between two layers get weights of like ranges.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019. A
channel that is made s times smaller by one layer and s times larger by the next leaves the model as
it is, as long as nothing, or ReLU, stands between them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Program
from edge_agent.quantize.rules import WEIGHTED

Array = NDArray[Any]

_ROUNDS = 10
_MOST = 1e3  # by which a channel is scaled at once
_SCALABLE = (0, 1)  # activations: none, ReLU


def equalize(program: Program) -> Program:
    """The same model with evened out weights; layers of other kinds are left as they are."""
    graph = program.main
    pairs = list(_pairs(graph))
    constants: dict[int, Array] = {}
    for first, second in pairs:
        for index in (*first.inputs[1:], *second.inputs[1:]):
            tensor = graph.tensors[index]
            if tensor.constant is not None:
                constants[index] = tensor.constant.astype(np.float64)
    for _ in range(_ROUNDS if pairs else 0):
        for first, second in pairs:
            _even_out(constants, first, second)
    tensors = tuple(
        replace(tensor, constant=constants[tensor.index].astype(np.float32))
        if tensor.index in constants
        else tensor
        for tensor in graph.tensors
    )
    return Program(program.name, (replace(graph, tensors=tensors),))


def _pairs(graph: Graph) -> Iterator[tuple[Operator, Operator]]:
    """Layers that follow each other alone, with weights that nobody else uses."""
    readers = Counter(index for operator in graph.operators for index in operator.inputs)
    readers.update(graph.outputs)
    writers = {index: operator for operator in graph.operators for index in operator.outputs}
    for second in graph.operators:
        first = writers.get(second.inputs[0]) if second.inputs else None
        if first is None or second.name not in WEIGHTED or first.name not in WEIGHTED:
            continue
        own = all(readers[i] == 1 for op in (first, second) for i in op.inputs[1:] if i != ABSENT)
        is_alone = readers[second.inputs[0]] == 1 and own
        if is_alone and first.options.get("activation", 0) in _SCALABLE and _fits(graph, second):
            yield first, second


def _fits(graph: Graph, second: Operator) -> bool:
    """Whether each channel that comes in has weights of its own, which are constants."""
    weights = graph.tensors[second.inputs[1]]
    channels = graph.tensors[second.inputs[0]].shape[-1]
    return weights.constant is not None and weights.shape[-1] == channels


def _even_out(constants: dict[int, Array], first: Operator, second: Operator) -> None:
    w1, w2 = constants[first.inputs[1]], constants[second.inputs[1]]
    axis = WEIGHTED[first.name] or 0
    others = tuple(i for i in range(w1.ndim) if i != axis)
    given = np.abs(w1).max(axis=others)
    taken = np.abs(w2).max(axis=tuple(range(w2.ndim - 1)))
    is_live = (given > 0) & (taken > 0)
    scale = np.where(is_live, np.sqrt(given / np.where(is_live, taken, 1.0)), 1.0)
    scale = np.clip(np.where(is_live, scale, 1.0), 1 / _MOST, _MOST)
    along = [1] * w1.ndim
    along[axis] = scale.size
    constants[first.inputs[1]] = w1 / scale.reshape(along)
    if len(first.inputs) > 2 and first.inputs[2] != ABSENT:
        constants[first.inputs[2]] = constants[first.inputs[2]] / scale
    constants[second.inputs[1]] = w2 * scale
