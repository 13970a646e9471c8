"""From the checked model of a .tflite file to a program."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.engines.modelfile import graph as file
from edge_agent.engines.modelfile import open_model
from edge_agent.engines.modelfile.flexbuffer import decode_flexbuffer
from edge_agent.engines.numpy.npz import is_npz, read_npz
from edge_agent.engines.numpy.options import read_options
from edge_agent.engines.numpy.program import Graph, Operator, Option, Program, Tensor
from edge_agent.errors import ModelError

_RESOURCE = np.dtype("V")


def read_program(path: Path) -> Program:
    """The program of a model file in either format; raises ModelError."""
    return read_npz(path)[0] if is_npz(path) else read_tflite(path)


def read_tflite(path: Path) -> Program:
    """The program of a .tflite file; raises ModelError. A free batch is one."""
    model = open_model(path)
    graphs = tuple(_graph(graph, path.name) for graph in model.subgraphs)
    return Program(path.name, graphs)


def _graph(graph: file.Subgraph, name: str) -> Graph:
    tensors = tuple(_tensor(tensor, i, name) for i, tensor in enumerate(graph.tensors))
    operators = tuple(
        Operator(
            i,
            operator.name,
            operator.inputs,
            operator.outputs,
            _options(operator),
            operator.intermediates,
        )
        for i, operator in enumerate(graph.operators)
    )
    tensors = _with_detections(tensors, operators)
    return Graph(tensors, graph.inputs, graph.outputs, operators)


def _with_detections(
    tensors: tuple[Tensor, ...], operators: tuple[Operator, ...]
) -> tuple[Tensor, ...]:
    """Give outputs of detection operators their shapes: exporters leave them out of the file."""
    shaped = list(tensors)
    for operator in operators:
        if operator.name == "TFLite_Detection_PostProcess" and len(operator.outputs) == 4:
            count = operator.number("max_detections") * operator.number("max_classes_per_detection")
            shapes = ((1, count, 4), (1, count), (1, count), (1,))
            for index, shape in zip(operator.outputs, shapes, strict=True):
                shaped[index] = replace(shaped[index], shape=shape)
    return tuple(shaped)


def _tensor(tensor: file.Tensor, index: int, name: str) -> Tensor:
    if tensor.is_sparse:
        raise ModelError(f"{name}: tensor {index} is sparse", "export the model without sparsity")
    if 0 < tensor.type.bits < 8:
        raise ModelError(
            f"{name}: tensor {index} is of type {tensor.type.name}", "export it with 8 bits"
        )
    quantization = tensor.quantization
    shape = tensor.shape
    if tensor.signature and tensor.signature[0] == -1 and tensor.data is None:
        shape = (1, *shape[1:])
    return Tensor(
        index,
        tensor.name,
        shape,
        tensor.type.dtype if tensor.type.bits else _RESOURCE,
        # Copies, so that the file may go when its constants are planned.
        None if quantization is None else quantization.scale.copy(),
        None if quantization is None else quantization.zero_point.copy(),
        0 if quantization is None else quantization.dimension,
        tensor.constant() if tensor.data is not None and tensor.type.bits else None,
        tensor.is_variable,
    )


def _options(operator: file.Operator) -> dict[str, Option]:
    if operator.is_custom:
        decoded = (
            decode_flexbuffer(operator.custom_options, operator.name)
            if len(operator.custom_options)
            else {}
        )
        return decoded if isinstance(decoded, dict) else {}
    return read_options(operator.name, operator.options)
