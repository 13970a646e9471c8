"""Votes on what an object is, and which objects need another look."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.result import ClassScore, Track
from edge_agent.tracking.opinions import Opinion, Opinions
from edge_agent.tracking.options import RefineOptions

SIZE = (100, 100)


def track(number: int, label: str = "bird") -> Track:
    """An object of 40 x 40 pixels."""
    return Track(number, label, 0.9, 0.9, (0.3, 0.3, 0.7, 0.7), 0.0, 0.0, "live")


def judged(opinion: Opinion, *looks: tuple[str, float] | None) -> str | None:
    """The name after these looks."""
    for look in looks:
        opinion.add(ClassScore(*look, 0) if look else None, 0.0)
    return opinion.label


def test_a_name_needs_more_than_half_of_the_first_looks() -> None:
    """One look of three is no name, two are; its score is their mean."""
    opinion = Opinion(RefineOptions())
    assert judged(opinion, ("robin", 0.9)) is None
    assert judged(opinion, None, ("robin", 0.7)) == "robin"
    assert opinion.score == 0.8


def test_a_name_that_was_told_is_stable() -> None:
    """Another one needs half as much again."""
    opinion = Opinion(RefineOptions(looks=1))
    assert judged(opinion, *[("robin", 0.5)] * 4) == "robin"
    assert judged(opinion, *[("wren", 0.5)] * 5) == "robin"
    assert judged(opinion, ("wren", 0.5)) == "wren"


def test_looks_end() -> None:
    """A clear case is settled by the first looks, an unclear one is given up after some more."""
    clear, unclear = Opinion(RefineOptions()), Opinion(RefineOptions())
    judged(clear, *[("robin", 0.8)] * 3)
    assert not clear.due(1e9)
    judged(unclear, *[("robin", 0.8), ("wren", 0.8)] * 4)
    assert unclear.due(0.0)
    judged(unclear, *[("robin", 0.8), ("wren", 0.8)] * 2)
    assert not unclear.due(1e9)


def test_a_settled_one_is_looked_at_again_where_that_is_wanted() -> None:
    """Every so often, counted from its newest look."""
    opinion = Opinion(RefineOptions(every=5.0))
    for now in (1.0, 2.0, 3.0):
        opinion.add(ClassScore("robin", 0.8, 0), now)
    assert not opinion.due(7.9)
    assert opinion.due(8.0)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.floats(0.5, 1.0)), max_size=40))
def test_a_name_is_always_one_of_the_best(looks: list[tuple[str, float]]) -> None:
    """No other has half as many votes again, and a name never goes away."""
    opinion = Opinion(RefineOptions(looks=1))
    before = None
    for look in looks:
        name = judged(opinion, look)
        assert name is not None or before is None
        before = name
    sums = {name: sum(s for n, s in looks if n == name) for name in "abc"}
    assert before is None or 1.5 * sums[before] + 1e-9 >= max(sums.values())


def test_new_ones_come_first_and_not_too_many() -> None:
    """Of those with the fewest looks the newest; the rest in later frames."""
    opinions = Opinions(RefineOptions(looks=1, per_frame=2))
    tracks = [track(number) for number in range(1, 6)]
    asked = []
    for _ in range(4):
        due = [each.id for each in opinions.due(tracks, 0.0, SIZE)]
        for number in due:
            opinions.vote(number, ClassScore("robin", 0.9, 0), 0.0)
        asked.append(due)
    assert asked == [[5, 4], [3, 2], [1], []]


def test_what_cannot_be_seen_well_is_not_looked_at() -> None:
    """Too small, out of sight, ended, of another label, or without a box."""
    opinions = Opinions(RefineOptions(labels=["bird"], min_size=40))
    good = track(1)
    others = [
        replace(track(2), box=(0.3, 0.3, 0.9, 0.69)),
        replace(track(3), seen=False),
        replace(track(4), phase="ended"),
        track(5, "cat"),
        replace(track(6), box=None),
    ]
    assert opinions.due([*others, good], 0.0, SIZE) == (good,)


def test_the_dead_are_forgotten() -> None:
    """A vote for an object that is gone is lost, and nothing of it is kept."""
    opinions = Opinions(RefineOptions(looks=1))
    opinions.due([track(1)], 0.0, SIZE)
    opinions.due([], 0.1, SIZE)
    opinions.vote(1, ClassScore("robin", 0.9, 0), 0.2)
    assert opinions.named(track(1)).sublabel is None


def test_a_name_goes_with_the_label() -> None:
    """An object that turns out to be no bird is no robin."""
    opinions = Opinions(RefineOptions(labels=["bird"], looks=1))
    opinions.due([track(1)], 0.0, SIZE)
    opinions.vote(1, ClassScore("robin", 0.9, 0), 0.0)
    assert opinions.named(track(1)).sublabel == "robin"
    assert opinions.named(track(1, "cat")).sublabel is None
