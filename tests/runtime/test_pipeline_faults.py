"""A stage that raises takes out its own pipeline, and that one comes back."""

from __future__ import annotations

import logging
import threading
from functools import partial

import pytest

from edge_agent.backoff import Backoff
from edge_agent.event import ModelRef
from edge_agent.sources.reader import SourceStatus
from tests.support.runtime import LOST, NO_CROSSINGS, REF, NoJitter, Rig, cat, outcome

STAGES = pytest.mark.parametrize("stage", ["gate", "tracker"])
_DELAY = 5.0  # seconds of the first back-off


@pytest.fixture(autouse=True)
def backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Back-offs of 5, 10, 20 ... s by the hand-held time."""
    make = partial(Backoff, _DELAY, rng=NoJitter())
    monkeypatch.setattr("edge_agent.runtime.pipeline.Backoff", make)


def break_down(rig: Rig, stage: str = "tracker") -> None:
    """Let a stage raise over the next frame, while an object is there."""
    rig.see(cat())
    rig.fuse.blown = {stage}
    rig.see(cat())
    rig.fuse.blown = set()


@STAGES
def test_fault_ends_everything(rig: Rig, stage: str) -> None:
    """A fault ends the open objects under their ids, sets counts to 0, and tells the reason."""
    break_down(rig, stage)
    new, end = rig.outbox.events()
    assert (new["type"], end["type"], end["id"]) == ("new", "end", new["id"])
    assert end["end_time"] == end["time"] == pytest.approx(new["time"] + 0.1)
    assert rig.outbox.states() == NO_CROSSINGS | {"p/status": "offline", "p/counts/cat": "0"}
    reason = f"internal error: RuntimeError('{stage} is broken')"
    assert rig.statuses[-1] == (False, reason)
    assert rig.pipeline.metrics.counts.errors == 1


def test_fault_is_logged(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """The traceback is in the log, with the time of the next try."""
    break_down(rig)
    (record,) = caplog.records
    assert record.getMessage() == "pipeline p failed, again in 5.0 s"
    assert (record.levelno, record.exc_info is None) == (logging.ERROR, False)


@STAGES
def test_back_after_the_back_off(rig: Rig, stage: str) -> None:
    """Until then frames are dropped and counted; then new stages see new objects."""
    break_down(rig, stage)
    rig.fuse.blown = {stage}
    rig.see(cat())
    rig.tick(after=_DELAY - 0.2)
    rig.see(cat(), after=0.05)
    rig.fuse.blown = set()
    counts = rig.pipeline.metrics.counts
    assert (rig.pipeline.status.online, counts.dropped, counts.errors) == (False, 2, 1)
    rig.tick(after=0.1)
    assert rig.statuses[-1] == (True, "")
    rig.see(cat())
    assert rig.outbox.types() == ["new", "end", "new"]
    assert rig.outbox.events()[2]["id"] != rig.outbox.events()[0]["id"]
    assert rig.outbox.states() == NO_CROSSINGS | {"p/status": "online", "p/counts/cat": "1"}
    assert (len(rig.gates), rig.pipeline.metrics.counts.restarts) == (2, 1)


def test_back_off_grows_and_resets(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """Faults in a row wait longer and longer; a frame that goes well makes the next one a first."""
    rig.fuse.blown = {"tracker"}
    for _ in range(3):
        rig.see(cat())
        rig.tick(after=60.0)
    rig.fuse.blown = set()
    rig.see(cat())
    break_down(rig)
    assert [record.getMessage().split()[-2] for record in caplog.records] == [
        "5.0", "10.0", "20.0", "5.0",
    ]  # fmt: skip


def test_frame_in_work_at_the_fault(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    """A result that comes in after the fault is lost and does not count as a success."""
    rig.see(cat())
    rig.take_in()
    job = rig.job()
    assert job is not None
    rig.fuse.blown = {"gate"}
    rig.take_in()
    rig.pipeline.complete(job, outcome(cat()))
    assert rig.outbox.types() == ["new", "end"]
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.inferred, counts.dropped, counts.errors) == (3, 1, 1, 1)
    rig.tick(after=_DELAY)
    rig.take_in()
    assert caplog.records[-1].getMessage() == "pipeline p failed, again in 10.0 s"


@pytest.mark.parametrize("then", ["time passes", "stop", "finish", "other model"])
def test_objects_end_once(rig: Rig, then: str) -> None:
    """Whatever comes before it is back, nothing that the fault has ended is ended again."""
    break_down(rig)
    if then == "time passes":
        rig.tick(after=LOST)
    elif then == "other model":
        rig.pipeline.model_opened(ModelRef("m", "66" * 32, "tflite"), "object")
    else:
        getattr(rig.pipeline, then)()
    assert rig.outbox.types() == ["new", "end"]
    assert rig.outbox.of("p/counts/cat") == ["0", "1", "0"]


def test_counts_stay_zero_while_out(rig: Rig) -> None:
    """Neither midnight nor a model that is opened anew brings the old objects' counts back."""
    break_down(rig)
    rig.pipeline.new_day()
    rig.pipeline.model_opened(REF, "object")
    assert rig.outbox.of("p/counts/cat") == ["0", "1", "0"]
    assert not rig.pipeline.status.online


