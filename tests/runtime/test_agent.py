"""The agent's own logic: when it ends, what it says of itself, how it stops."""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from typing import cast

import pytest

from edge_agent.frame import Frame
from edge_agent.mqtt.client import ConnectionState
from edge_agent.runtime.commands import Wish
from edge_agent.runtime.inference import Inference
from tests.runtime.stage import HEALTH_EVERY, Clip, Stage, Worker, open_cats, refuse
from tests.support.broker import wait_until
from tests.support.reading import LIMIT
from tests.support.runtime import REF, FakeInference, HandTime, cat, hold_time

CONNECTED_AGAIN = ConnectionState(True, "", 0.0, 2)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the agent look around more often."""
    monkeypatch.setattr("edge_agent.runtime.agent._TICK", 0.005)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """The time of the agent."""
    return hold_time(monkeypatch, "agent")


def test_all_recordings_finished() -> None:
    """When every recording has come to its end, the agent ends with 0 and all is told."""
    stage = Stage(open_cats, source=Clip)
    assert stage.run() == 0
    assert stage.outbox.types() == ["new", "end"]
    assert not stage.wards[0].unit.alive


def test_no_model_can_be_used(caplog: pytest.LogCaptureFixture) -> None:
    """When no model will ever work, the agent ends with 1 and says whose."""
    assert Stage(refuse, refuse).run() == 1
    assert "nothing is left to do: no model of p, q can be used" in caplog.messages


def test_finished_and_hopeless() -> None:
    """A recording that ended well does not hide that another pipeline never ran."""
    assert Stage(open_cats, refuse, source=Clip).run() == 1


def test_one_good_model_is_enough(hand: HandTime) -> None:
    """A hopeless model does not end the agent while another pipeline works; stop gives 0."""
    stage = Stage(refuse, open_cats)
    assert stage.run(lambda: stage.wards[0].hopeless and stage.models_told()[-1:] == [1]) == 0
    assert [ward.unit.alive for ward in stage.wards] == [False, False]
    assert (stage.client.started, len(stage.client.goodbyes)) == (1, 1)


def test_stopped_before_it_began() -> None:
    """A stop that comes at once is obeyed, and everything that was started is stopped."""
    stage = Stage(open_cats)
    stop = threading.Event()
    stop.set()
    assert stage.agent.run(stop) == 0
    assert not stage.wards[0].unit.alive
    assert len(stage.client.goodbyes) == 1


def test_start_puts_right_what_a_crash_left() -> None:
    """The first thing told of every pipeline is that it is offline."""
    stage = Stage(open_cats, open_cats)
    stage.agent.start()
    first = [(message.topic, message.payload) for message in stage.outbox.messages[:2]]
    stage.agent.stop()
    assert first == [("edge/dev/p/status", b"offline"), ("edge/dev/q/status", b"offline")]


def test_stop_leaves_nothing_on() -> None:
    """When the client says goodbye, objects are ended, counts are 0 and pipelines offline."""
    stage = Stage(open_cats)
    (rig,) = stage.rigs
    stage.agent.start()
    wait_until(lambda: stage.wards[0].unit.inference)
    rig.begin()
    rig.take_in()
    wait_until(lambda: stage.outbox.states().get("p/counts/cat") == "1")
    stage.agent.stop()
    assert stage.outbox.types() == ["new", "end"]
    (goodbye,) = stage.client.goodbyes
    assert (goodbye["p/status"], goodbye["p/counts/cat"]) == ("offline", "0")


def test_stop_twice(caplog: pytest.LogCaptureFixture) -> None:
    """A second stop does nothing, also no loss is told."""
    stage = Stage(open_cats)
    stage.agent.start()
    stage.agent.stop()
    told = len(stage.outbox.messages)
    stage.agent.stop()
    assert len(stage.outbox.messages) == told
    assert (stage.outbox.drops, caplog.records) == ({}, [])


def test_info_on_change_only() -> None:
    """What the agent runs is told at once, again when a model is open, and not in between."""
    release = threading.Event()

    def slow() -> Inference:
        release.wait(LIMIT)
        return open_cats()

    stage = Stage(slow)
    stage.agent.start()
    for _ in range(3):
        stage.agent.look()
    assert stage.models_told() == [0]
    release.set()
    wait_until(lambda: stage.wards[0].unit.inference)
    for _ in range(3):
        stage.agent.look()
    stage.agent.stop()
    assert stage.models_told() == [0, 1]
    assert stage.outbox.json("info")[1]["models"][0]["sha256"] == REF.sha256


def test_health_at_its_interval(hand: HandTime) -> None:
    """The health is told a second after the broker came, then once in every interval."""
    stage = Stage(open_cats)
    told = []
    for after in (0.0, 0.9, 0.1, HEALTH_EVERY - 0.1, 0.1, 1.0, HEALTH_EVERY):
        hand.now += after
        stage.agent.look()
        told.append(len(stage.outbox.of("health")))
    assert told == [0, 0, 1, 1, 2, 2, 3]


def test_health_for_whoever_came_back(hand: HandTime) -> None:
    """A broker that came back, and a Home Assistant that started, need not wait for the health."""
    stage = Stage(open_cats)
    stage.agent.look()
    hand.now += 1.0
    stage.agent.look()

    def told_after_a_second() -> int:
        stage.agent.look()
        hand.now += 1.0
        stage.agent.look()
        stage.agent.look()
        return len(stage.outbox.of("health"))

    assert told_after_a_second() == 1
    stage.client.state = CONNECTED_AGAIN
    assert told_after_a_second() == 2
    stage.birth.set()
    assert told_after_a_second() == 3


def test_new_day(hand: HandTime) -> None:
    """At midnight, and only then, the line counts begin anew, once."""
    stage = Stage(open_cats)
    (rig,) = stage.rigs
    rig.begin()
    for x in (0.3, 0.42, 0.54, 0.66):
        rig.see(cat(x))
    for hours in (0, 1, 24):
        hand.now += hours * 3600.0
        stage.agent.look()
        stage.agent.look()
        crossed = stage.outbox.of("p/lines/door/counts/cat/out")
        assert crossed == (["0", "1", "0"] if hours == 24 else ["0", "1"])
    for x in (0.54, 0.42):
        rig.see(cat(x))
    stage.agent.look()
    assert stage.outbox.of("p/lines/door/counts/cat/in") == ["0", "1"]


def test_stalled_model(hand: HandTime, caplog: pytest.LogCaptureFixture) -> None:
    """A model that hangs takes its pipelines offline, once, and the answer brings them back."""
    caplog.set_level(logging.INFO)
    stage = Stage(open_cats, open_cats)
    worker = cast("Worker", stage.wards[0].unit)
    for rig in stage.rigs:
        rig.begin()
    for busy in (29.0, 31.0, 40.0, 0.0, 1.0):
        worker.busy = busy
        stage.agent.look()
    hangs = "the model has not answered for 30 s"
    assert stage.rigs[0].statuses[1:] == [(True, ""), (False, hangs), (True, "")]
    assert stage.rigs[1].statuses[1:] == [(True, "")]
    assert caplog.messages == [f"model p: {hangs}", "model p: it answers again"]


class Wedged(Clip):
    """A camera whose driver hangs until it is mended, whatever is done."""

    patience: float | None = 0.02

    def __init__(self, mended: threading.Event) -> None:
        super().__init__()
        self._mended = mended

    def read(self) -> Frame | None:
        """Hang."""
        assert self._mended.wait(LIMIT)
        return None


class Driver:
    """Opens cameras, the first of which hang."""

    def __init__(self, hanging: int) -> None:
        self.hanging = hanging
        self.mended = threading.Event()

    def __call__(self) -> Clip:
        """Open one."""
        self.hanging -= 1
        return Wedged(self.mended) if self.hanging >= 0 else Clip()


def test_a_source_that_hangs_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pipeline is offline with the reason meanwhile, and nothing else is begun anew."""
    driver = Driver(hanging=2)
    stage = Stage(open_cats, source=driver)
    alive: list[bool] = []
    monkeypatch.setattr(stage.systemd, "look", lambda **told: alive.append(told["alive"]))
    assert stage.run() == 0
    reasons = [reason for _, reason in stage.rigs[0].statuses]
    assert "no answer for 0.02 s: its driver or library hangs" in reasons
    assert stage.outbox.types() == ["new", "end"]
    assert all(alive)
    driver.mended.set()


