"""Checks a float model, and works out what need not be computed at run time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edge_agent.engines.numpy.program import Graph, Operator, Program, Tensor
from edge_agent.errors import ModelError
from edge_agent.quantize.choose import place_of
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.fuse import fuse


def check(program: Program) -> None:
    """Raise ModelError where a program is no float32 model that can be quantised."""
    if len(program.graphs) > 1:
        raise ModelError(
            f"{program.name} has {len(program.graphs)} graphs: it keeps a state between runs",
            "only models of one graph can be quantised",
        )
    graph = program.main
    for operator in graph.operators:
        _check_constants(program.name, operator, graph)
    if not any(graph.tensors[i].dtype == np.float32 for i in graph.inputs):
        raise ModelError(f"{program.name} takes no real numbers", "give a float32 model")


def _check_constants(name: str, operator: Operator, graph: Graph) -> None:
    where = place_of(operator, graph)
    for index in (*operator.inputs, *operator.outputs):
        tensor = graph.tensors[index] if index >= 0 else None
        if tensor is None:
            continue
        if tensor.is_quantized:
            raise ModelError(
                f"{name} is quantised already: {where} has {tensor.dtype} in {tensor.name!r}",
                "give the float model that it was made from",
            )
        values = tensor.constant
        if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelError(
                f"{name}: {tensor.name!r} of {where} holds NaN or infinity", "train it again"
            )
        if tensor.is_variable:
            raise ModelError(f"{name}: {where} keeps a state between runs")


def simplify(program: Program) -> Program:
    """The same model with fewer operators."""
    return Program(program.name, (fuse(_without_float16(program.main)),))


def _without_float16(graph: Graph) -> Graph:
    """Weights that are stored in float16 and widened at run time are float32 from the start."""
    widened: dict[int, Tensor] = {}
    kept = []
    for operator in graph.operators:
        source = graph.tensors[operator.inputs[0]] if operator.inputs else None
        if operator.name == "DEQUANTIZE" and source is not None and source.constant is not None:
            target = graph.tensors[operator.outputs[0]]
            widened[target.index] = replace(target, constant=source.constant.astype(np.float32))
        else:
            kept.append(operator)
    draft = Draft()
    draft.tensors = [widened.get(tensor.index, tensor) for tensor in graph.tensors]
    draft.operators = kept
    return draft.finish(graph.inputs, graph.outputs)
