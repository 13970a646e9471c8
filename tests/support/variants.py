"""Other versions of the bundled detector: as good, with other outputs, or slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.program import Graph, Operator, Program
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.engines.numpy.writing import write_tflite
from tests.support.agent import ASSETS

_BELT = ASSETS / "belt.tflite"


def write_same(path: Path, note: str = "another version") -> Path:
    """The same detector in a file of other bytes."""
    return _written(path, read_tflite(_BELT), note)


def write_other(path: Path) -> Path:
    """A detector of the same tensors whose first weights are in another order: it sees nonsense."""
    program = read_tflite(_BELT)
    weights = program.main.tensors[_first_convolution(program.main).inputs[1]]
    assert weights.constant is not None
    tensors = list(program.main.tensors)
    tensors[weights.index] = replace(weights, constant=np.flip(weights.constant, axis=0).copy())
    return _written(path, _with(program, replace(program.main, tensors=tuple(tensors))), "other")


def write_slow(path: Path, times: int = 40) -> Path:
    """The same detector that does its first step so many times more, for nothing."""
    main = read_tflite(_BELT).main
    first = _first_convolution(main)
    (made,) = first.outputs
    tensors, more = list(main.tensors), []
    for _ in range(times):
        copy = replace(tensors[made], index=len(tensors), name=f"idle{len(tensors)}")
        tensors.append(copy)
        more.append(replace(first, outputs=(copy.index,)))
    steps = (*main.operators[: first.index], *more, *main.operators[first.index :])
    operators = [replace(each, index=place) for place, each in enumerate(steps)]
    graph = replace(main, tensors=tuple(tensors), operators=tuple(operators))
    return _written(path, _with(read_tflite(_BELT), graph), "slow")


def _first_convolution(graph: Graph) -> Operator:
    return next(each for each in graph.operators if each.name == "CONV_2D")


def _with(program: Program, main: Graph) -> Program:
    return replace(program, graphs=(main, *program.graphs[1:]))


def _written(path: Path, program: Program, note: str) -> Path:
    info = read_model_info(_BELT)
    path.write_bytes(write_tflite(program, Notes(note, info.labels, info.metadata)))
    return path
