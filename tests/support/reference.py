"""TFLite's reference kernels, of whichever runtime is installed here.

tflite-runtime 2.14 is what the numpy engine is measured by. The reference kernels of LiteRT 2.3
are the same but for FULLY_CONNECTED.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from tests.support.tflite_writer import GraphDef, OpDef, Table, TensorDef, model, write_model

_RUNTIMES = ("tflite_runtime.interpreter", "ai_edge_litert.interpreter")

Arrays = Sequence[NDArray[Any]]


def _runtime() -> Any:
    for name in _RUNTIMES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


RUNTIME = _runtime()
IS_HERE = RUNTIME is not None


def run_reference(content: bytes, inputs: Arrays) -> list[NDArray[Any]]:
    """Outputs of the reference kernels for a model with free or fixed shapes."""
    interpreter = RUNTIME.Interpreter(
        model_content=content,
        experimental_op_resolver_type=RUNTIME.OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    for details, array in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(details["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(each["index"]) for each in interpreter.get_output_details()]


def run_stream(path: Path, kernels: str, inputs: Arrays) -> list[NDArray[Any]]:
    """Answers of a model with one input and one output, which may remember; by kernels of TFLite's.

    `kernels` is a name of its OpResolverType, such as "BUILTIN_REF".
    """
    kind = RUNTIME.OpResolverType[kernels]
    interpreter = RUNTIME.Interpreter(str(path), experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    answers = []
    for x in inputs:
        interpreter.set_tensor(taken["index"], x)
        interpreter.invoke()
        answers.append(interpreter.get_tensor(given["index"]))
    return answers


def one_operator(
    name: str, tensors: Sequence[TensorDef], options: tuple[int, Table] = (0, {})
) -> GraphDef:
    """A graph of one operator: the last tensor is its output, those without data are inputs."""
    last = len(tensors) - 1
    inputs = [place for place in range(last) if tensors[place].data is None]
    operator = OpDef(name, range(last), (last,), options[0], options[1] if options[0] else None)
    return GraphDef(tensors, [operator], inputs, (last,))


def run_both(
    path: Path, graph: GraphDef, inputs: Arrays
) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
    """Outputs of the numpy engine and of the reference kernels; `path` is for the file."""
    ours = NumpyEngine(write_model(path / "model.tflite", graph)).run(*inputs)
    return [np.array(each) for each in ours], run_reference(model(graph), inputs)
