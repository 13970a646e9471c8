"""Models on labelled data, and their time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Program
from edge_agent.errors import ModelError
from edge_agent.quantize.calibrate import Sample, Step, no_step
from edge_agent.quantize.measure import native_inputs

Array = NDArray[Any]

_TIMED = 30
_WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Labelled:
    """Samples, and the index of the class of each."""

    samples: Sequence[Sample]
    labels: Sequence[int]


def classify(program: Program, samples: Sequence[Sample], step: Step = no_step) -> Array:
    """The class that a model says of each sample: the place of its largest output.

    Raises ModelError where its first output is no row of scores.
    """
    output = program.main.tensors[program.main.outputs[0]]
    if sum(side > 1 for side in output.shape) != 1:
        raise ModelError(
            f"output {output.name!r} of shape {output.shape} is no row of scores",
            "accuracy can be told of models that classify",
        )
    engine = NumpyEngine(program)
    answers = []
    for sample in samples:
        engine.reset()
        answers.append(int(engine.run(*native_inputs(program, sample))[0].argmax()))
        step()
    return np.array(answers)


def milliseconds(program: Program, sample: Sample) -> float:
    """Median time of a run in the numpy engine."""
    engine = NumpyEngine(program)
    inputs = native_inputs(program, sample)
    times = []
    for _ in range(_WARM_UP + _TIMED):
        began = time.perf_counter()
        engine.run(*inputs)
        times.append(time.perf_counter() - began)
    return 1e3 * float(np.median(times[_WARM_UP:]))
