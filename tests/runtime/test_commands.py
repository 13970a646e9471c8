"""Commands carried out: switches, thresholds, pictures, reload and restart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.schema import Config
from edge_agent.errors import ConfigError
from edge_agent.mqtt.commands import Command, CommandRefused, Reply
from edge_agent.runtime.commands import CommandDesk
from edge_agent.runtime.overrides import Overrides
from tests.support.runtime import MESSAGES, Rig, Told, cat, outcome


class Office:
    """A desk for pipelines "p" and "q" of one device; `ask` carries a command out at once."""

    def __init__(self, overrides: Overrides | None = None, reload: Any = None) -> None:
        self.outbox = Told()
        self.rigs = {name: Rig(name, outbox=self.outbox) for name in "pq"}
        self.applied: list[Any] = []
        self.can_apply = True
        self.has_models = False
        self.desk = CommandDesk(overrides or Overrides(), MESSAGES, self.outbox, reload)
        self.desk.serve([rig.pipeline for rig in self.rigs.values()])
        for rig in self.rigs.values():
            rig.begin()

    def inspect(self) -> dict[str, Any]:
        """Stands for what runs and how it does."""
        return {"info": {"a": 1}, "health": {}}

    def apply(self, config: Any) -> bool:
        """Note a new configuration."""
        self.applied.append(config)
        return self.can_apply

    def renew_models(self) -> bool:
        """No file of a model has changed, unless the test says so."""
        return self.has_models

    def swap_model(self, name: str | None, version: str | None) -> dict[str, Any]:
        """Stands for a swap that begins."""
        if name == "none":
            raise CommandRefused("there is none")
        return {"model": name, "version": version}

    def ask(self, name: str, **more: Any) -> dict[str, Any]:
        """The answer to a command."""
        assert self.desk.hand_over(Command(name, Reply("me", b"c"), **more))
        self.desk.work(self)
        message = self.outbox.messages[-1]
        assert (message.topic, message.correlation, message.retain) == ("me", b"c", False)
        answer: dict[str, Any] = json.loads(message.payload)
        return answer


def test_a_pipeline_is_switched_off_and_on() -> None:
    """Off: what was followed ends, counts are 0, frames pass by. On: everything works again."""
    office = Office()
    rig = office.rigs["p"]
    rig.see(cat())
    answer = office.ask("enabled", pipeline="p", value=False)
    assert answer["result"] == {"pipeline": "p", "enabled": False}
    rig.see(cat())
    assert rig.outbox.types() == ["new", "end"]
    assert rig.outbox.of("p/counts/cat") == ["0", "1", "0"]
    assert rig.outbox.of("p/enabled/state") == ["ON", "OFF"]
    assert rig.pipeline.metrics.counts.gated == 1
    resets = rig.gates[-1].resets
    assert resets > 0
    office.ask("enabled", pipeline="p", value=True)
    rig.see(cat())
    assert rig.outbox.types() == ["new", "end", "new"]
    assert office.rigs["q"].pipeline.enabled


def test_a_frame_under_way_when_it_is_switched_off() -> None:
    """What the model answers afterwards makes no event."""
    office = Office()
    rig = office.rigs["p"]
    rig.take_in()
    job = rig.job()
    office.ask("enabled", pipeline="p", value=False)
    assert job is not None
    rig.pipeline.complete(job, outcome(cat()))
    assert rig.outbox.types() == []


def test_the_threshold_is_set() -> None:
    """The worker asks for it at the next frame; the state says so."""
    office = Office()
    office.ask("threshold", pipeline="q", value=0.75)
    assert office.rigs["q"].pipeline.threshold == 0.75
    assert office.rigs["p"].pipeline.threshold == 0.5
    assert office.outbox.of("q/threshold/state") == ["0.5", "0.75"]


def test_what_was_set_survives_a_restart(tmp_path: Path) -> None:
    """A new process begins with it; what the file says meanwhile is the last word."""
    path = tmp_path / "dev.overrides.json"
    office = Office(Overrides(path))
    office.ask("enabled", pipeline="p", value=False)
    office.ask("threshold", pipeline="p", value=0.75)
    office.ask("threshold", pipeline="q", value=0.9)
    office.ask("threshold", pipeline="q", value=0.5)
    again = Office(Overrides(path))
    assert not again.rigs["p"].pipeline.enabled
    assert again.rigs["p"].pipeline.threshold == 0.75
    assert again.outbox.of("p/enabled/state") == ["OFF"]
    assert again.rigs["q"].pipeline.threshold == 0.5
    assert Overrides(path).get("p", "threshold", 0.6) == 0.6


@pytest.mark.parametrize("content", ["", "[", "[]", '{"p": 1}', '{"p": {"enabled": {}}}', "\0"])
def test_a_damaged_file_is_said_and_ignored(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The configuration holds, and the next command writes the file anew."""
    path = tmp_path / "o.json"
    path.write_text(content)
    overrides = Overrides(path)
    assert "the configuration holds" in caplog.text
    assert overrides.get("p", "threshold", 0.5) == 0.5
    overrides.set("p", "threshold", 0.7, 0.5)
    assert Overrides(path).get("p", "threshold", 0.5) == 0.7


