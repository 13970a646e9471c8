"""From a sum of products back to eight bits: fast in floating point, and proven exact.

TFLite's reference kernels compute `clip(round(round((sum + bias) * M * 2**s1) * 2**s2))` in
integers. That is a monotone function of the sum, so it is fixed by its thresholds: the smallest sum
T_k at which it reaches k, for each of the at most 255 steps k. A chain of floating-point operations
(add, multiply by a positive number, round) is monotone too. If it gives at least k at T_k and less
than k at T_k - 1 for every k, both functions are equal for every sum that can come up. So a chain
is searched for each channel and checked on its thresholds, in the very arithmetic of the run; where
none is found the integers themselves are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.arithmetic import (
    Ints,
    multiply_by_quantized_multiplier,
    quantize_multipliers,
)

Doubles = NDArray[np.float64]

_ULPS = tuple(sign * step for step in range(7) for sign in ((1, -1) if step else (1,)))
_CORRECTIONS = 32  # the first guess is a few sums off at the most
_BLOCK = 128  # channels worked on at a time: their thresholds take 2 kB each
_FRACTIONS = (None, 0.5, 0.25, 0.75, 0.1, 0.9, 0.4, 0.6)
EXACT: dict[Any, int] = {np.float32: 1 << 24, np.float64: 1 << 53}
"""Whole numbers up to here are exact, and so are their sums in any order."""

_AWAY = 2.0**-20  # makes halves of a float32 product round away from zero, and nothing else


@dataclass(frozen=True, slots=True)
class Requantization:
    """What happens to each channel's sum: `clip(round((sum + bias) * multiplier), low, high)`.

    Multipliers are TFLite's fixed-point ones; `bound` is the largest sum that can come up, without
    its bias.
    """

    bias: Ints
    multiplier: Ints
    shift: Ints
    low: int
    high: int
    bound: Ints

    @classmethod
    def of(cls, bias: Ints, real: Any, low: int, high: int, bound: Ints) -> Requantization:
        """From the real multiplier of each channel."""
        multiplier, shift = quantize_multipliers(np.broadcast_to(real, bias.shape))
        return cls(bias, multiplier, shift, low, high, bound)

    def exactly(self, sums: Ints) -> Ints:
        """The definition itself, for sums of shape ... x channels."""
        scaled = multiply_by_quantized_multiplier(sums + self.bias, self.multiplier, self.shift)
        clipped: Ints = np.clip(scaled, self.low, self.high)
        return clipped

    def chain(self, kind: Any = np.float32) -> Chain:
        """What the run computes in its stead, proven to be equal."""
        return find_chain(self, kind)

    def some(self, channels: Any) -> Requantization:
        """The same for some of the channels alone."""
        return replace(
            self,
            bias=self.bias[channels],
            multiplier=self.multiplier[channels],
            shift=self.shift[channels],
            bound=self.bound[channels],
        )

    @property
    def real(self) -> Doubles:
        """The multiplier of each channel as a real number."""
        factor: Doubles = self.multiplier.astype(np.float64) * 2.0 ** (self.shift - 31.0)
        return factor


@dataclass(frozen=True, slots=True)
class Chain:
    """Floating-point operations that are equal to a requantization, one number per channel.

    All in the precision of `add`.

    `rint((sum + add) * factor)`, then `rint(that * last)` unless all of `last` are 1, then the
    clip. For the channels in `unproven` the integers have to be computed.
    """

    add: NDArray[Any]
    factor: NDArray[Any]
    last: NDArray[Any]
    unproven: NDArray[np.intp]

    @property
    def is_twice(self) -> bool:
        """Whether it rounds a second time."""
        return bool((self.last != 1.0).any())

    def apply(self, sums: Any, channels: Any) -> Any:
        """The chain without its clip, for sums of shape channels x steps."""
        add, factor, last = self.add[channels], self.factor[channels], self.last[channels]
        result = np.rint((sums + add[:, None]) * factor[:, None])
        return np.rint(result * last[:, None])


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Smallest sums that reach each step, channels x steps; `inside` where a sum can.

    `below` marks the steps that every possible sum reaches; `settled` the channels whose
    thresholds were found at all.
    """

    steps: Ints
    sums: Ints
    inside: NDArray[np.bool_]
    below: NDArray[np.bool_]
    settled: NDArray[np.bool_]