def test_a_source_that_hangs_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """After three threads that never came back systemd is left to begin anew."""
    driver = Driver(hanging=99)
    stage = Stage(open_cats, source=driver)
    alive: list[bool] = []
    monkeypatch.setattr(stage.systemd, "look", lambda **told: alive.append(told["alive"]))
    assert stage.run(lambda: alive and not alive[-1]) == 0
    assert alive[0]
    assert stage.agent._assembly.sources[0].hanging >= 3
    driver.mended.set()


@pytest.mark.parametrize(("wish", "told"), [(None, "STOPPING=1"), ("restart", "RELOADING=1")])
def test_systemd_is_told_whether_the_process_ends(
    monkeypatch: pytest.MonkeyPatch, wish: Wish | None, told: str
) -> None:
    """A restart keeps the process: systemd would kill one that says it stops and does not end."""
    stage = Stage(open_cats)
    sent: list[str] = []
    monkeypatch.setattr(stage.systemd, "_send", sent.extend)
    stage.desk.wish = wish
    stage.agent.stop()
    assert sent[0] == told


def test_the_status_tells_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many frames a second were inferred since the line before."""
    hand = hold_time(monkeypatch, "metrics", "watchdog")
    stage = Stage(open_cats)
    said: list[str] = []
    monkeypatch.setattr(stage.systemd, "look", lambda ready, alive, status: said.append(status()))
    for inferred in (0, 30):
        stage.rigs[0].pipeline.metrics.counts.inferred += inferred
        hand.now += 10.0
        stage.agent.look()
    assert "0.0 frames/s" in said[0]
    assert said[1].startswith("0 of 1 pipelines online, 3.0 frames/s inferred, ")


def test_a_swap_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heap is put in order where a model comes, not where one takes another's place."""
    settled: list[int] = []
    monkeypatch.setattr("edge_agent.runtime.agent.settle", lambda: settled.append(1))
    stage = Stage(open_cats)
    stage.agent.start()
    wait_until(lambda: stage.agent.look() or stage.models_told() == [1])  # type: ignore[func-returns-value]
    count = len(settled)
    stage.wards[0].unit.inference = FakeInference(ref=replace(REF, sha256="77" * 32))
    stage.agent.look()
    assert stage.models_told() == [1, 1]
    assert len(settled) == count > 0
    stage.agent.stop()
