"""The model as the planner sees it: graphs of tensors and operators, constants as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.model import TensorSpec

Option = int | float | bool | str | tuple[int, ...]

ABSENT = -1
"""Index of an optional input that is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """A tensor; `constant` holds its values in the native dtype, None where it is computed.

    `scale` and `zero_point` have one element, or one for each index of `dimension`; None where it
    is not quantised. A resource or text has dtype "V".
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: NDArray[np.float32] | None = None
    zero_point: NDArray[np.int64] | None = None
    dimension: int = 0
    constant: NDArray[Any] | None = None
    is_variable: bool = False

    @property
    def is_quantized(self) -> bool:
        """Whether it holds 8-bit numbers that stand for real ones."""
        return self.scale is not None and self.dtype in (np.int8, np.uint8)

    @property
    def zero(self) -> int:
        """Zero point of a tensor that is quantised as a whole."""
        assert self.zero_point is not None
        return int(self.zero_point[0])

    @property
    def step(self) -> np.float32:
        """Scale of a tensor that is quantised as a whole."""
        assert self.scale is not None
        return np.float32(self.scale[0])

    @property
    def limits(self) -> tuple[int, int]:
        """Lowest and highest of its numbers, less the zero point."""
        info = np.iinfo(self.dtype)
        return info.min - self.zero, info.max - self.zero

    def spec(self) -> TensorSpec:
        """What users of the engine see."""
        scale: Any = self.scale
        zero: Any = self.zero_point
        if scale is not None and scale.size == 1:
            scale, zero = float(scale[0]), int(zero[0])
        return TensorSpec(self.name, self.shape, self.dtype, scale, zero)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One step: `index` is its place in the graph, tensors are given by index, ABSENT for none."""

    index: int
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, Option]
    intermediates: tuple[int, ...] = ()
    """Tensors that hold no numbers, only the scales of steps inside the operator."""

    def number(self, name: str) -> int:
        """A whole number among the options, 0 where it is not there."""
        value = self.options.get(name, 0)
        if not isinstance(value, int):
            raise TypeError(f"option {name} of {self.name} is {value!r}")
        return int(value)


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A graph in order of execution."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A whole model: the first graph runs, CALL_ONCE runs another one before the first time."""

    name: str
    graphs: tuple[Graph, ...]

    @property
    def main(self) -> Graph:
        """The graph that runs."""
        return self.graphs[0]
