"""Which objects have come to rest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.rules.rest import RestWatch
from tests.rules.tracks import track


def _rests(*xs: float, after: float | None = 3.0) -> str:
    """What an object on that way does, one place a second: `r` rests, `.` does not."""
    watch = RestWatch(after)
    found = [watch.update(track((x, 0.5)), float(n)) for n, x in enumerate(xs)]
    return "".join("r" if rests else "." for rests in found)


def test_parked_car() -> None:
    """It drives up, stands, and drives off: it rests once it stood for long enough."""
    assert _rests(0.1, 0.3, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.9) == ".....rrr."


def test_without_the_option_nothing_rests() -> None:
    """However long it stands."""
    assert "r" not in _rests(*[0.5] * 100, after=None)


def test_one_bad_box_is_no_departure() -> None:
    """A single sighting elsewhere does not end a rest, two in a row do; the time begins anew."""
    assert _rests(0.5, 0.5, 0.5, 0.5, 0.8, 0.5, 0.8, 0.5) == "...rrrrr"
    assert _rests(0.5, 0.5, 0.5, 0.5, 0.8, 0.8, 0.8, 0.8, 0.8) == "...rr...r"


def test_slow_creep_is_no_rest() -> None:
    """Steps too small to see add up against the place where the rest began."""
    assert "r" not in _rests(*[0.2 + 0.03 * n for n in range(20)])


def test_out_of_sight_is_neither() -> None:
    """An object that is only remembered keeps the state that it had; one without a box has none."""
    watch = RestWatch(2.0)
    watch.update(track(), 0.0)
    assert not watch.update(track((0.9, 0.5), seen=False), 5.0)
    assert watch.update(track(), 6.0)
    assert watch.update(track((0.9, 0.5), seen=False), 7.0)
    assert not watch.update(track(None, track_id=2), 7.0)


def test_forget_leaves_nothing() -> None:
    """An object that ended leaves no trace."""
    watch = RestWatch(1.0)
    watch.update(track(), 0.0)
    watch.forget(1)
    watch.forget(2)
    assert watch._rests == {}


@settings(deadline=None)
@given(noise=st.lists(st.floats(-0.03, 0.03), min_size=5, max_size=40))
def test_trembling_boxes_rest(noise: list[float]) -> None:
    """A box a quarter wide that trembles by an eighth of that does not leave its place."""
    assert _rests(*(0.5 + each for each in noise)) == "..." + "r" * (len(noise) - 3)
