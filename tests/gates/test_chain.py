"""Several gates in a row."""

from __future__ import annotations

from edge_agent.gates.base import Verdict
from edge_agent.gates.chain import GateChain
from edge_agent.gates.motion import MotionGate, MotionOptions
from edge_agent.gates.rate import RateGate, RateOptions
from tests.gates.scenes import Scripted, frame, play, room, with_square

LEFT, RIGHT = (0.0, 0.0, 0.2, 0.2), (0.8, 0.8, 1.0, 1.0)
PICTURE = room()


def test_without_gates() -> None:
    """Every frame passes."""
    chain = GateChain([])
    assert play(chain, [PICTURE] * 2) == [Verdict(True, "open")] * 2
    chain.reset()


def test_the_first_that_refuses() -> None:
    """Its verdict counts, and the gates after it do not see the frame."""
    first = Scripted(Verdict(True, "a", (LEFT,)))
    second, third = Scripted(Verdict(False, "b")), Scripted(Verdict(True, "c"))
    assert GateChain([first, second, third]).check(frame(PICTURE, 1.0), True) == Verdict(False, "b")
    assert first.asked == second.asked == [(1.0, True)]
    assert third.asked == []


def test_regions_are_joined() -> None:
    """Where all pass, the last reason counts and the regions of all are kept, in order."""
    gates = [
        Scripted(Verdict(True, "a", (LEFT,))),
        Scripted(Verdict(True, "b", (RIGHT, LEFT))),
        Scripted(Verdict(True, "c")),
    ]
    verdict = GateChain(gates).check(frame(PICTURE, 0.0), False)
    assert verdict == Verdict(True, "c", (LEFT, RIGHT, LEFT))


def test_no_regions() -> None:
    """Without regions the last verdict is handed on."""
    gates = [Scripted(Verdict(True, "a")), Scripted(Verdict(True, "b"))]
    assert GateChain(gates).check(frame(PICTURE, 0.0), False) == Verdict(True, "b")


def test_active_is_told_to_every_gate() -> None:
    """Each gate hears whether objects are followed."""
    gates = [Scripted(Verdict(True, "")), Scripted(Verdict(True, ""))]
    chain = GateChain(gates)
    chain.check(frame(PICTURE, 0.0), False)
    chain.check(frame(PICTURE, 1.0), True)
    assert [gate.asked for gate in gates] == [[(0.0, False), (1.0, True)]] * 2


def test_reset_of_all() -> None:
    """A reset reaches every gate, also those that saw nothing."""
    gates = [Scripted(Verdict(False, "")), Scripted(Verdict(True, ""))]
    chain = GateChain(gates)
    chain.check(frame(PICTURE, 0.0), False)
    chain.reset()
    assert [gate.resets for gate in gates] == [1, 1]


def test_rate_before_motion() -> None:
    """The real gates together: motion is reported, but not more often than the rate allows."""
    chain = GateChain([RateGate(RateOptions(fps=5)), MotionGate(MotionOptions(hold=0))])
    pictures = [*[PICTURE] * 20, *(with_square(PICTURE, 8 * step, 60) for step in range(20))]
    verdicts = play(chain, pictures)
    assert [each.reason for each in verdicts[1::2]] == ["rate"] * 20
    assert [each.reason for each in verdicts[0::2]] == ["first", *["still"] * 9, *["motion"] * 10]
    assert all(each.regions for each in verdicts[20::2])
