"""Events of what several pipelines see together, with real pipelines; nothing stays on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from edge_agent.event import Event
from edge_agent.mqtt.payloads import load_schema
from edge_agent.rules.composite import CompositeOptions, ConditionOptions
from edge_agent.rules.options import PublishOptions
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.wire import build_agent
from edge_agent.sources.reader import SourceStatus
from tests.support.agent import belt_config
from tests.support.configs import good
from tests.support.runtime import LOST, MESSAGES, WALL, Rig, Told, cat, hold_time

BOTH = CompositeOptions(
    {"cat": ConditionOptions("door", "cat"), "dog": ConditionOptions("yard", "dog")}, within=10.0
)


class House:
    """The pipelines "door" and "yard", and the composite "both"."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.time = hold_time(monkeypatch, "pipeline", "reporter")
        self.outbox = Told()
        self.shown: list[Event] = []
        self.composites = Composites(
            Identity("dev", "boot"), MESSAGES, self.outbox, self.shown.extend, self.time
        )
        self.rigs = {
            name: Rig(
                name, on_events=self.composites.note, outbox=self.outbox, time=self.time
            ).begin()
            for name in ("door", "yard")
        }
        self.composites.serve({"both": BOTH})
        self.look()

    def see(self, where: str, what: str, after: float = 0.1) -> None:
        """A pipeline sees something."""
        self.rigs[where].see(cat(label=what), after=after)

    def look(self, after: float = 0.0) -> None:
        """Pass some time, then let the agent look at everything."""
        self.time.now += after
        for rig in self.rigs.values():
            rig.tick()
        self.composites.look({n: rig.pipeline.status.online for n, rig in self.rigs.items()})

    def lose(self, where: str) -> None:
        """The source of a pipeline goes away."""
        self.rigs[where].pipeline.source_changed(SourceStatus(False, "unplugged"))

    @property
    def told(self) -> Sequence[str]:
        """What happened to the composite."""
        return self.outbox.types("both")

    @property
    def count(self) -> str | None:
        """Its retained count."""
        return self.outbox.states().get("both/counts/both")


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    """Two pipelines that are online, and nothing seen yet."""
    return House(monkeypatch)


def test_it_is_told_and_counted_as_a_pipeline_is(house: House) -> None:
    """After what brought it about, with the same payload; one id from its beginning to its end."""
    assert house.count == "0"
    house.see("door", "cat")
    assert house.told == []
    house.see("yard", "dog", after=1.0)
    assert (house.told, house.count) == (["new"], "1")
    house.lose("door")
    house.lose("yard")
    house.look(after=LOST)
    house.look(after=9.9)
    assert house.told == ["new"]
    house.look(after=0.1)
    assert (house.told, house.count) == (["new", "end"], "0")
    new, end = house.outbox.events("both")
    for each in (new, end):
        Draft202012Validator(load_schema("event")).validate(each)
    assert (new["kind"], new["label"], new["track"], new["box"]) == ("class", "both", None, None)
    assert new["time"] == new["start_time"] == end["start_time"] == WALL + 1.1
    assert end["end_time"] == end["time"] == pytest.approx(WALL + 1.1 + LOST + 10.0)
    assert new["id"] == end["id"]
    assert new["model"]["name"] == "m"
    assert new["seq"] == house.outbox.events("yard")[0]["seq"] + 1
    assert [each.type for each in house.shown] == ["new", "end"]


def test_what_came_too_early_does_not_count(house: House) -> None:
    """Ten seconds after the cat has gone a dog is a dog."""
    house.see("door", "cat")
    house.lose("door")
    house.look(after=LOST)
    house.see("yard", "dog", after=10.0)
    assert house.told == []


def test_it_is_online_while_all_its_pipelines_are(house: House) -> None:
    """Its state cannot be relied on where one of them is blind."""
    house.lose("yard")
    house.look()
    house.rigs["yard"].begin()
    house.look()
    assert house.outbox.of("both/status") == ["offline", "online", "offline", "online"]


