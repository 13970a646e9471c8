"""The life of one object: confirmation, loss, and the phases that are told."""

from __future__ import annotations

import pytest

from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.options import TrackOptions


def _life(history: str, hits: int = 3, of: int = 5, lost: float = 2.0) -> Life:
    """A life that was seen ("x") or missed (".") in frames one second apart."""
    life = Life("cat", 0.5, None, 0.0, TrackOptions(hits=hits, of=of, lost=lost, sure=1.0))
    for second, seen in enumerate(history[1:], start=1):
        if seen == "x":
            life.saw(0.5, None, float(second))
        else:
            life.missed()
    return life


@pytest.mark.parametrize(
    ("history", "ready"),
    [
        ("x", False),
        ("xx", False),
        ("xxx", True),
        ("x.xx", True),
        ("x..xx", True),
        ("x.x.x", True),
        ("xx...x", False),
        ("x..x..x", False),
        ("x..x.x", False),
        ("x..x.xx", True),
    ],
)
def test_confirmed_by_hits_of_the_last_frames(history: str, ready: bool) -> None:
    """It is ready once three of the newest five frames saw it, and never by fewer."""
    assert _life(history).ready == ready


@pytest.mark.parametrize("of", [1, 7, 64])
def test_hits_may_be_all_frames(of: int) -> None:
    """Where every frame must see it, one frame less is not enough."""
    assert _life("x" * of, hits=of, of=of).ready
    assert not _life("x" * (of - 1) if of > 1 else "x.", hits=of, of=of).ready


def test_confirmed_only_once() -> None:
    """What has an id is not ready again."""
    life = _life("xxx")
    life.confirm(7)
    life.saw(0.5, None, 3.0)
    assert life.id == 7
    assert not life.ready


@pytest.mark.parametrize(
    ("history", "hopeless"),
    [("x", False), ("x.", False), ("x..", False), ("x...", True), ("x..x..", False)],
)
def test_hopeless_when_it_cannot_be_confirmed(history: str, hopeless: bool) -> None:
    """It is given up when the frames that are left of the five cannot make it three."""
    assert _life(history).hopeless == hopeless


def test_confirmed_is_never_hopeless() -> None:
    """What has an id ends by time alone, not by missed frames."""
    life = _life("xxx")
    life.confirm(1)
    for _ in range(50):
        life.missed()
    assert not life.hopeless


def test_over_needs_time_and_two_missed_frames() -> None:
    """It is over once it was out of sight for `lost` seconds, over at least two frames."""
    life = _life("x", hits=1, of=1)
    life.missed()
    assert [life.overdue(1.9), life.overdue(2.0)] == [False, True]
    assert not life.over(100.0)
    life.missed()
    assert [life.over(1.9), life.over(2.0)] == [False, True]
    life.saw(0.5, None, 2.0)
    assert [life.over(4.0), life.overdue(3.9)] == [False, False]


def test_rounding_does_not_delay_the_end() -> None:
    """Frame times whose difference is a hair below `lost` end it in time."""
    life = Life("cat", 0.5, None, 0.1, TrackOptions(hits=1, of=1, lost=0.2))
    assert 0.3 - 0.1 < 0.2
    assert life.overdue(0.3)


def test_snapshot_is_new_once_and_then_live() -> None:
    """The first snapshot after the confirmation is new, the others live, the last ended."""
    life = _life("xxx")
    life.confirm(4)
    told = [life.snapshot(), life.snapshot(), life.snapshot(ended=True)]
    assert [track.phase for track in told] == ["new", "live", "ended"]
    assert {track.id for track in told} == {4}


def test_snapshot_tells_the_newest_sighting() -> None:
    """Score, box and last time are of the newest sighting, the top score and start of all."""
    life = Life("cat", 0.5, (0.0, 0.0, 0.5, 0.5), 1.0, TrackOptions(hits=1, of=1))
    life.confirm(1)
    life.saw(0.8, (0.1, 0.0, 0.6, 0.5), 2.0)
    life.saw(0.6, (0.2, 0.0, 0.7, 0.5), 3.0)
    life.missed()
    track = life.snapshot()
    assert (track.label, track.score, track.top_score) == ("cat", 0.6, 0.8)
    assert track.box == (0.2, 0.0, 0.7, 0.5)
    assert (track.start, track.last_seen, track.seen) == (1.0, 3.0, False)


def test_seen_again() -> None:
    """A sighting after a gap makes it seen again."""
    life = _life("xxx..x")
    life.confirm(1)
    assert life.snapshot().seen


@pytest.mark.parametrize(
    ("scores", "ready"),
    [([0.6, 0.6], False), ([0.6, 0.6, 0.6], True), ([0.6, 0.9], False), ([0.6, 0.95], True)],
)
def test_a_sure_sighting_is_enough(scores: list[float], ready: bool) -> None:
    """By default one above 0.9 is enough; all others count the same, three of five."""
    life = Life("cat", scores[0], None, 0.0, TrackOptions())
    for frame, score in enumerate(scores[1:], start=1):
        life.saw(score, None, 0.1 * frame)
    assert life.ready == ready


@pytest.mark.parametrize("score", [0.3, 1.0])
def test_scores_do_not_count_without_sure(score: float) -> None:
    """With `sure: 1` every sighting is one."""
    life = Life("cat", score, None, 0.0, TrackOptions(hits=2, of=2, sure=1.0))
    assert not life.ready
    life.saw(score, None, 0.1)
    assert life.ready


def test_single_pictures_are_believed_at_once() -> None:
    """One hit of one is enough however weak it is."""
    assert Life("cat", 0.1, None, 0.0, TrackOptions(hits=1, of=1)).ready


def _called(*names: tuple[str, float], told: bool) -> str:
    life = Life(*names[0], None, 0.0, TrackOptions())
    if told:
        life.confirm(1)
    for frame, (label, score) in enumerate(names[1:], start=1):
        life.saw(score, None, 0.1 * frame, label)
    return life.label


def test_label_is_voted_on() -> None:
    """Before it is told, the larger sum of scores wins; afterwards only a clear lead does."""
    names = [("cat", 0.6), ("dog", 0.7)]
    assert [_called(*names, told=told) for told in (False, True)] == ["dog", "cat"]
    assert _called(*names, ("dog", 0.7), told=True) == "dog"


def test_a_sure_name_outweighs_guesses() -> None:
    """What makes it real also names it."""
    names = [("cat", 0.7), ("cat", 0.7), ("dog", 0.95)]
    assert [_called(*names, told=told) for told in (False, True)] == ["dog", "cat"]