def thresholds(what: Requantization) -> Thresholds:
    """By a first guess in floating point, mended by the definition until it holds."""
    steps = np.arange(what.low + 1, what.high + 1, dtype=np.int64)[None, :]
    bias, limit = what.bias[:, None], what.bound[:, None] + 2
    real = what.real[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        guess = np.where(real > 0.0, np.ceil((steps - 0.5) / real) - bias, np.inf * steps)
    guess = np.nan_to_num(guess, nan=-1.0, posinf=1e18, neginf=-1e18)
    sums = np.clip(guess, -limit, limit).astype(np.int64)
    multiplier, shift = what.multiplier[:, None], what.shift[:, None]

    def reaches(values: Ints) -> NDArray[np.bool_]:
        scaled = multiply_by_quantized_multiplier(values + bias, multiplier, shift)
        reached: NDArray[np.bool_] = scaled >= steps
        return reached

    for _ in range(_CORRECTIONS):
        down = reaches(sums - 1) & (sums > -limit)
        up = ~reaches(sums) & (sums < limit)
        if not (down.any() or up.any()):
            break
        sums = sums - down + (up & ~down)
    settled: Any = ~(down | up).any(axis=1)
    bound = what.bound[:, None]
    inside = (sums <= bound) & (sums > -bound)
    return Thresholds(steps, sums, inside, sums <= -bound, settled)


def find_chain(what: Requantization, kind: Any = np.float32) -> Chain:
    """The fastest chain that is equal to the definition, for as many channels as there is one."""
    count = len(what.bias)
    blocks = [np.arange(first, min(first + _BLOCK, count)) for first in range(0, count, _BLOCK)]
    chains = [_find_chain(what.some(block), kind) for block in blocks]
    return Chain(
        np.concatenate([chain.add for chain in chains]),
        np.concatenate([chain.factor for chain in chains]),
        np.concatenate([chain.last for chain in chains]),
        np.concatenate([block[c.unproven] for block, c in zip(blocks, chains, strict=True)]),
    )


def _find_chain(what: Requantization, kind: Any) -> Chain:
    count = len(what.bias)
    ones = np.ones(count, kind)
    chain = Chain(ones.copy(), ones.copy(), ones, np.arange(count))
    if what.bound.max(initial=0) >= EXACT[kind]:  # such sums are not exact
        return chain
    limits = thresholds(what)
    left = np.flatnonzero(limits.settled & ~_overflows(what))
    left = _search(chain, left, what, limits, *_once(what, limits))
    left = _search(chain, left, what, limits, *_twice(what, limits))
    unproven = np.union1d(left, np.flatnonzero(~limits.settled | _overflows(what)))
    return Chain(chain.add, chain.factor, chain.last, unproven)


def _overflows(what: Requantization) -> Any:
    """Channels whose shift left may leave 32 bits: they are not monotone any more."""
    left = np.maximum(what.shift, 0)
    largest = (what.bound + np.abs(what.bias)).astype(np.float64)
    return (left > 31) | (largest * 2.0**left >= 2.0**31)


def holds(
    chain: Chain, channels: Any, what: Requantization, limits: Thresholds
) -> NDArray[np.bool_]:
    """For each channel, whether the chain equals the definition for every sum that can come up.

    Both sides of each threshold are tried; of a step that all sums reach, or none, the end.
    """
    sums, steps, inside = limits.sums[channels], limits.steps, limits.inside[channels]
    kind = chain.add.dtype
    at = chain.apply(sums.astype(kind), channels) >= steps
    before = chain.apply((sums - 1).astype(kind), channels) >= steps
    bound = what.bound[channels, None].astype(kind)
    lowest, highest = chain.apply(-bound, channels) >= steps, chain.apply(bound, channels) >= steps
    outside = np.where(limits.below[channels], lowest, ~highest)
    proven: NDArray[np.bool_] = np.where(inside, at & ~before, outside).all(axis=1)
    return proven


def _once(what: Requantization, limits: Thresholds) -> tuple[Doubles, Any, Doubles]:
    """Factor, halves and last factor of a chain that rounds once."""
    return what.real, limits.steps - 0.5, np.ones(len(what.bias))


def _twice(what: Requantization, limits: Thresholds) -> tuple[Doubles, Any, Doubles]:
    """As gemmlowp does it: round the product, then shift right with halves away from zero.

    For r bits of shift the result reaches step k from k * 2**r - 2**(r-1) on; where k is not
    positive that half itself goes the other way.
    """
    right = np.maximum(-what.shift, 0)
    first = what.multiplier * 2.0**-31 * 2.0 ** np.maximum(what.shift, 0)
    last = 2.0**-right * np.where(right > 0, 1.0 + _AWAY, 1.0)
    shifts = right[:, None]
    whole = limits.steps * 2.0**shifts - np.where(shifts > 0, 2.0 ** (shifts - 1.0), 0.0)
    return first, whole + np.where((shifts > 0) & (limits.steps <= 0), 0.5, -0.5), last


def _search(
    chain: Chain,
    left: NDArray[np.intp],
    what: Requantization,
    limits: Thresholds,
    real: Doubles,
    half: Any,
    last: Doubles,
) -> NDArray[np.intp]:
    """Find numbers for the channels in `left`; returns those for which there are none.

    Factors near the real one are tried. For a factor f, `(T + a) * f >= half` and
    `(T - 1 + a) * f < half` leave an interval for a, the sum to add; the bias itself and a few
    points of the interval are tried.
    """
    half = np.broadcast_to(half, (len(what.bias), limits.steps.size))
    kind = chain.add.dtype
    # A channel whose output never changes: any small factor will do.
    constant: Any = ~limits.inside.any(axis=1)
    real = np.where(constant, 0.25 / np.maximum(what.bound, 1), real)
    output = what.low + limits.below.sum(axis=1)
    lowest, highest = np.zeros((2, len(what.bias)))
    for ulps in _ULPS:
        for fraction in _FRACTIONS:
            if not left.size:
                return left
            factor = (real[left].astype(kind) * (1.0 + ulps * np.finfo(kind).eps)).astype(kind)
            wide = factor.astype(np.float64)
            add = what.bias[left].astype(np.float64)
            if fraction == _FRACTIONS[1]:
                lowest[left], highest[left] = _interval(left, limits, half, wide)
            if fraction is not None:
                with np.errstate(invalid="ignore"):
                    add = lowest[left] + (highest[left] - lowest[left]) * fraction
            add = np.where(constant[left], output[left] / wide / last[left], add)
            chain.add[left], chain.factor[left], chain.last[left] = add, factor, last[left]
            left = left[np.logical_not(holds(chain, left, what, limits))]
    return left


def _interval(
    channels: NDArray[np.intp], limits: Thresholds, half: Any, factor: Doubles
) -> tuple[Doubles, Doubles]:
    """The sums to add between which the factor is right for every threshold."""
    room = half[channels] / factor[:, None] - limits.sums[channels]
    inside = limits.inside[channels]
    lowest = np.where(inside, room, -np.inf).max(axis=1, initial=-np.inf)
    highest = np.where(inside, room + 1.0, np.inf).min(axis=1, initial=np.inf)
    return lowest, highest