def test_a_folder_that_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The value holds until the restart, and the log says that it will not hold longer."""
    overrides = Overrides(tmp_path / "none" / "o.json")
    overrides.set("p", "enabled", False, True)
    assert overrides.get("p", "enabled", True) is False
    assert "until the restart only" in caplog.text


def test_ping_and_inspect() -> None:
    """The uptime; what runs, how it does and what is set."""
    office = Office()
    assert office.ask("ping")["result"]["uptime"] >= 0.0
    result = office.ask("inspect")["result"]
    assert result["info"] == {"a": 1}
    assert result["settings"]["p"] == {"enabled": True, "threshold": 0.5}


def test_reload() -> None:
    """A changed file is applied, the same file does nothing; by a command and by a signal."""
    fresh = Config()
    answers = iter([None, fresh, fresh])
    office = Office(reload=lambda: next(answers))
    assert office.ask("reload")["result"] == {"changed": False}
    assert office.ask("reload")["result"] == {"changed": True}
    office.desk.reload_soon()
    office.desk.work(office)
    office.desk.work(office)
    assert office.applied == [fresh, fresh]
    assert office.desk.wish is None


def test_another_model() -> None:
    """A command names it; a reload finds the file that is another one under the same name."""
    office = Office(reload=lambda: None)
    answer = office.ask("model", model="coco", version="2")
    assert answer["result"] == {"model": "coco", "version": "2"}
    assert office.ask("model", model="none")["error"] == "there is none"
    office.has_models = True
    assert office.ask("reload")["result"] == {"changed": True}


def test_what_takes_a_new_agent() -> None:
    """Where the running agent cannot be brought in line, it is to begin anew."""
    office = Office(reload=Config)
    office.can_apply = False
    assert office.ask("reload")["ok"]
    assert office.desk.wish == "reload"


@pytest.mark.parametrize("command", ["reload", "restart"])
def test_a_file_with_mistakes_is_refused(command: str) -> None:
    """The old configuration stays, and the answer has the mistakes, not more than ten."""

    def reload() -> Config:
        raise ConfigError(tuple(f"c.yaml:{line}:1: wrong" for line in range(12)))

    office = Office(reload=reload)
    answer = office.ask(command)
    assert not answer["ok"]
    assert answer["error"].splitlines()[-2:] == ["c.yaml:9:1: wrong", "... and 2 more"]
    assert office.desk.wish is None
    assert office.applied == []


def test_a_signal_with_a_file_with_mistakes(caplog: pytest.LogCaptureFixture) -> None:
    """The log has them, and the old configuration stays."""

    def reload() -> Config:
        raise ConfigError(("c.yaml:1:1: wrong",))

    office = Office(reload=reload)
    office.desk.reload_soon()
    office.desk.work(office)
    assert "the old configuration stays:\nc.yaml:1:1: wrong" in caplog.text


def test_without_a_file_only_a_restart_is_possible() -> None:
    """There is nothing to read anew."""
    office = Office()
    assert "without a configuration file" in office.ask("reload")["error"]
    assert office.ask("restart")["ok"]
    assert office.desk.wish == "restart"


@pytest.mark.parametrize(
    ("name", "value"), [("enabled", False), ("threshold", 0.7), ("snapshot", None)]
)
def test_a_pipeline_that_left_while_its_command_waited(name: str, value: Any) -> None:
    """A reload takes its turn first: the command is refused with the reason, the next is served."""
    office = Office()
    office.desk.serve([office.rigs["q"].pipeline])
    assert office.ask(name, pipeline="p", value=value)["error"] == "there is no pipeline p"
    assert office.rigs["p"].pipeline.enabled
    assert office.ask("ping")["ok"]


def test_pictures_are_refused_where_none_are_allowed() -> None:
    """A command never gets a picture that the configuration does not allow."""
    assert "publish: {snapshots: full}" in Office().ask("snapshot", pipeline="p")["error"]


def test_no_picture_is_promised_that_cannot_come() -> None:
    """A pipeline that is switched off takes none, and the command says so; switched on it does."""
    office = Office()
    pictures = office.rigs["p"].pipeline.snapshots
    pictures.allowed = True
    office.ask("enabled", pipeline="p", value=False)
    assert office.ask("snapshot", pipeline="p")["error"] == "p is switched off"
    office.ask("enabled", pipeline="p", value=True)
    assert office.ask("snapshot", pipeline="p")["result"] == {"pipelines": ["p"]}


def test_only_so_many_wait() -> None:
    """Beyond that the desk says no; what waits is carried out in order."""
    office = Office()
    taken = [office.desk.hand_over(Command("ping", Reply(f"me/{n}"))) for n in range(40)]
    assert taken == [True] * 32 + [False] * 8
    office.desk.work(office)
    topics = [message.topic for message in office.outbox.messages[-32:]]
    assert topics == [f"me/{n}" for n in range(32)]
