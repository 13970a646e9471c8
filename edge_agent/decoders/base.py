"""What every decoder offers, and the helpers they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec, dequantize
from edge_agent.result import Kind, Result


class Decoder(Protocol):
    """Turns the outputs of one model into results.

    `note` tells what the constructor decided beyond the options (say, a label row left out), else
    it is empty. `Options` is the dataclass of its options.
    """

    name: str
    kind: Kind
    note: str
    Options: ClassVar[type[Any]]

    def __init__(self, info: ModelInfo, labels: tuple[str, ...] | None, options: Any) -> None:
        """Raise ModelError with the cure where the model or its labels do not fit."""

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """Why this decoder fits the model, in words; None where it does not."""

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Result, ...]:
        """Results with a score of at least `threshold`, best first.

        `outputs` are the model's tensors in its order and native dtypes, valid only during the
        call. Boxes are 0..1 of the frame, clipped to it.
        """


def real_values(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real numbers of an output as a flat array; not copied where it is float32 already."""
    if values.dtype == np.float32 and spec.scale is None:
        return values.reshape(-1)
    return dequantize(values, spec).reshape(-1)


def real_range(spec: TensorSpec) -> tuple[float, float] | None:
    """Smallest and largest real number that the tensor can hold; None where not quantised."""
    if spec.scale is None or spec.zero_point is None or spec.dtype.kind not in "iu":
        return None
    limits = np.iinfo(spec.dtype)
    ends = dequantize(np.array([limits.min, limits.max], spec.dtype).reshape(2, 1), spec)
    return float(ends.min()), float(ends.max())
