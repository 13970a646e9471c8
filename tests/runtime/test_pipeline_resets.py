"""Whatever ends a pipeline's sight, nothing of what it saw stays on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.event import ModelRef
from edge_agent.geometry import Point
from edge_agent.result import Kind
from edge_agent.rules.options import ZoneOptions
from edge_agent.rules.zones import ZoneWatch
from edge_agent.sources.reader import SourceStatus
from tests.support.fuses import Fuse, FusedRules
from tests.support.runtime import (
    LOST,
    NO_CROSSINGS,
    ONLINE,
    REF,
    Rig,
    cat,
    hold_time,
    outcome,
)

LEFT: list[Point] = [(0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0)]
ZONES = {"left": ZoneOptions(LEFT, loiter=1.0), "slow": ZoneOptions(LEFT, dwell=0.5)}
QUIET = NO_CROSSINGS | {
    "p/counts/cat": "0",
    "p/zones/left/counts/cat": "0",
    "p/zones/slow/counts/cat": "0",
}


def _rules(fuse: Fuse) -> FusedRules:
    return FusedRules(fuse, ZoneWatch(ZONES), cooldown=60.0, stationary=1.0)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    """A cat that loiters and rests in both zones, and one that waits for the cooldown."""
    time = hold_time(monkeypatch, "pipeline", "reporter", "metrics")
    rig = Rig(time=time, rules=_rules).begin()
    for _ in range(21):
        rig.see(cat(0.2), cat(0.4))
    return rig


def _unplug(rig: Rig) -> None:
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    rig.tick(after=LOST)


def _switch_off(rig: Rig) -> None:
    rig.pipeline.enable(False)


def _break(rig: Rig) -> None:
    rig.fuse.blown = {"tracker"}
    rig.see(cat())
    rig.fuse.blown = set()


def _other_model(rig: Rig, kind: Kind = "class") -> None:
    rig.pipeline.model_opened(ModelRef("other", REF.sha256, "tflite"), kind)


def _shut(rig: Rig) -> None:
    rig.gates[-1].shut = {rig.number + 1}
    rig.see(cat())


WAYS = pytest.mark.parametrize(
    "end", [_unplug, _switch_off, _break, _other_model, _shut, lambda rig: rig.pipeline.stop()],
    ids=["unplug", "switch off", "break", "other model", "shut", "stop"],
)  # fmt: skip


def test_the_scene_is_set(rig: Rig) -> None:
    """Before the end both cats count everywhere, and one of them is told."""
    news = [(event["type"], event["changes"]) for event in rig.outbox.events()]
    assert news == [
        ("new", ["entered"]),
        ("update", ["entered"]),
        ("update", ["loitering", "stationary"]),
    ]
    counts = {"p/counts/cat", "p/zones/left/counts/cat", "p/zones/slow/counts/cat"}
    assert {topic for topic, state in rig.outbox.states().items() if state == "2"} == counts


@WAYS
def test_nothing_stays_on(rig: Rig, end: Callable[[Rig], None]) -> None:
    """What was told is ended once, all counts are 0, and what waited is not told."""
    end(rig)
    states = rig.outbox.states()
    assert {topic: states[topic] for topic in QUIET} == QUIET
    assert rig.outbox.types() == ["new", "update", "update", "end"]
    event = rig.outbox.events()[-1]
    assert (event["zones"], event["loitering"], event["stationary"]) == ([], [], False)
    assert (event["changes"], event["entered_zones"]) == (["left"], ["left", "slow"])


@pytest.mark.parametrize("end", [_unplug, _switch_off, _shut], ids=["unplug", "switch off", "shut"])
def test_it_begins_anew(rig: Rig, end: Callable[[Rig], None]) -> None:
    """Who is there afterwards is a stranger: it dwells, loiters and rests from the beginning."""
    end(rig)
    rig.pipeline.enable(True)
    rig.pipeline.source_changed(ONLINE)
    rig.see(cat(0.2), after=60.0)
    rig.see(cat(0.2))
    new = rig.outbox.events()[-1]
    assert (new["type"], new["zones"], new["changes"]) == ("new", ["left"], ["entered"])
    assert (new["loitering"], new["stationary"], new["entered_zones"]) == ([], False, ["left"])
    assert rig.outbox.states()["p/zones/slow/counts/cat"] == "0"
    assert rig.outbox.states()["p/zones/left/counts/cat"] == "1"


def test_a_frame_in_work_when_it_shuts(rig: Rig) -> None:
    """What the model still finds in it counts until the next frame, and no longer."""
    rig.take_in()
    job = rig.job()
    _shut(rig)
    assert job is not None
    rig.pipeline.complete(job, outcome(cat()))
    assert rig.outbox.states()["p/counts/cat"] == "1"
    _shut(rig)
    assert rig.outbox.states()["p/counts/cat"] == "0"


def test_shut_without_anybody_tells_nothing(rig: Rig) -> None:
    """A whole night of frames makes no message, and all are counted as held back."""
    _shut(rig)
    before, gated = len(rig.outbox.messages), rig.pipeline.metrics.counts.gated
    rig.gates[-1].shut = set(range(rig.number + 1, rig.number + 101))
    rig.take_in(100)
    assert len(rig.outbox.messages) == before
    assert rig.pipeline.metrics.counts.gated == gated + 100


def test_what_is_parked_is_not_looked_at_as_often(rig: Rig) -> None:
    """A motion gate is told of objects only while one of them moves."""
    assert rig.gates[-1].active[-1] is False
    rig.see(cat(0.2), cat(0.9))
    rig.see(cat(0.2), cat(0.9))
    assert rig.gates[-1].active[-1] is True
