"""Conditions over several pipelines, event by event and against a brute-force evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.event import ClockStamp, Event, EventType, ModelRef
from edge_agent.rules.composite import Composite, CompositeOptions, ConditionOptions, Turn

S = 10**9
PERSON = ConditionOptions("door", "person", zone="porch")
OPEN = ConditionOptions("gate", "open")


def event(
    pipeline: str, kind: EventType, at: int, story: str = "1", label: str = "", zone: str = ""
) -> Event:
    """An event of a story, at `at` ns."""
    return Event(
        id=f"{pipeline}{story}",
        device="dev",
        pipeline=pipeline,
        type=kind,
        kind="object",
        track=1,
        label=label or {"door": "person", "gate": "open"}.get(pipeline, "cat"),
        score=0.7 if pipeline == "door" else 0.9,
        top_score=0.9,
        box=None,
        zones=(zone,) if zone else (),
        entered_zones=(zone,) if zone else (),
        time=0.0,
        start_time=0.0,
        end_time=None,
        media_time=None,
        clock=ClockStamp("b", at, True),
        latency_ms={},
        model=ModelRef("m", "5a" * 32, "tflite"),
    )


def composite(within: float, **conditions: ConditionOptions) -> Composite:
    """Of these conditions, else of a person on the porch and an open gate."""
    return Composite(CompositeOptions(conditions or {"person": PERSON, "open": OPEN}, within))


def test_all_at_once() -> None:
    """Without time between them it holds from the last beginning to the first end."""
    rules = composite(0.0)
    assert rules.note(event("door", "new", 1 * S, zone="porch")) == []
    assert rules.note(event("gate", "new", 2 * S)) == [Turn("new", 2 * S, 0.7)]
    assert rules.note(event("door", "update", 3 * S, zone="porch")) == []
    assert rules.note(event("door", "update", 4 * S)) == [Turn("end", 4 * S, 0.7)]
    assert rules.note(event("door", "update", 5 * S, zone="porch")) == [Turn("new", 5 * S, 0.7)]
    assert rules.note(event("gate", "end", 6 * S)) == [Turn("end", 6 * S, 0.7)]


def test_one_soon_after_another() -> None:
    """The one that is over counts for a while, and to the nanosecond, whoever looks when."""
    for late in (0, 1, 5 * S):
        rules = composite(10.0)
        rules.note(event("door", "new", 1 * S, zone="porch"))
        rules.note(event("door", "end", 2 * S))
        assert rules.note(event("gate", "new", 12 * S - 1)) == [Turn("new", 12 * S - 1, 0.7)]
        assert rules.advance(12 * S - 1) == []
        assert rules.advance(12 * S + late) == [Turn("end", 12 * S, 0.7)]
    rules = composite(10.0)
    rules.note(event("door", "new", 1 * S, zone="porch"))
    rules.note(event("door", "end", 2 * S))
    assert rules.note(event("gate", "new", 12 * S)) == []


def test_what_comes_back_in_time_breaks_nothing_off() -> None:
    """Also at the very moment at which it would have ceased to count."""
    for at, told in (
        (3 * S, []),
        (3 * S + 1, [Turn("end", 3 * S, 0.7), Turn("new", 3 * S + 1, 0.7)]),
    ):
        rules = composite(1.0, person=PERSON)
        rules.note(event("door", "new", 1 * S, "a", zone="porch"))
        rules.note(event("door", "end", 2 * S, "a"))
        assert rules.note(event("door", "new", at, "b", zone="porch")) == told


def test_several_of_a_kind() -> None:
    """It holds until the last of them has gone."""
    rules = composite(0.0, person=PERSON)
    assert len(rules.note(event("door", "new", 1, "a", zone="porch"))) == 1
    assert rules.note(event("door", "new", 2, "b", zone="porch")) == []
    assert rules.note(event("door", "end", 3, "a")) == []
    assert rules.note(event("door", "end", 4, "b")) == [Turn("end", 4, 0.7)]


def test_moments() -> None:
    """An event counts from its moment on; the zone of an end is one that it has been in."""
    left = ConditionOptions("door", "person", zone="porch", type="end")
    rules = composite(1.0, left=left, open=OPEN)
    rules.note(event("gate", "new", 0))
    assert rules.note(event("door", "new", 1 * S, zone="porch")) == []
    assert rules.note(event("door", "end", 2 * S, zone="porch")) == [Turn("new", 2 * S, 0.7)]
    assert rules.note(event("door", "end", 2 * S + 5, zone="porch")) == []
    assert rules.advance(4 * S) == [Turn("end", 3 * S + 5, 0.7)]


def test_names_of_second_models() -> None:
    """A condition may ask for one; it holds once the name is known."""
    rules = composite(0.0, tabby=ConditionOptions("door", sublabel="tabby"))
    assert rules.note(event("door", "new", 1)) == []
    assert len(rules.note(replace(event("door", "update", 2), sublabel="tabby"))) == 1


def test_a_late_event_counts_at_its_own_time() -> None:
    """It was in time, though the look came before it; and its end is not before its beginning."""
    rules = composite(1.0)
    rules.note(event("door", "new", 1 * S, zone="porch"))
    rules.note(event("door", "end", 2 * S))
    assert rules.advance(4 * S) == []
    assert rules.note(event("gate", "new", 2 * S + 1)) == [Turn("new", 2 * S + 1, 0.7)]
    assert rules.advance(4 * S) == [Turn("end", 3 * S, 0.7)]


def test_it_ends_when_nobody_looks_after_it() -> None:
    """Once."""
    rules = composite(0.0, person=PERSON)
    rules.note(event("door", "new", 5, zone="porch"))
    assert rules.stop(9) == [Turn("end", 9, 0.7)]
    assert rules.stop(10) == []


END = 60  # ns, after the last event of a random story
_ANY = st.sampled_from([None, "cat", "dog"])
_CONDITION = st.builds(
    ConditionOptions,
    pipeline=st.sampled_from(["a", "b"]),
    label=_ANY,
    zone=st.sampled_from([None, "z"]),
    type=st.sampled_from(["present", "present", "new", "update", "end"]),
)
_STEP = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from("12"),
    st.booleans(),
    st.sampled_from(["cat", "dog"]),
    st.sampled_from(["", "z"]),
    st.integers(0, 3),  # how often it is looked at before
)


def stories(steps: list[tuple[str, str, bool, str, str, int]]) -> Iterator[Event]:
    """Sound stories at rising times: each begins, may change, and may end."""
    alive: set[tuple[str, str]] = set()
    for at, (pipeline, story, over, label, zone, _) in enumerate(steps):
        kind: EventType = "new"
        if (pipeline, story) in alive:
            kind = "end" if over else "update"
        (alive.discard if kind == "end" else alive.add)((pipeline, story))
        yield event(pipeline, kind, 2 * at, story, label, zone)


def counting(condition: ConditionOptions, told: list[Event], within: int) -> set[int]:
    """Every ns at which a condition counts, story by story."""
    found: set[int] = set()
    for story in {each.id for each in told if each.pipeline == condition.pipeline}:
        course = [each for each in told if each.id == story]
        ends = [each.clock.monotonic_ns for each in course[1:]] + [END]
        for each, end in zip(course, ends, strict=True):
            start = each.clock.monotonic_ns
            is_zone = condition.zone is None or condition.zone in each.entered_zones
            fits = condition.label in (None, each.label) and is_zone
            if fits and condition.type == each.type:
                found |= set(range(start, start + within))
            elif fits and condition.type == "present" and each.type != "end":
                found |= set(range(start, end + (within if end < END else 0)))
    return found


@settings(max_examples=400)
@given(
    st.lists(_CONDITION, min_size=1, max_size=3),
    st.lists(_STEP, max_size=END // 2 - 1),
    st.integers(0, 12),
)
def test_it_is_what_brute_force_says(
    conditions: list[ConditionOptions],
    steps: list[tuple[str, str, bool, str, str, int]],
    within: int,
) -> None:
    """Any stories, any conditions, looked at however often: the same beginnings and ends."""
    told = list(stories(steps))
    options = CompositeOptions({str(n): each for n, each in enumerate(conditions)}, within / 1e9)
    rules = Composite(options)
    turns: list[Turn] = []
    for each, (*_, looks) in zip(told, steps, strict=True):
        for early in range(looks, 0, -1):
            turns += rules.advance(each.clock.monotonic_ns - early)
        turns += rules.note(each)
    turns += rules.advance(END - 1)
    sets = [counting(each, told, within) for each in conditions]
    holds = [all(at in each for each in sets) for at in range(END)]
    changes = [at for at in range(END) if holds[at] != (at > 0 and holds[at - 1])]
    expected = [("new" if holds[at] else "end", at) for at in changes]
    assert [(turn.type, turn.at) for turn in turns] == expected
