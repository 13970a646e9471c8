"""Garbage in cycles does not pile up."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from edge_agent.runtime.heap import settle, tidy


class Cycle:
    """Holds itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """The other tests keep their garbage collector."""
    yield
    gc.unfreeze()


def test_what_is_alive_is_looked_at_no_more() -> None:
    """The collector has next to nothing left to look at."""
    settle()
    assert gc.get_freeze_count() > 10_000
    assert len(gc.get_objects()) < 1_000


def test_what_was_set_aside_and_became_garbage_is_freed_by_the_next() -> None:
    """An old configuration does not stay for ever."""
    cycle = Cycle()
    settle()
    there = weakref.ref(cycle)
    del cycle
    gc.collect()
    assert there() is not None
    settle()
    assert there() is None


def test_what_came_since_is_freed_without_a_look_at_the_rest() -> None:
    """A model that another took the place of does not stay either."""
    settle()
    frozen, cycle = gc.get_freeze_count(), Cycle()
    there = weakref.ref(cycle)
    del cycle
    tidy()
    assert there() is None
    assert gc.get_freeze_count() == frozen
