"""Threads under supervision."""

from __future__ import annotations

import logging

import pytest

from edge_agent.backoff import Backoff
from edge_agent.errors import ModelError, SourceUnavailable
from edge_agent.runtime.supervisor import Ward
from tests.support.runtime import NoJitter, hold_time


class Unit:
    """A thread that only the test runs."""

    name = "unit"

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.alive = self.hangs = False
        self.started = self.stopped = 0

    def start(self) -> None:
        """Begin."""
        self.started += 1
        self.alive = True

    def stop(self, timeout: float) -> None:
        """End."""
        self.stopped += 1
        self.alive = self.alive and self.hangs


class Care:
    """A ward that is started, and everything around it; back-offs are 4, 8, 16, 16 ... s."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = hold_time(monkeypatch, "supervisor")
        self.units: list[Unit] = []
        self.reasons: list[str] = []
        backoff = Backoff(4.0, 16.0, NoJitter())
        self.ward = Ward("camera", self._build, self.reasons.append, backoff)
        self.ward.start()

    def _build(self) -> Unit:
        self.units.append(Unit())
        return self.units[-1]

    def fail(self, error: BaseException) -> None:
        """Let the thread end by a fault, and look."""
        self.ward.unit.failure = error
        self.ward.unit.alive = False
        self.ward.check()

    def look(self, after: float = 0.0) -> bool:
        """Pass time and look; whether the thread runs then."""
        self.time.now += after
        self.ward.check()
        return self.ward.unit.alive

    def down_for(self) -> int:
        """Whole seconds until the thread runs again."""
        return next(seconds for seconds in range(100) if self.look(after=float(seconds > 0)))


@pytest.fixture
def care(monkeypatch: pytest.MonkeyPatch) -> Care:
    """A ward that runs."""
    return Care(monkeypatch)


def test_a_running_thread_is_left_alone(care: Care) -> None:
    """Nothing is built, started or stopped while all is well."""
    for _ in range(5):
        assert care.look(after=100.0)
    (unit,) = care.units
    assert (unit.started, unit.stopped, care.reasons) == (1, 0, [])


def test_an_end_without_fault_is_no_failure(care: Care) -> None:
    """A recording that is over is not begun anew."""
    care.ward.unit.alive = False
    assert not care.look(after=100.0)
    assert (len(care.units), care.ward.failed) == (1, False)


def test_restart_after_back_off(care: Care) -> None:
    """A thread that failed is told, and after the back-off another one takes its place."""
    care.fail(RuntimeError("unplugged"))
    assert (care.ward.failed, care.reasons) == (True, ["unplugged"])
    assert not care.look(after=3.9)
    assert len(care.units) == 1
    assert care.look(after=0.1)
    first, second = care.units
    assert (first.stopped, second.started, care.ward.failed) == (1, 1, False)
    assert care.ward.unit is second


def test_a_failing_thread_is_awaited(care: Care) -> None:
    """As long as the thread still runs it is not replaced."""
    care.ward.unit.failure = RuntimeError("closing")
    assert care.look(after=10.0)
    assert (care.ward.failed, len(care.units)) == (False, 1)


def test_back_off_grows_to_its_cap(care: Care) -> None:
    """Each failure in a row waits twice as long, up to the cap."""
    waits = []
    for _ in range(4):
        care.fail(RuntimeError("unplugged"))
        waits.append(care.down_for())
    assert waits == [4, 8, 16, 16]
    assert care.reasons == ["unplugged"] * 4


@pytest.mark.parametrize(("ran", "wait"), [(59.0, 8), (61.0, 4)])
def test_steady_running_resets_the_back_off(care: Care, ran: float, wait: int) -> None:
    """After a minute of running a failure is a new one; before, it is the old one again."""
    care.fail(RuntimeError("unplugged"))
    care.down_for()
    care.look(after=ran)
    care.fail(RuntimeError("unplugged"))
    assert care.down_for() == wait


@pytest.mark.parametrize(
    ("error", "hopeless"),
    [
        (ModelError("not a model"), True),
        (SourceUnavailable("unplugged"), False),
        (RuntimeError("a bug"), False),
    ],
)
def test_hopeless(care: Care, error: Exception, hopeless: bool) -> None:
    """Only an error that another try will hardly cure makes it hopeless, until it runs again."""
    assert not care.ward.hopeless
    care.fail(error)
    assert care.ward.hopeless is hopeless
    care.down_for()
    assert not care.ward.hopeless


def test_same_reason_is_logged_once(care: Care, caplog: pytest.LogCaptureFixture) -> None:
    """A reason that repeats is logged once, another one again; the owner hears of each."""
    caplog.set_level(logging.INFO)
    for reason in ("unplugged", "unplugged", "unplugged", "garbled"):
        care.fail(RuntimeError(reason))
        care.down_for()
    assert [record.message for record in caplog.records] == [
        "camera: unplugged; trying again",
        "camera: garbled; trying again",
    ]
    assert len(care.reasons) == 4


def test_after_steady_running_a_reason_is_news(
    care: Care, caplog: pytest.LogCaptureFixture
) -> None:
    """A fault that comes back after a minute of running is logged again."""
    for _ in range(2):
        care.fail(RuntimeError("unplugged"))
        care.down_for()
        care.look(after=61.0)
    assert len(caplog.records) == 2


def test_error_without_text(care: Care) -> None:
    """There is always a reason."""
    care.fail(ZeroDivisionError())
    assert care.reasons == ["ZeroDivisionError()"]


def test_a_thread_that_hangs_is_replaced(care: Care) -> None:
    """It is told to stop, its place is taken after the back-off, and it is counted till it ends."""
    hung = care.ward.unit
    hung.hangs = True
    care.ward.abandon("no answer")
    assert care.reasons == ["no answer"]
    assert (hung.stopped, care.ward.failed, care.ward.hanging) == (1, True, 1)
    care.look(3.0)
    assert care.ward.unit is hung
    care.look(1.0)
    assert care.ward.unit is not hung
    assert care.ward.hanging == 1
    hung.alive = False
    assert care.ward.hanging == 0


def test_stop_is_for_good(care: Care) -> None:
    """A ward that is stopped while it waits for its next try does not come back."""
    care.fail(RuntimeError("unplugged"))
    care.ward.stop(0.0)
    assert (care.ward.failed, care.ward.hopeless, care.units[0].stopped) == (False, False, 1)


def test_begun_anew_at_once(care: Care) -> None:
    """A wait is cut short; with `replace` also a thread that is about something."""
    care.fail(ModelError("no file"))
    care.ward.hurry()
    assert (len(care.units), care.ward.failed) == (2, False)
    care.ward.hurry()
    assert len(care.units) == 2
    care.units[1].hangs = True
    care.ward.replace()
    assert (len(care.units), care.units[1].stopped, care.ward.hanging) == (3, 1, 1)
    care.units[1].failure = ModelError("the old one failed after all")
    assert care.look()
