"""A graph while it is being made: tensors and operators are appended, then numbered anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Option, Tensor

Array = NDArray[Any]


class Draft:
    """Collects what becomes a `Graph`; indices are those of `tensors` until it is finished."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.places: dict[int, int] = {}
        """Once finished, the final index of each tensor that is used."""

    def tensor(self, name: str, shape: Sequence[int], dtype: Any = np.float32) -> int:
        """Append a tensor that some operator computes; returns its index."""
        return self.add(Tensor(0, name, tuple(map(int, shape)), np.dtype(dtype)))

    def constant(self, name: str, values: Array) -> int:
        """Append a constant in its own dtype; returns its index."""
        array = np.ascontiguousarray(values).reshape(np.shape(values))
        return self.add(Tensor(0, name, array.shape, array.dtype, constant=array))

    def add(self, tensor: Tensor) -> int:
        """Append a tensor as it is, with the next index; returns it."""
        self.tensors.append(replace(tensor, index=len(self.tensors)))
        return len(self.tensors) - 1

    def apply(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        options: Mapping[str, Option] | None = None,
    ) -> None:
        """Append an operator."""
        place = len(self.operators)
        self.operators.append(Operator(place, name, tuple(inputs), tuple(outputs), options or {}))

    def finish(self, inputs: Sequence[int], outputs: Sequence[int]) -> Graph:
        """The graph without the tensors that nothing uses; numbers its tensors anew."""
        used = {index for op in self.operators for index in (*op.inputs, *op.outputs)}
        used |= {index for op in self.operators for index in op.intermediates}
        used |= {*inputs, *outputs}
        kept = [tensor for tensor in self.tensors if tensor.index in used]
        self.places = {tensor.index: i for i, tensor in enumerate(kept)}
        place = self.places | {ABSENT: ABSENT}

        def renumbered(indices: Sequence[int]) -> tuple[int, ...]:
            return tuple(place[index] for index in indices)

        operators = [
            replace(
                op,
                index=i,
                inputs=renumbered(op.inputs),
                outputs=renumbered(op.outputs),
                intermediates=renumbered(op.intermediates),
            )
            for i, op in enumerate(self.operators)
        ]
        tensors = tuple(replace(tensor, index=place[tensor.index]) for tensor in kept)
        return Graph(tensors, renumbered(inputs), renumbered(outputs), tuple(operators))
