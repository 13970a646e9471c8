"""The model format `.npz`: a program with its arrays in NumPy's own container, without pickles.

The array `program` holds UTF-8 JSON (see docs/numpy-engine.md); every constant, scale and zero
point is an array of its own, named by graph and tensor. Arrays are stored, not compressed, so that
their bytes are those of the .tflite file that they came from.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Option, Program, Tensor
from edge_agent.errors import ModelError

FORMAT = "edge-agent/model/1"

_MAGIC = b"PK\x03\x04"
_MAX_BYTES = 512 << 20  # of all arrays together
_MAX_TENSORS = 100_000
_MAX_RANK = 16
_MAX_TENSOR_BYTES = 256 << 20
_CURE = "convert the model again: edge-agent convert MODEL.tflite MODEL.npz"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the maker of the model wrote beside it."""

    description: str
    labels: tuple[str, ...] | None
    metadata: Mapping[str, Any]


def is_npz(path: Path) -> bool:
    """Whether the file is an archive that holds a program; a .zip of something else is none."""
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                return False
        with zipfile.ZipFile(path) as archive:
            return "program.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def write_npz(program: Program, notes: Notes, file: BinaryIO) -> None:
    """Write a program and its notes."""
    arrays: dict[str, NDArray[Any]] = {}
    graphs = [_graph_to_json(graph, f"g{i}", arrays) for i, graph in enumerate(program.graphs)]
    head = {
        "format": FORMAT,
        "name": program.name,
        "description": notes.description,
        "labels": notes.labels,
        "metadata": dict(notes.metadata),
        "graphs": graphs,
    }
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    np.savez(file, program=text, **arrays)  # type: ignore[arg-type]


def _graph_to_json(graph: Graph, prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    for tensor in graph.tensors:
        for kind in ("constant", "scale", "zero_point"):
            values = getattr(tensor, kind)
            if values is not None:
                arrays[f"{prefix}_t{tensor.index}_{kind}"] = values
    return {
        "tensors": [
            {
                "name": tensor.name,
                "shape": tensor.shape,
                "dtype": tensor.dtype.str,
                "dimension": tensor.dimension,
                "is_variable": tensor.is_variable,
            }
            for tensor in graph.tensors
        ],
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "operators": [
            {
                "name": operator.name,
                "inputs": operator.inputs,
                "outputs": operator.outputs,
                "intermediates": operator.intermediates,
                "options": dict(operator.options),
            }
            for operator in graph.operators
        ],
    }


def read_npz(path: Path) -> tuple[Program, Notes]:
    """The program of a file and its notes; raises ModelError that says what is wrong."""
    try:
        arrays = _read_arrays(path)
        head = _head(arrays)
        graphs = tuple(
            _Reader(arrays, f"g{i}").graph(graph) for i, graph in enumerate(head["graphs"])
        )
        labels = head["labels"]
        notes = Notes(
            str(head["description"]),
            None if labels is None else tuple(map(str, labels)),
            dict(head["metadata"]),
        )
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError, zipfile.BadZipFile) as error:
        what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ModelError(f"{path} is damaged or not supported: {what}", _CURE) from error
    return Program(path.name, graphs), notes


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays, once their sizes are known to be sane."""
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
        if total > _MAX_BYTES:
            raise ValueError(f"{total} bytes of arrays (at most {_MAX_BYTES})")
    with np.load(path, allow_pickle=False) as loaded:
        return {name: loaded[name] for name in loaded.files}


def _head(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    head: dict[str, Any] = json.loads(arrays["program"].tobytes())
    if head["format"] != FORMAT:
        raise ValueError(f"format {head['format']!r}, this version reads {FORMAT}")
    if not head["graphs"]:
        raise ValueError("there is no graph in it")
    return head


class _Reader:
    """Builds one graph, checking every number on which the planner relies."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], prefix: str) -> None:
        self._arrays = arrays
        self._prefix = prefix

    def graph(self, graph: Mapping[str, Any]) -> Graph:
        tensors = tuple(self._tensor(i, entry) for i, entry in enumerate(graph["tensors"]))
        if len(tensors) > _MAX_TENSORS:
            raise ValueError(f"{len(tensors)} tensors")
        count = len(tensors)
        operators = tuple(
            Operator(
                i,
                str(entry["name"]),
                _indices(entry["inputs"], count, ABSENT),
                _indices(entry["outputs"], count, 0),
                {str(name): _option(value) for name, value in entry["options"].items()},
                _indices(entry["intermediates"], count, ABSENT),
            )
            for i, entry in enumerate(graph["operators"])
        )
        inputs = _indices(graph["inputs"], count, 0)
        outputs = _indices(graph["outputs"], count, 0)
        built = Graph(tensors, inputs, outputs, operators)
        _check_order(built)
        return built

    def _tensor(self, index: int, entry: Mapping[str, Any]) -> Tensor:
        shape = tuple(int(side) for side in entry["shape"])
        dtype = np.dtype(entry["dtype"])
        where = f"tensor {index}"
        if len(shape) > _MAX_RANK or any(side < 0 for side in shape) or dtype.kind not in "biufcV":
            raise ValueError(f"{where} of shape {shape} and type {dtype}")
        if math.prod(shape) * max(dtype.itemsize, 1) > _MAX_TENSOR_BYTES:
            raise ValueError(f"{where} of shape {shape} is larger than {_MAX_TENSOR_BYTES} bytes")
        constant = self._array(index, "constant")
        if constant is not None and (constant.shape != shape or constant.dtype != dtype):
            raise ValueError(f"{where} is {dtype} of shape {shape}, its constant is not")
        scale, zero_point = self._array(index, "scale"), self._array(index, "zero_point")
        dimension = int(entry["dimension"])
        _check_quantization(where, shape, scale, zero_point, dimension)
        return Tensor(
            index, str(entry["name"]), shape, dtype, scale, zero_point, dimension, constant,
            bool(entry["is_variable"]),
        )  # fmt: skip

    def _array(self, index: int, kind: str) -> NDArray[Any] | None:
        return self._arrays.get(f"{self._prefix}_t{index}_{kind}")


