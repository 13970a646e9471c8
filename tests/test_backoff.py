"""Waiting before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.backoff import Backoff


class Edge(random.Random):
    """Draws always the lowest or always the highest number."""

    def __init__(self, pick: Callable[[float, float], float]) -> None:
        super().__init__()
        self._pick = pick

    def uniform(self, a: float, b: float) -> float:
        """The edge of the range."""
        return self._pick(a, b)


def test_the_ceiling_doubles_up_to_the_cap() -> None:
    """The longest waits are base, twice base, and so on, and never more than the cap."""
    backoff = Backoff(1.5, 20.0, Edge(max))
    assert [backoff.next_delay() for _ in range(6)] == [1.5, 3.0, 6.0, 12.0, 20.0, 20.0]


def test_the_jitter_is_full() -> None:
    """The shortest wait is none at all, after any number of failures."""
    backoff = Backoff(1.5, 20.0, Edge(min))
    assert [backoff.next_delay() for _ in range(6)] == [0.0] * 6


def test_even_draws() -> None:
    """Waits are spread over the whole range from 0 to the ceiling."""
    backoff = Backoff(8.0, 8.0, random.Random(1))
    delays = [backoff.next_delay() for _ in range(4000)]
    quarters = [sum(2 * n <= delay < 2 * n + 2 for delay in delays) for n in range(4)]
    assert sum(quarters) == 4000
    assert all(900 < count < 1100 for count in quarters)


def test_reset() -> None:
    """After a success the first ceiling counts again."""
    backoff = Backoff(1.0, 30.0, Edge(max))
    for _ in range(4):
        backoff.next_delay()
    assert backoff.failures == 4
    backoff.reset()
    assert backoff.failures == 0
    assert [backoff.next_delay(), backoff.next_delay()] == [1.0, 2.0]
    assert backoff.failures == 2


def test_years_of_failures() -> None:
    """No number of failures is too large."""
    backoff = Backoff(1.0, 30.0, Edge(max))
    backoff.failures = 10**6
    assert backoff.next_delay() == 30.0
    assert backoff.failures == 10**6 + 1


@given(st.floats(0, 100), st.floats(0, 100), st.integers(0, 60))
def test_bounds(base: float, cap: float, failures: int) -> None:
    """A wait is never negative and never above the cap, also where the base is above it."""
    backoff = Backoff(base, cap)
    backoff.failures = failures
    assert 0.0 <= backoff.next_delay() <= cap


def test_devices_do_not_wait_alike() -> None:
    """Two that start at the same moment do not knock at the same moment."""
    first, second = Backoff(), Backoff()
    waits = [(first.next_delay(), second.next_delay()) for _ in range(5)]
    assert any(one != pytest.approx(other) for one, other in waits)
