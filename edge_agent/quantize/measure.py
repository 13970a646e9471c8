"""How far the int8 model is from the float one, tensor by tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Program, Tensor
from edge_agent.quantize.calibrate import Sample, Step, no_step
from edge_agent.quantize.convert import Converted

Array = NDArray[Any]

BEST_DB = 120.0
"""Given where there is no error at all."""

_SORTING = frozenset({"TFLite_Detection_PostProcess"})
"""Operators whose rows change places with the least difference: an error of theirs says nothing."""

_EIGHT_BITS_DB = 50.0  # about what eight bits can do for numbers that fill their range


@dataclass(frozen=True, slots=True)
class LayerError:
    """The error of one operator's output, all that came before it included.

    `sqnr_db` is the ratio of the signal to the error, in decibels (6 are a bit); `lost_db` is how
    much worse it is than the worst of the operator's inputs.
    """

    place: int
    operator: str
    output: str
    kind: str
    sqnr_db: float
    lost_db: float


def layer_errors(
    program: Program, converted: Converted, samples: Sequence[Sample], step: Step = no_step
) -> tuple[LayerError, ...]:
    """The error of every operator of the float program, over the samples."""
    decibels = _decibels(program, converted, samples, step)
    main, whole = program.main, converted.program.main
    found = []
    for operator in main.operators:
        if not operator.outputs or operator.outputs[0] not in decibels or operator.name in _SORTING:
            continue
        output = operator.outputs[0]
        before = [decibels[index] for index in operator.inputs if index in decibels]
        start = min((_EIGHT_BITS_DB, *before))
        found.append(
            LayerError(
                operator.index,
                operator.name,
                main.tensors[output].name,
                whole.tensors[converted.places[output]].dtype.name,
                round(decibels[output], 1),
                round(max(0.0, start - decibels[output]), 1),
            )
        )
    return tuple(found)


def _decibels(
    program: Program, converted: Converted, samples: Sequence[Sample], step: Step
) -> dict[int, float]:
    """For each float32 tensor that both have: 10 log10 of signal over error."""
    ours = NumpyEngine(converted.program, keep_all=True)
    theirs = NumpyEngine(program, keep_all=True)
    tensors = converted.program.main.tensors
    watched = {
        index: place
        for index, place in converted.places.items()
        if program.main.tensors[index].dtype == np.float32
    }
    signal, noise = dict.fromkeys(watched, 0.0), dict.fromkeys(watched, 0.0)
    for sample in samples:
        for engine in (ours, theirs):
            engine.reset()
        theirs.run(*sample)
        ours.run(*native_inputs(converted.program, sample))
        for index, place in watched.items():
            real = theirs.value(index).astype(np.float64)
            signal[index] += float(np.square(real).sum())
            error = real - real_values(ours.value(place), tensors[place])
            noise[index] += float(np.square(error).sum())
        step()
    return {index: _ratio(signal[index], noise[index]) for index in watched}


def _ratio(signal: float, noise: float) -> float:
    if noise == 0.0:
        return BEST_DB
    return 10.0 * math.log10(signal / noise) if signal else 0.0


def real_values(values: Array, tensor: Tensor) -> Array:
    """The real numbers that a tensor's values stand for."""
    if tensor.scale is None or tensor.zero_point is None:
        return values.astype(np.float64)
    return (values.astype(np.float64) - tensor.zero) * np.float64(tensor.step)


def native_inputs(program: Program, sample: Sample) -> tuple[Array, ...]:
    """Real input tensors in the types that the program takes."""
    tensors = [program.main.tensors[index] for index in program.main.inputs]
    return tuple(_native(values, tensor) for values, tensor in zip(sample, tensors, strict=True))


def _native(values: Array, tensor: Tensor) -> Array:
    if tensor.scale is None or values.dtype == tensor.dtype:
        return values
    limits = np.iinfo(tensor.dtype)
    whole = np.rint(values / np.float64(tensor.step)) + tensor.zero
    native: Array = np.clip(whole, limits.min, limits.max).astype(tensor.dtype)
    return native


def constant_bytes(program: Program) -> int:
    """Bytes of all weights and other constants."""
    tensors = [tensor for graph in program.graphs for tensor in graph.tensors]
    return sum(tensor.constant.nbytes for tensor in tensors if tensor.constant is not None)


def kinds(layers: Sequence[LayerError]) -> Mapping[str, int]:
    """How many operators there are of each type of numbers."""
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
    return counts
