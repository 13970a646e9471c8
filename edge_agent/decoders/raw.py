"""The outputs as they are, for models that no decoder understands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec, dequantize
from edge_agent.options import Options
from edge_agent.result import Kind, RawOutput


@dataclass(frozen=True, slots=True)
class RawOptions(Options):
    """Raw outputs have no options."""


class RawDecoder:
    """Gives every output tensor as real numbers; whole numbers that mean themselves stay so."""

    name = "raw"
    kind: Kind = "raw"
    note = ""
    Options: ClassVar[type[RawOptions]] = RawOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: RawOptions
    ) -> None:
        del labels, options
        self._specs = info.outputs

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """Fits every model."""
        return f"{len(info.outputs)} outputs as plain numbers"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[RawOutput, ...]:
        """A copy of every output, whatever the threshold."""
        del mapping, threshold
        return tuple(
            RawOutput(spec.name, _real(values, spec))
            for spec, values in zip(self._specs, outputs, strict=True)
        )


def _real(values: NDArray[Any], spec: TensorSpec) -> NDArray[Any]:
    return np.array(values) if spec.scale is None else dequantize(values, spec)
