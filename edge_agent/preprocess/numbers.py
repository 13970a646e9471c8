"""From real numbers to the numbers of a model's input tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import InferenceError, SignalMismatch
from edge_agent.model import TensorSpec

Array = NDArray[Any]


def native_values(values: Array, spec: TensorSpec) -> Array:
    """Values in the input's own dtype, quantised where the input is; raises InferenceError."""
    if values.dtype == spec.dtype or spec.dtype.kind == "f":
        return values
    if isinstance(spec.scale, float) and spec.zero_point is not None:
        values = np.rint(values / np.float64(spec.scale)) + spec.zero_point
        limits = np.iinfo(spec.dtype)
        values = np.clip(values, limits.min, limits.max)  # NaN stays and is found below
    with np.errstate(invalid="ignore"):
        native = values.astype(spec.dtype)
    if (native != values).any():
        raise InferenceError(
            f"its numbers are not all {spec.dtype}, which {text_of(spec)} takes",
            "give whole numbers in its range" if spec.scale is None else "give numbers, not NaN",
        )
    return native


class NumberWriter:
    """Fills an input tensor with the numbers of one window or text, in their order.

    Numbers in the tensor's own dtype go in as they are, real ones are quantised where it is.
    """

    def __init__(self, spec: TensorSpec) -> None:
        self._spec = spec
        self._shape = shape_of(spec)
        self._count = int(np.prod(self._shape))

    def write(self, values: Array, tensor: Array) -> None:
        """Fill `tensor`; raises SignalMismatch for another count of numbers than it has."""
        if values.size != self._count:
            raise SignalMismatch(
                f"a window of {values.size} numbers ({'x'.join(map(str, values.shape))}) does not "
                f"fit {text_of(self._spec)}",
                "set window and features so that each window has as many numbers",
            )
        tensor[...] = native_values(values, self._spec).reshape(tensor.shape)


def shape_of(spec: TensorSpec) -> tuple[int, ...]:
    """Shape of one run: a free batch is one."""
    return tuple(1 if side < 0 else side for side in spec.shape)


def text_of(spec: TensorSpec) -> str:
    """What is expected, for people."""
    shape = "x".join("?" if side < 0 else str(side) for side in spec.shape) or "1 number"
    quantised = isinstance(spec.scale, float)
    real = f", real = {spec.scale:.6g} * (q - {spec.zero_point})" if quantised else ""
    return f"input {spec.name!r} ({spec.dtype} {shape}{real})"
