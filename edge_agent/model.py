"""What a model is: its tensors, operators and what its maker wrote inside the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """An input or output tensor: `real = scale * (quantised - zero_point)`.

    `scale` and `zero_point` are None when not quantised, numbers when per tensor, arrays when
    per channel. A dimension that is not fixed is -1.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float | NDArray[np.float32] | None = None
    zero_point: int | NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """The operator that makes an output tensor, and which of its outputs it is."""

    operator: str
    slot: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Everything known of a model file without running it.

    `operators` are the operators in graph order by TFLite name (custom ones by their own);
    `origins` stands beside `outputs`; `custom_options` holds the decoded options of each custom
    operator by name; `labels` are those found inside the file; `metadata` is what its maker wrote
    there (for example `task`, `imgsz`, `mean`, `std`, each by its lower-case name). Where it
    `has_variables`, tensors of its own keep their values from run to run.
    """

    path: Path
    sha256: str
    size: int
    description: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    origins: tuple[Origin | None, ...]
    operators: tuple[str, ...]
    labels: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    custom_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    has_variables: bool = False

    @property
    def remembers(self) -> bool:
        """Whether the model keeps what it was given before in variables of its own.

        Those are resources, or tensors as SVDF and the LSTMs have them.
        """
        return self.has_variables or "VAR_HANDLE" in self.operators


def dequantize(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real numbers of a tensor in its native dtype, float32 of the same shape."""
    if spec.scale is None or spec.zero_point is None:
        return values.astype(np.float32)
    centred = values.astype(np.int32) - np.asarray(spec.zero_point, np.int32)
    real: NDArray[np.float32] = centred.astype(np.float32) * np.float32(spec.scale)
    return real
