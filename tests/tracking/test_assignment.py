"""The best choice of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_agent.tracking.assignment import assign

Gains = NDArray[Any]

_SIDE = st.integers(0, 5)
_GAIN = st.one_of(
    st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]),  # many ties
    st.floats(-1.0, 1.0, allow_subnormal=False).map(lambda gain: round(gain, 6)),
)
_GAINS = st.tuples(_SIDE, _SIDE).flatmap(lambda shape: arrays(np.float64, shape, elements=_GAIN))


def _sum(gains: Gains, pairs: Mapping[int, int]) -> float:
    return float(sum(gains[row, column] for row, column in pairs.items()))


def _best(gains: Gains) -> float:
    """The largest sum, by trying everything; a pair that would lose is not made."""
    useful = np.maximum(gains if gains.shape[0] <= gains.shape[1] else gains.T, 0.0)
    rows = range(useful.shape[0])
    choices = permutations(range(useful.shape[1]), len(rows))
    return max(float(sum(useful[row, column] for row, column in zip(rows, choice, strict=True)))
               for choice in choices)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(_GAINS)
def test_no_choice_is_better(gains: Gains) -> None:
    """The sum is that of the best of all choices, and each row and column is used once at most."""
    pairs = assign(gains)
    assert len(set(pairs.values())) == len(pairs)
    assert all(gains[row, column] > 0.0 for row, column in pairs.items())
    assert _sum(gains, pairs) == pytest.approx(_best(gains))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(20, 20), (12, 30), (30, 12)]))
def test_larger_ones_have_no_way_to_improve(seed: int, shape: tuple[int, int]) -> None:
    """Of many rows and columns, no two pairs gain by trading, and no pair by taking a free one."""
    gains = np.random.default_rng(seed).normal(size=shape)
    pairs = assign(gains)
    free = set(range(shape[1])) - set(pairs.values())
    for row, column in pairs.items():
        assert all(gains[row, other] <= gains[row, column] + 1e-12 for other in free)
        for second, other in pairs.items():
            before = gains[row, column] + gains[second, other]
            assert gains[row, other] + gains[second, column] <= before + 1e-12


def test_the_greedy_choice_is_not_the_best() -> None:
    """The best pair is given up where the sum of two others is larger."""
    assert assign(np.array([[0.9, 0.8], [0.8, 0.1]])) == {0: 1, 1: 0}


def test_a_long_chain_of_trades() -> None:
    """One more row moves every other one on by a place, or stays alone if that costs more."""
    chain = np.diag(np.full(6, 0.6)) + np.diag(np.full(5, 0.5), 1)
    rows = np.vstack([chain[:5], [0.6, 0, 0, 0, 0, 0]])
    assert assign(rows) == {0: 1, 1: 2, 2: 3, 3: 4, 4: 5, 5: 0}
    rows[5, 0] = 0.4
    assert assign(rows) == {row: row for row in range(5)}


def test_nothing_to_assign() -> None:
    """Without rows, columns or gains there are no pairs."""
    for shape in ((0, 0), (0, 3), (3, 0), (2, 2)):
        assert assign(np.zeros(shape)) == {}
