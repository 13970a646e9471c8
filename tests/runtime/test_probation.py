"""A model that took another's place is watched on its first frames."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.engines.state import Memory
from edge_agent.errors import InferenceError
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.probation import Probation
from tests.support.runtime import FakeInference

FRESH, BEFORE = FakeInference(), FakeInference()


def probation(usual: float = 2.0, slowdown: float = 2.0) -> Probation:
    """Of a model in the place of one that took so many milliseconds."""
    return Probation(FRESH, BEFORE, [usual] * 20, slowdown)


def taking(fresh: float, before: float) -> Callable[[Inference, Memory], Outcome]:
    """Both models answer after so many milliseconds."""
    return lambda inference, _: Outcome((), 0.0, fresh if inference is FRESH else before, 0.0)


def infer(watched: Probation, act: Callable[[Inference, Memory], Outcome], frames: int) -> int:
    """Let so many frames in; how many until there is a fault."""
    for number in range(1, frames + 1):
        watched.run(act, Memory())
        if watched.fault:
            return number
    return 0


@pytest.mark.parametrize("fresh", [1.0, 3.9, 4.9])
def test_as_fast_as_it_may_be(fresh: float) -> None:
    """Twice as long and a millisecond more is no fault."""
    assert infer(probation(), taking(fresh, 2.0), 100) == 0


def test_a_slow_one() -> None:
    """After ten frames it seems slow, after five more it was measured against the other."""
    watched = probation()
    assert infer(watched, taking(8.0, 2.0), 100) == 14
    assert watched.fault == "it takes 8 ms for a frame, the model before takes 2 ms"


def test_a_busy_machine() -> None:
    """Where the one before has become as slow, the new one is not at fault."""
    watched = probation(usual=2.0)
    assert infer(watched, taking(8.0, 7.0), 200) == 0
    assert watched.frames == 200


def test_nothing_is_known_of_the_one_before() -> None:
    """Then both are measured."""
    watched = Probation(FRESH, BEFORE, [], 2.0)
    assert infer(watched, taking(3.0, 2.0), 50) == 0
    watched = Probation(FRESH, BEFORE, [], 2.0)
    assert 0 < infer(watched, taking(30.0, 2.0), 50) < 20


def test_a_frame_on_which_it_fails() -> None:
    """The result is that of the one before, and the new one is at fault."""

    def act(inference: Inference, _: Memory) -> Outcome:
        if inference is FRESH:
            raise InferenceError("no luck")
        return Outcome((), 0.0, 7.0, 0.0)

    watched = probation()
    assert watched.run(act, Memory()).infer_ms == 7.0
    assert watched.fault == "it fails on a frame: no luck"


def test_a_frame_on_which_both_fail() -> None:
    """It is the frame that is at fault."""

    def act(inference: Inference, _: Memory) -> Outcome:
        raise InferenceError("bad frame")

    watched = probation()
    with pytest.raises(InferenceError):
        watched.run(act, Memory())
    assert watched.fault == ""


def test_what_is_measured_has_no_influence() -> None:
    """The frame goes to the one before with a memory of its own."""
    mine, seen = Memory(), []

    def act(inference: Inference, memory: Memory) -> Outcome:
        seen.append((inference, memory))
        return Outcome((), 0.0, 50.0, 0.0)

    watched = probation()
    for _ in range(30):
        watched.run(act, mine)
    assert {id(memory) for inference, memory in seen if inference is FRESH} == {id(mine)}
    others = {id(memory) for inference, memory in seen if inference is BEFORE}
    assert len(others) == 1
    assert id(mine) not in others


def test_one_that_was_given_up_is_not_measured() -> None:
    """The one before belongs to another thread from then on."""
    asked = []

    def act(inference: Inference, _: Memory) -> Outcome:
        asked.append(inference)
        return Outcome((), 0.0, 50.0, 0.0)

    watched = probation()
    assert infer(watched, act, 8) == 0
    assert watched.give_up() is BEFORE
    assert infer(watched, act, 20) == 0
    assert BEFORE not in asked


def test_one_that_is_given_up_while_the_one_before_is_in_use() -> None:
    """Nobody else may have that then."""
    given: list[object] = []

    def act(inference: Inference, _: Memory) -> Outcome:
        if inference is FRESH:
            raise InferenceError("no luck")
        given.append(watched.give_up())
        return Outcome((), 0.0, 1.0, 0.0)

    watched = probation()
    watched.run(act, Memory())
    assert given == [None]
    assert watched.give_up() is None, "it went back"


def test_a_frame_on_which_only_the_one_before_fails() -> None:
    """The new one's result counts."""

    def act(inference: Inference, _: Memory) -> Outcome:
        if inference is BEFORE:
            raise InferenceError("bad frame")
        return Outcome((), 0.0, 50.0, 0.0)

    watched = probation()
    assert infer(watched, act, 30) == 0
    assert watched.frames == 30