def test_model_down_at_the_same_time(rig: Rig) -> None:
    """It is online again only when both the fault and the model's trouble are over."""
    break_down(rig)
    rig.pipeline.model_failed("no file")
    rig.tick(after=_DELAY)
    assert rig.statuses[-1] == (False, "no file")
    rig.pipeline.model_opened(REF, "object")
    assert rig.statuses[-1] == (True, "")


def test_fault_before_the_model_is_there(rig: Rig) -> None:
    """A gate may fail before anything is known of the model."""
    young = Rig(time=rig.time)
    young.fuse.blown = {"gate"}
    young.take_in()
    young.fuse.blown = set()
    young.tick(after=_DELAY)
    young.begin().see(cat())
    assert young.outbox.types() == ["new"]
    assert young.statuses[-1] == (True, "")


def test_fault_in_the_supervisor(rig: Rig) -> None:
    """A stage that raises while time passes does not hit the supervisor."""
    rig.see(cat())
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    rig.fuse.blown = {"expire"}
    rig.tick(after=LOST)
    assert rig.outbox.types() == ["new", "end"]
    assert rig.pipeline.metrics.counts.errors == 1


def test_fault_of_a_reset(rig: Rig) -> None:
    """A gate that raises when its source goes away hits neither the source nor the supervisor."""
    rig.see(cat())
    rig.fuse.blown = {"reset"}
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    assert rig.outbox.types() == ["new", "end"]
    rig.tick(after=_DELAY)
    assert (rig.statuses[-1], len(rig.gates)) == ((False, "unplugged"), 2)


def test_fault_at_midnight(rig: Rig) -> None:
    """Rules that raise over the new day take out the pipeline, not the supervisor."""
    rig.see(cat())
    rig.fuse.blown = {"new_day"}
    rig.pipeline.new_day()
    assert rig.statuses[-1] == (False, "internal error: RuntimeError('new_day is broken')")


@pytest.mark.parametrize("end", ["stop", "finish"])
def test_fault_at_the_end(rig: Rig, end: str) -> None:
    """A stage that raises at the end leaves neither an object nor a count, and it is the end."""
    rig.see(cat())
    rig.fuse.blown = {"flush"}
    getattr(rig.pipeline, end)()
    assert rig.outbox.types() == ["new", "end"]
    assert rig.outbox.states()["p/counts/cat"] == "0"
    assert rig.pipeline.finished.is_set() is (end == "finish")


@STAGES
def test_back_at_the_very_moment_of_the_fault(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """A back-off of nothing, with the supervisor looking in between, does not leave it offline."""
    trouble = rig.pipeline.status.trouble
    looks: list[threading.Thread] = []

    def look_first(part: str, reason: str) -> None:
        rig.time.now += _DELAY
        looks.append(threading.Thread(target=rig.pipeline.tick, daemon=True))
        looks[0].start()
        looks[0].join(0.05)
        trouble(part, reason)

    monkeypatch.setattr(rig.pipeline.status, "trouble", look_first)
    break_down(rig, stage)
    looks[0].join()
    rig.tick()
    assert rig.statuses[-1] == (True, "")
