"""Real models for tests: the interpreter that is installed, and what it tells about the file."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.model import ModelInfo, Origin, TensorSpec


@dataclass
class LoadedModel:
    """An interpreter with its model, and the ModelInfo read from it."""

    interpreter: Any
    info: ModelInfo

    def input(self, index: int = 0) -> NDArray[Any]:
        """The input tensor itself, for writing in place."""
        tensor: NDArray[Any] = self.interpreter.tensor(
            self.interpreter.get_input_details()[index]["index"]
        )()
        return tensor

    def run(self) -> tuple[NDArray[Any], ...]:
        """Outputs in native dtypes; no view of an input may be alive."""
        self.interpreter.invoke()
        return tuple(
            self.interpreter.get_tensor(detail["index"])
            for detail in self.interpreter.get_output_details()
        )


def load_model(path: Path, labels: tuple[str, ...] | None = None) -> LoadedModel:
    """Open a model with one thread; `labels` replace those inside the file."""
    interpreter = _module().Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    outputs = interpreter.get_output_details()
    info = ModelInfo(
        path=path,
        sha256="",
        size=path.stat().st_size,
        description="",
        inputs=tuple(map(_spec, interpreter.get_input_details())),
        outputs=tuple(map(_spec, outputs)),
        origins=tuple(_origin(interpreter, detail["index"]) for detail in outputs),
        operators=tuple(op["op_name"] for op in _operators(interpreter)),
        labels=labels or _labels(path),
    )
    return LoadedModel(interpreter, info)


def read_labels(path: Path) -> tuple[str, ...]:
    """One label for each line of a file."""
    return tuple(path.read_text(encoding="utf-8").splitlines())


def make_info(
    outputs: Sequence[TensorSpec],
    origins: Sequence[Origin | None] | None = None,
    operators: Sequence[str] = (),
    inputs: Sequence[TensorSpec] = (),
    **more: Any,
) -> ModelInfo:
    """A model that exists on paper only."""
    return ModelInfo(
        path=Path("model.tflite"),
        sha256="",
        size=0,
        description="",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        origins=tuple(origins or [None] * len(outputs)),
        operators=tuple(operators),
        **more,
    )


def make_spec(
    shape: Sequence[int],
    dtype: str = "float32",
    scale: float | None = None,
    zero_point: int | None = None,
    name: str = "tensor",
) -> TensorSpec:
    """A tensor on paper; `zero_point` is 0 where only the scale is given."""
    if scale is not None and zero_point is None:
        zero_point = 0
    return TensorSpec(name, tuple(shape), np.dtype(dtype), scale, zero_point)


def _module() -> Any:
    try:
        return import_module("ai_edge_litert.interpreter")
    except ImportError:
        return import_module("tflite_runtime.interpreter")


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scales = detail["quantization_parameters"]["scales"]
    zeros = detail["quantization_parameters"]["zero_points"]
    return TensorSpec(
        detail["name"],
        tuple(int(side) for side in detail["shape"]),
        np.dtype(detail["dtype"]),
        float(scales[0]) if len(scales) else None,
        int(zeros[0]) if len(scales) else None,
    )


def _operators(interpreter: Any) -> list[dict[str, Any]]:
    return [op for op in interpreter._get_ops_details() if op["op_name"] != "DELEGATE"]


def _origin(interpreter: Any, tensor: int) -> Origin | None:
    for op in _operators(interpreter):
        if tensor in op["outputs"]:
            return Origin(op["op_name"], list(op["outputs"]).index(tensor))
    return None


def _labels(path: Path) -> tuple[str, ...] | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if "label" in name]
        return tuple(archive.read(names[0]).decode().splitlines()) if names else None
