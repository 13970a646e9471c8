"""What the channels that stay tell of those that go: a linear guess, by least squares.

The layer that reads a tensor can then weigh the guess in place of the lost channels, which costs
nothing at run time: the guess goes into the weights of the channels that stay and into the bias.
He et al., "Channel Pruning for Accelerating Very Deep Neural Networks", 2017, fit the next layer in
the same spirit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Program
from edge_agent.quantize.calibrate import Sample

Array = NDArray[Any]

_RIDGE = 1e-3  # of the mean variance: keeps a guess from few samples small


class Moments(NamedTuple):
    """Mean of each channel, and how channels vary together."""

    mean: Array
    covariance: Array


class Guess(NamedTuple):
    """`lost = kept @ factors + offset`."""

    factors: Array
    offset: Array


def moments(
    program: Program, samples: Sequence[Sample], repeats: Mapping[int, int]
) -> dict[int, Moments]:
    """Moments of tensors over all pixels of all samples.

    `repeats` names the tensors, each with how often its channels come in the last axis.
    """
    engine = NumpyEngine(program, keep_all=True)
    sums: dict[int, Array] = {}
    products: dict[int, Array] = {}
    counts = dict.fromkeys(repeats, 0)
    for sample in samples:
        engine.reset()
        engine.run(*sample)
        for index, times in repeats.items():
            values = engine.value(index)
            pixels = values.reshape(-1, values.shape[-1] // times).astype(np.float64)
            sums[index] = sums.get(index, 0.0) + pixels.sum(axis=0)
            products[index] = products.get(index, 0.0) + pixels.T @ pixels
            counts[index] += len(pixels)
    found = {}
    for index, count in counts.items():
        mean = sums[index] / count
        found[index] = Moments(mean, products[index] / count - np.outer(mean, mean))
    return found


def guess(seen: Moments, kept: NDArray[np.intp], lost: NDArray[np.intp]) -> Guess:
    """The best linear guess of the lost channels from those that are kept."""
    among = seen.covariance[np.ix_(kept, kept)]
    ridge = _RIDGE * max(float(np.trace(among)) / len(kept), 1e-12)
    factors = np.linalg.solve(
        among + ridge * np.eye(len(kept)), seen.covariance[np.ix_(kept, lost)]
    )
    return Guess(factors, seen.mean[lost] - seen.mean[kept] @ factors)
