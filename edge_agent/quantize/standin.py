"""What the channels that stay tell of all of them: a linear guess, by least squares.

The layer that reads a tensor can weigh the guess in place of the channels that went, which costs
nothing at run time: it goes into the weights of those that stay and into the bias. He et al.,
"Channel Pruning for Accelerating Very Deep Neural Networks", 2017, fit the next layer in the same
spirit; which channel goes next is chosen as by Hassibi and Stork's "Optimal Brain Surgeon", 1993.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.program import Graph, Program
from edge_agent.quantize.calibrate import Sample

Array = NDArray[Any]

_RIDGE = 1e-3  # of the mean variance: keeps a guess from few samples small


class Moments(NamedTuple):
    """Of a tensor in the model as it is now, and as it was at first.

    `covariance` is that of its channels now, `cross` that of them with those at first.
    """

    mean: Array
    covariance: Array
    first_mean: Array
    cross: Array


class Guess(NamedTuple):
    """`all = kept @ factors + offset`."""

    factors: Array
    offset: Array


def moments(
    first: Graph, now: Graph, samples: Sequence[Sample], repeats: Mapping[int, int]
) -> dict[int, Moments]:
    """Moments of tensors over all pixels of all samples.

    `repeats` names the tensors, each with how often its channels come in the last axis.
    """
    engines = [NumpyEngine(_up_to(graph, tuple(repeats))) for graph in (first, now)]
    rows: dict[int, list[list[Array]]] = {index: [[], []] for index in repeats}
    for sample in samples:
        for place, engine in enumerate(engines):
            engine.reset()
            for (index, times), values in zip(repeats.items(), engine.run(*sample), strict=True):
                pixels = values.reshape(-1, values.shape[-1] // times)
                rows[index][place].append(pixels.astype(np.float32))
    return {index: _moments(*map(np.concatenate, both)) for index, both in rows.items()}


def _moments(first: Array, now: Array) -> Moments:
    means = [values.mean(axis=0, dtype=np.float64) for values in (first, now)]
    then, these = (values - mean for values, mean in zip((first, now), means, strict=True))
    return Moments(means[1], these.T @ these / len(now), means[0], these.T @ then / len(now))


def _up_to(graph: Graph, outputs: tuple[int, ...]) -> Program:
    """The graph as far as these tensors need it."""
    last = max(op.index for op in graph.operators if set(op.outputs) & set(outputs))
    operators = graph.operators[: last + 1]
    return Program("part", (Graph(graph.tensors, graph.inputs, outputs, operators),))


def guess(seen: Moments, kept: NDArray[np.intp]) -> Guess:
    """The best linear guess of all channels at first from those that are kept now."""
    among = seen.covariance[np.ix_(kept, kept)]
    factors = np.linalg.solve(among + _ridge(among), seen.cross[kept])
    return Guess(factors, seen.first_mean - seen.mean[kept] @ factors)


def _ridge(covariance: Array) -> Array:
    size = len(covariance)
    return np.eye(size) * max(_RIDGE * float(np.trace(covariance)) / size, 1e-12)


def strongest(readers: Sequence[tuple[Moments, Array]], count: int) -> NDArray[np.intp]:
    """The `count` channels without which least is lost, rising.

    `readers` are the tensors in which layers read the channels, with the weights of each, as rows x
    channels. One after another that channel goes which adds the least squared error to what the
    layers give, once their weights of the others are changed to make up for it.
    """
    states = [
        (np.linalg.inv(seen.covariance + _ridge(seen.covariance)), weights.astype(np.float64))
        for seen, weights in readers
    ]
    alive = np.ones(len(readers[0][0].mean), np.bool_)
    for _ in range(len(alive) - count):
        errors = sum(
            np.square(weights).sum(axis=0) / np.maximum(inverse.diagonal(), 1e-30)
            for inverse, weights in states
        )
        goes = int(np.where(alive, errors, np.inf).argmin())
        alive[goes] = False
        for inverse, weights in states:
            row = inverse[goes] / inverse[goes, goes]
            np.subtract(weights, np.outer(weights[:, goes], row), out=weights)
            np.subtract(inverse, np.outer(inverse[:, goes], row), out=inverse)
    return np.flatnonzero(alive)
