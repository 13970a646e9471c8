"""Runs the float model on samples and notes the range of every tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Program
from edge_agent.errors import ModelError
from edge_agent.quantize.ranges import OBSERVERS, Histogram, Range

Array = NDArray[Any]
Sample = Sequence[Array]
"""The input tensors of one run, in their native dtypes."""

Step = Callable[[], None]
"""Called after each run, for a progress bar."""


def no_step() -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What the computed float32 tensors of the main graph hold, by their index."""

    ranges: Mapping[int, Range]
    means: Mapping[int, Array]
    """Of each channel, which is the last axis."""

    def widened(self, spans: Mapping[int, Range]) -> Observed:
        """With ranges that hold these as well."""
        more = {index: span.joined(spans[index]) for index, span in self.ranges.items()
                if index in spans}  # fmt: skip
        return Observed({**self.ranges, **more}, self.means)


def observe(
    program: Program, samples: Sequence[Sample], observer: str, step: Step = no_step
) -> Observed:
    """Ranges and means of all tensors over the samples.

    Raises ModelError where there are no samples, or where some tensor is not finite.
    """
    if not samples:
        raise ModelError("there is no calibration data", "give at least one sample")
    engine = NumpyEngine(program, keep_all=True)
    watched = _watched(program)
    seen: dict[int, Range] = {}
    sums: dict[int, Array] = {}
    for number, values in enumerate(_runs(engine, samples, watched, step)):
        for index, array in values:
            low, high = float(array.min()), float(array.max())
            if not (np.isfinite(low) and np.isfinite(high)):
                raise _not_finite(program, index, number)
            found = Range(low, high)
            seen[index] = seen[index].joined(found) if index in seen else found
            mean = array.mean(axis=tuple(range(array.ndim - 1)), dtype=np.float64)
            sums[index] = sums.get(index, 0.0) + mean
    means = {index: total / len(samples) for index, total in sums.items()}
    narrow = OBSERVERS[observer]
    if narrow is None:
        return Observed(seen, means)
    histograms = {index: Histogram(span) for index, span in seen.items()}
    for values in _runs(engine, samples, watched, step):
        for index, array in values:
            histograms[index].add(array)
    return Observed({index: narrow(each) for index, each in histograms.items()}, means)


def runs_needed(observer: str) -> int:
    """How often each sample runs."""
    return 1 if OBSERVERS[observer] is None else 2


def _watched(program: Program) -> list[int]:
    main = program.main
    computed = {index for operator in main.operators for index in operator.outputs}
    computed |= set(main.inputs)
    return [
        tensor.index
        for tensor in main.tensors
        if tensor.index in computed and tensor.dtype == np.float32 and np.prod(tensor.shape) > 0
    ]


def _runs(
    engine: NumpyEngine, samples: Sequence[Sample], watched: Sequence[int], step: Step
) -> Iterator[list[tuple[int, Array]]]:
    """All watched tensors after each sample; each from a fresh state."""
    for sample in samples:
        engine.reset()
        with np.errstate(all="ignore"):
            engine.run(*sample)
        yield [(index, engine.value(index)) for index in watched]
        step()


def _not_finite(program: Program, index: int, number: int) -> ModelError:
    name = program.main.tensors[index].name
    what = "the calibration data" if index in program.main.inputs else f"tensor {name!r}"
    return ModelError(
        f"{what} holds NaN or infinity in sample {number}", "look at the data and the weights"
    )
