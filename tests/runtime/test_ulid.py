"""Ids that sort by time."""

from __future__ import annotations

import re

import pytest

from edge_agent.runtime.ulid import new_ulid


def test_form() -> None:
    """It has 26 characters of Crockford's alphabet, the first of which fits 128 bits."""
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_ulid(1_780_000_000.0))


def test_time_is_in_front() -> None:
    """The first ten characters are the milliseconds, as in the example of the specification."""
    assert new_ulid(1469918176.385)[:10] == "01ARYZ6S41"


def test_sorts_by_time() -> None:
    """A later id is greater, already a millisecond later."""
    ids = [new_ulid(1_780_000_000.0 + number / 500) for number in range(100)]
    assert ids == sorted(ids)


def test_no_two_are_the_same() -> None:
    """Ids of the same moment differ."""
    assert len({new_ulid(1.0) for _ in range(1000)}) == 1000


@pytest.mark.parametrize("wall", [0.0, -5.0, 1e15])
def test_any_clock(wall: float) -> None:
    """A clock that is far off gives an id all the same."""
    assert len(new_ulid(wall)) == 26