def _check_quantization(
    where: str,
    shape: tuple[int, ...],
    scale: NDArray[Any] | None,
    zero_point: NDArray[Any] | None,
    dimension: int,
) -> None:
    if scale is None and zero_point is None:
        return
    if scale is None or zero_point is None or scale.shape != zero_point.shape or not scale.size:
        raise ValueError(f"{where}: scale and zero point do not fit each other")
    if scale.dtype != np.float32 or zero_point.dtype != np.int64 or scale.ndim != 1:
        raise ValueError(f"{where}: scales are {scale.dtype}, zero points {zero_point.dtype}")
    if not np.isfinite(scale).all() or (scale < 0.0).any():
        raise ValueError(f"{where}: a scale is negative or not a number")
    per_channel = scale.size > 1
    if per_channel and not (0 <= dimension < len(shape) and shape[dimension] == scale.size):
        raise ValueError(f"{where}: {scale.size} scales for dimension {dimension} of {shape}")


def _indices(values: Any, count: int, lowest: int) -> tuple[int, ...]:
    indices = tuple(int(value) for value in values)
    if any(not lowest <= index < count for index in indices):
        raise ValueError(f"tensor indices {indices}, there are {count} tensors")
    return indices


def _option(value: Any) -> Option:
    if isinstance(value, list):
        return tuple(int(item) for item in value)
    if isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"option {value!r} is neither number nor text")


def _check_order(graph: Graph) -> None:
    """Every tensor must hold a value before it is read."""
    ready = {t.index for t in graph.tensors if t.constant is not None or t.is_variable}
    ready |= {t.index for t in graph.tensors if not math.prod(t.shape)} | set(graph.inputs)
    for operator in graph.operators:
        unready = [i for i in operator.inputs if i != ABSENT and i not in ready]
        if unready:
            raise ValueError(f"{operator.name} reads tensor {unready[0]} before anything writes it")
        ready |= set(operator.outputs)
    if not set(graph.outputs) <= ready:
        raise ValueError("nothing writes one of its outputs")