def test_nothing_stays_on_at_the_end(house: House) -> None:
    """However it ends: the pipelines first, then it; twice is once."""
    house.see("door", "cat")
    house.see("yard", "dog")
    for rig in house.rigs.values():
        rig.pipeline.stop()
    house.composites.stop()
    house.composites.stop()
    assert (house.told, house.count) == (["new", "end"], "0")
    assert house.outbox.states()["both/status"] == "offline"


def test_a_fault_of_a_pipeline_ends_it(house: House) -> None:
    """A stage that breaks ends what was followed, and with that the condition."""
    house.composites.serve({"both": CompositeOptions(BOTH.all)})
    house.see("door", "cat")
    house.see("yard", "dog")
    house.rigs["door"].fuse.blown = {"tracker"}
    house.see("door", "cat")
    assert house.told == ["new", "end"]


def test_the_same_goes_on_over_a_reload(house: House) -> None:
    """Nothing blinks."""
    house.see("door", "cat")
    house.see("yard", "dog")
    before = len(house.outbox.messages)
    house.composites.serve({"both": CompositeOptions(dict(BOTH.all), BOTH.within)})
    assert len(house.outbox.messages) == before


def test_a_changed_one_begins_anew_and_knows_what_is_there(house: House) -> None:
    """What pipelines that went on still see is not told again by them."""
    house.see("door", "cat")
    house.see("yard", "dog")
    house.composites.serve({"both": CompositeOptions(BOTH.all, within=1.0)})
    assert (house.told, house.count) == (["new", "end", "new"], "1")
    first, _, second = house.outbox.events("both")
    assert first["id"] != second["id"]


def test_a_new_one_begins_when_the_last_of_its_conditions_did(house: House) -> None:
    """In whatever order what is there was told before."""
    house.see("yard", "dog")
    house.see("door", "cat", after=1.0)
    house.rigs["yard"].see(cat(0.6, "dog"), after=1.0)  # it has moved: told again
    house.composites.serve({"later": BOTH})
    (new,) = house.outbox.events("later")
    assert new["time"] == pytest.approx(WALL + 2.1)


def test_pipelines_that_publish_no_events_count_too(house: House) -> None:
    """What a composite goes by need not go out."""
    silent = Rig(
        "door",
        on_events=house.composites.note,
        publish=PublishOptions(events=False),
        time=house.time,
    )
    silent.begin().see(cat())
    house.see("yard", "dog")
    assert house.told == ["new"]
    assert silent.outbox.events("door") == []


def test_one_that_leaves_takes_its_states_along(house: House) -> None:
    """It is ended, and the broker forgets it."""
    house.see("door", "cat")
    house.see("yard", "dog")
    house.composites.serve({})
    assert house.told == ["new", "end"]
    states = house.outbox.states()
    assert (states["both/status"], states["both/counts/both"]) == ("", "")
    house.see("yard", "dog")
    assert house.composites.names == ()


def test_the_wall_clock_may_be_set(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durations are those of the monotonic clock, whatever the wall says."""
    house.see("door", "cat")
    house.see("yard", "dog")
    for where in house.rigs:
        house.lose(where)
    monkeypatch.setattr(house.time, "time", lambda: WALL - 1e6)
    house.look(after=LOST)
    house.look(after=9.9)
    assert house.told == ["new"]
    house.look(after=0.2)
    assert house.told == ["new", "end"]


def test_a_reload_of_the_agent_brings_and_takes_them(tmp_path: Path) -> None:
    """They are in the configuration beside the pipelines, and need no new agent."""
    values = belt_config(1)
    agent = build_agent(good(tmp_path, json.dumps(values)), publish=False)
    gear = {"gear": {"pipeline": "belt", "label": "gear"}}
    values["composites"] = {"both": {"all": gear}}
    assert agent.apply(good(tmp_path, json.dumps(values)))
    assert list(agent._composites.names) == ["both"]
    del values["composites"]
    assert agent.apply(good(tmp_path, json.dumps(values)))
    assert list(agent._composites.names) == []
    agent.stop()
