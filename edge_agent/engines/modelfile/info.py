"""Everything known of a model file without running it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edge_agent.engines.modelfile.archive import appended_texts
from edge_agent.engines.modelfile.files import read_model_file
from edge_agent.engines.modelfile.flexbuffer import decode_flexbuffer
from edge_agent.engines.modelfile.graph import Model, Operator
from edge_agent.engines.modelfile.metadata import read_notes
from edge_agent.engines.modelfile.parse import parse_model
from edge_agent.engines.modelfile.schema import BUILTIN_OPERATORS
from edge_agent.engines.numpy import program
from edge_agent.engines.numpy.npz import is_npz, read_npz
from edge_agent.errors import ModelError
from edge_agent.model import ModelInfo, Origin

_MAX_CUSTOM_OPTIONS = 64 << 10


def open_model(path: Path) -> Model:
    """The checked graph of a .tflite file; its constants are views of the bytes that were read.

    Raises ModelError that says what is wrong, where, and what to do.
    """
    return parse_model(memoryview(read_model_file(path)), str(path))


def read_model_info(path: Path) -> ModelInfo:
    """Tensors, operators, labels and metadata of a .tflite file; raises ModelError.

    A first dimension that is free is given as 1, the batch that engines run. A model in the numpy
    engine's own format is read as well.
    """
    if is_npz(path):
        return _npz_info(path)
    data = memoryview(read_model_file(path))
    model = parse_model(data, str(path))
    notes = read_notes(model.metadata, appended_texts(path, data), str(path))
    main = model.main
    return ModelInfo(
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        description=model.description,
        inputs=tuple(main.tensors[index].spec() for index in main.inputs),
        outputs=tuple(main.tensors[index].spec() for index in main.outputs),
        origins=_origins(main.operators, main.outputs),
        operators=tuple(operator.name for operator in model.operators()),
        labels=notes.labels,
        metadata=notes.values,
        custom_options=_custom_options(model),
        has_variables=model.has_variables,
    )


def _npz_info(path: Path) -> ModelInfo:
    loaded, notes = read_npz(path)
    main = loaded.main
    content = path.read_bytes()
    return ModelInfo(
        path=path,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        description=notes.description,
        inputs=tuple(main.tensors[index].spec() for index in main.inputs),
        outputs=tuple(main.tensors[index].spec() for index in main.outputs),
        origins=_origins(main.operators, main.outputs),
        operators=tuple(op.name for graph in loaded.graphs for op in graph.operators),
        labels=notes.labels,
        metadata=notes.metadata,
        custom_options={
            op.name: op.options for op in main.operators if op.name not in BUILTIN_OPERATORS
        },
        has_variables=any(t.is_variable for graph in loaded.graphs for t in graph.tensors),
    )


def _origins(
    operators: Iterable[Operator | program.Operator], outputs: Iterable[int]
) -> tuple[Origin | None, ...]:
    """Which operator makes each output, None where it is an input or a constant."""
    origins = {
        index: Origin(operator.name, slot)
        for operator in operators
        for slot, index in enumerate(operator.outputs)
    }
    return tuple(origins.get(index) for index in outputs)


def _custom_options(model: Model) -> dict[str, Mapping[str, Any]]:
    """Options of custom operators as far as they are a FlexBuffers map; others are their own."""
    found: dict[str, Mapping[str, Any]] = {}
    for operator in model.operators():
        data = operator.custom_options
        if not operator.is_custom or not 0 < len(data) <= _MAX_CUSTOM_OPTIONS:
            continue
        try:
            options = decode_flexbuffer(data, operator.name)
        except ModelError:
            continue
        if isinstance(options, dict):
            found.setdefault(operator.name, options)
    return found
