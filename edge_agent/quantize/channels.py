"""Which channels of which tensors belong together: those that one cut takes out of all of them.

A space is a set of channels that starts where a convolution or dense layer writes them, and goes
through every operator that leaves the last axis alone. An addition makes two spaces one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator
from edge_agent.quantize.rules import WEIGHTED

_NAMES = """
    AVERAGE_POOL_2D MAX_POOL_2D RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR RELU RELU6 RELU_N1_TO_1
    RELU_0_TO_1 LEAKY_RELU HARD_SWISH LOGISTIC TANH ELU PAD MIRROR_PAD RESHAPE SQUEEZE MEAN
"""
_KEEPING = frozenset(_NAMES.split())
_PAIRS = frozenset({"ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"})
MAKERS = frozenset({"CONV_2D", "FULLY_CONNECTED"})


@dataclass(slots=True)
class Spaces:
    """For each tensor the space of its last axis; spaces from which nothing may be taken.

    `repeats` tells how often the channels come one after another in a flattened tensor.
    """

    of: dict[int, int] = field(default_factory=dict)
    frozen: set[int] = field(default_factory=set)
    repeats: dict[int, int] = field(default_factory=dict)

    def root(self, index: int) -> int:
        """The space that a tensor belongs to."""
        while self.of[index] != index:
            index = self.of[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Two tensors have the same channels."""
        self.of.setdefault(first, first)
        self.of.setdefault(second, second)
        self.of[self.root(second)] = self.root(first)

    def freeze(self, *indices: int) -> None:
        """Nothing may be taken from these tensors."""
        for index in indices:
            self.of.setdefault(index, index)
            self.frozen.add(index)

    def cuttable(self) -> dict[int, list[int]]:
        """Tensors by space, without those of which one is frozen."""
        closed = {self.root(index) for index in self.frozen}
        found: dict[int, list[int]] = {}
        for index in self.of:
            if self.root(index) not in closed:
                found.setdefault(self.root(index), []).append(index)
        return found


def find_spaces(graph: Graph) -> Spaces:
    """The spaces of a float graph; whatever is not known keeps all of its channels."""
    spaces = Spaces()
    spaces.freeze(*graph.inputs)
    for operator in graph.operators:
        if not _follow(operator, graph, spaces):
            spaces.freeze(*(i for i in operator.inputs if _is_computed(graph, i)))
            spaces.freeze(*operator.outputs)
    spaces.freeze(*graph.outputs)
    return spaces


def _is_computed(graph: Graph, index: int) -> bool:
    return index != ABSENT and graph.tensors[index].constant is None


def _follow(operator: Operator, graph: Graph, spaces: Spaces) -> bool:
    """Note where the channels of an operator's output come from; False where that is not known."""
    name = operator.name
    if not operator.inputs or len(operator.outputs) != 1:
        return False
    if name in WEIGHTED:
        return _follow_weighted(operator, graph, spaces)
    if name in _PAIRS:
        return _follow_pair(operator, graph, spaces)
    return name in _KEEPING and _follow_one(operator, graph, spaces)


def _follow_weighted(operator: Operator, graph: Graph, spaces: Spaces) -> bool:
    x, y = operator.inputs[0], operator.outputs[0]
    if any(graph.tensors[i].constant is None for i in operator.inputs[1:] if i != ABSENT):
        return False
    if operator.name in MAKERS:
        spaces.of.setdefault(x, x)
        spaces.of.setdefault(y, y)
        return True
    if graph.tensors[x].shape[-1] != graph.tensors[y].shape[-1] or spaces.repeats.get(x, 1) > 1:
        return False
    spaces.join(x, y)
    return True


def _follow_pair(operator: Operator, graph: Graph, spaces: Spaces) -> bool:
    """Two tensors of one shape, or one and a constant with a number for each channel, or one."""
    a, b = operator.inputs[:2]
    y = operator.outputs[0]
    computed = [index for index in (a, b) if _is_computed(graph, index)]
    shapes = {graph.tensors[index].shape for index in (*computed, y)}
    if len(shapes) != 1 or any(spaces.repeats.get(index, 1) > 1 for index in computed):
        return False
    for index in (a, b):
        if index not in computed:
            size, channels = np.prod(graph.tensors[index].shape), graph.tensors[y].shape[-1]
            if size not in (1, channels):
                return False
    for index in computed:
        spaces.join(index, y)
    return True


def _follow_one(operator: Operator, graph: Graph, spaces: Spaces) -> bool:
    """The last axis stays, or a RESHAPE makes all axes one behind a batch of one."""
    x, y = operator.inputs[0], operator.outputs[0]
    before, after = graph.tensors[x].shape, graph.tensors[y].shape
    repeats = spaces.repeats.get(x, 1)
    if before[-1:] == after[-1:]:
        if operator.name == "MEAN" and _takes_last_axis(operator, graph):
            return False
        spaces.join(x, y)
        spaces.repeats[y] = repeats
        return True
    is_flat = len(after) == 2 and after[0] == 1 and after[1] == np.prod(before)
    if operator.name != "RESHAPE" or not is_flat or repeats > 1:
        return False
    spaces.join(x, y)
    spaces.repeats[y] = after[1] // before[-1]
    return True


def _takes_last_axis(operator: Operator, graph: Graph) -> bool:
    axes = graph.tensors[operator.inputs[1]].constant
    rank = len(graph.tensors[operator.inputs[0]].shape)
    return axes is None or rank - 1 in np.asarray(axes).reshape(-1) % rank


def makers(graph: Graph, spaces: Spaces) -> Mapping[int, list[Operator]]:
    """The operators with weights that write or carry each space."""
    found: dict[int, list[Operator]] = {}
    for operator in graph.operators:
        if operator.name in WEIGHTED and operator.outputs[0] in spaces.of:
            found.setdefault(spaces.root(operator.outputs[0]), []).append(operator)
    return found
