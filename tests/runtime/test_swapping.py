"""Who asked for another model, what is kept of it, and what becomes of the store."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edge_agent.config.schema import Config
from edge_agent.engines.base import Engine
from edge_agent.errors import ModelError
from edge_agent.event import ModelRef, ModelStep
from edge_agent.modelstore import Entry, Manifest, ModelStore
from edge_agent.modelstore.files import sha256_of
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.mqtt.commands import CommandRefused
from edge_agent.runtime import swapping
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.marks import Marks, marked
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.swapping import Swaps
from tests.support.agent import belt_config
from tests.support.broker import wait_until
from tests.support.configs import good
from tests.support.runtime import MESSAGES, FakeInference, Told, cat, live_frame

Answer = Callable[[int], Any]


class Warm(FakeInference):
    """A model that can be warmed up, and is told in the log."""

    engine = cast("Engine", SimpleNamespace(runtime="fake", device="fake"))
    decoder_why = ""

    def warm_up(self) -> None:
        """Do nothing."""


class Device:
    """Models of a store in an assembly; what a version answers the test decides."""

    def __init__(self, folder: Path, *models: str) -> None:
        self.folder = folder
        self.store = ModelStore(folder / "state" / "models")
        self.marks_file = folder / "marks.json"
        self.install("1")
        self.models = models or ("a",)
        self.answers: dict[str, Answer] = {}
        self.kinds: dict[str, Any] = {}
        self.gates: dict[str, threading.Event] = {}  # a version is not open before
        self.broken: set[str] = set()  # versions that do not open
        self.steps: list[tuple[str, str, str]] = []
        self.reasons: list[str] = []
        self.opened: list[str] = []
        self.number = 0
        self.begin()

    def begin(self) -> None:
        """Begin as a start of the agent does."""
        outbox = Told()
        self.assembly = Assembly(
            Identity("dev", "boot"), MESSAGES, outbox, self._open, lambda _: None
        )
        self.assembly.fit(self.config())
        self.swaps = Swaps(
            self.assembly,
            self._open,
            self.store,
            UpdatesOptions(watch=0.05),
            Marks(self.marks_file),
            self._tell,
        )
        self.swaps.rebuild = self._rebuild
        self.swaps.recover()
        for ward in self.assembly.models:
            ward.start()

    def config(self, **models: Any) -> Config:
        """Of one pipeline for each model."""
        values = belt_config(1)
        values["sources"]["clip"]["pace"] = "loop"
        values["agent"]["state_dir"] = str(self.folder / "state")
        values["models"] = models or {name: {"file": "parts"} for name in self.models}
        values["pipelines"] = {
            f"p-{name}": {"source": "clip", "model": name} for name in values["models"]
        }
        return good(self.folder, json.dumps(values))

    def install(self, version: str) -> Entry:
        """Put a version to use in the store."""
        file = self.folder / f"{version}.tflite"
        file.write_text(version)
        return self.store.install(Manifest("parts", version, "", "", 0), file)

    def in_use(self) -> str:
        """The version that the store has in use."""
        entry = self.store.find("parts")
        assert entry is not None
        return entry.manifest.version

    def running(self, name: str = "a") -> str:
        """The version of a model that is at work; empty where none is."""
        ward = self.assembly.model(name)
        inference = None if ward is None or ward.failed else ward.unit.inference
        return "" if inference is None else str(inference.info)

    def look(self) -> None:
        """What the agent's thread does, with a frame for each pipeline."""
        self.swaps.look()
        for ward in self.assembly.models:
            ward.check()
        for pipeline in self.assembly.pipelines:
            pipeline.intake(live_frame(self.number))
        self.number = (self.number + 1) % 256

    def wait_for(self, *stages: str, model: str = "a") -> str:
        """Wait until these are the steps of a model; the last reason."""

        def come() -> bool:
            self.look()
            return [step for name, step, _ in self.steps if name == model] == list(stages)

        wait_until(come, 10.0, lambda: f"{self.steps} {self.reasons}")
        return self.reasons[-1]

    def wait_until_running(self, version: str, model: str = "a") -> None:
        """Wait until a version is at work, and nothing is under way any more."""

        def comes() -> bool:
            self.look()
            return self.running(model) == version and not self.swaps.busy_with(model)

        wait_until(comes, 10.0, lambda: f"{self.steps} {self.reasons}")

    def stop(self) -> None:
        """End as the agent does."""
        for gate in self.gates.values():
            gate.set()
        for ward in self.assembly.models:
            ward.stop(0.2)
        self.swaps.stop()

    def crash(self) -> None:
        """End as a crash does: nothing is told, nothing is put in order."""
        for ward in self.assembly.models:
            ward.stop(2.0)

    def _open(self, config: Config, name: str) -> Inference:
        file = config.models[name].file
        version = file.read_text()
        self.opened.append(version)
        if version in self.gates:
            assert self.gates[version].wait(10.0)
        if version in self.broken:
            raise ModelError(f"{version} is broken")
        ref = ModelRef(name, sha256_of(file), "numpy")
        answer = self.answers.get(version, lambda _: [cat()])
        inference = Warm(answer, ref, self.kinds.get(version, "object"))
        inference.info = version  # type: ignore[assignment]
        return inference

    def _rebuild(self, config: Config) -> None:
        change = self.assembly.fit(config)
        for ward in change.stopped:
            ward.stop(2.0)
        self.assembly.attach(change)
        for ward in change.started:
            if ward in self.assembly.models:
                ward.start()

    def reload(self, config: Config) -> None:
        """What the agent does with a changed file."""
        self._rebuild(self.swaps.hold(config))

    def _tell(self, step: ModelStep) -> None:
        self.steps.append((step.model, step.stage, step.version or ""))
        self.reasons.append(step.reason)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is looked at with every look."""
    monkeypatch.setattr(swapping, "_FOLLOW", 0.0)
    monkeypatch.setattr("edge_agent.runtime.assembly._warn_of_unknown_labels", lambda *_: None)


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    """A device at work."""
    device = Device(tmp_path)
    device.wait_until_running("1")
    yield device
    device.stop()


def test_a_version_that_comes_while_another_is_about_to_open(tmp_path: Path) -> None:
    """It waits for that one, so that what is told is what runs."""
    device = Device(tmp_path)
    device.stop()
    device.gates["1"] = threading.Event()
    device.begin()
    device.install("2")
    device.wait_for("trying")
    wait_until(lambda: "2" in device.opened)
    time.sleep(0.05)
    device.look()
    assert len(device.steps) == 1
    device.gates["1"].set()
    device.wait_for("trying", "swapped", "kept")
    assert device.running() == "2"
    device.stop()


def test_another_kind_under_the_same_name(device: Device) -> None:
    """A reload for a file of another kind brings that into use, not only says so."""
    file = device.folder / "mine.tflite"
    file.write_text("one")
    device.kinds["another"] = "class"
    device.reload(device.config(a={"file": str(file)}))
    device.wait_until_running("one")
    device.steps.clear()
    file.write_text("another")
    assert device.swaps.renew()
    device.wait_for("trying", "swapped", "kept")
    device.wait_until_running("another")
    assert device.swaps.renew() is False


def test_the_version_in_use_was_evicted(device: Device) -> None:
    """The agent follows its store on."""
    device.broken.update("234")
    for version in "234":
        device.install(version)
    device.wait_until_running("1")
    assert device.in_use() == "2"
    device.install("5")
    device.wait_until_running("5")
    assert device.in_use() == "5"


def test_a_model_that_was_removed_and_comes_again(device: Device) -> None:
    """What runs goes on, and the next version that comes is taken."""
    device.store.remove("parts")
    for _ in range(5):
        device.look()
    assert device.running() == "1"
    with pytest.raises(CommandRefused, match="No such file"):
        device.swaps.request("a", None)
    device.install("2")
    device.wait_for("trying", "swapped", "kept")
    assert device.running() == "2"


def test_a_reload_takes_away_the_model_that_is_watched(device: Device) -> None:
    """That is no fault of it: the store keeps it."""
    device.install("2")
    device.wait_for("trying", "swapped")
    device.reload(device.config(b={"file": "parts"}))
    assert device.wait_for("trying", "swapped", "kept") == "it is not used any more"
    assert device.in_use() == "2"


def test_a_reload_takes_away_the_model_that_is_tried(device: Device) -> None:
    """Nor is it then."""
    device.gates["2"] = threading.Event()
    device.install("2")
    device.wait_for("trying")
    device.reload(device.config(b={"file": "parts"}))
    device.gates["2"].set()
    assert device.wait_for("trying", "refused") == "it is not used any more"
    assert device.in_use() == "2"


def test_what_did_no_good_is_installed_again(device: Device) -> None:
    """Whoever does that wants it tried again."""
    device.broken.add("2")
    device.install("2")
    device.wait_for("trying", "refused")
    assert device.in_use() == "1"
    device.broken.clear()
    device.install("2")
    device.wait_for("trying", "refused", "trying", "swapped", "kept")
    assert device.running() == "2"


def test_a_second_thought(device: Device) -> None:
    """What the YAML says last is what runs, also where the first thought was under way."""
    file = device.folder / "mine.tflite"
    file.write_text("mine")
    device.gates["mine"] = threading.Event()
    device.reload(device.config(a={"file": str(file)}))
    device.wait_for("trying")
    device.reload(device.config())
    device.gates["mine"].set()
    device.wait_until_running("1")
    assert device.steps[-1][1:] == ("kept", "1")


def test_what_is_refused_is_not_tried_twice(device: Device) -> None:
    """Also where a reload asked for it while it was under way."""
    device.broken.add("2")
    device.gates["2"] = threading.Event()
    device.install("2")
    device.wait_for("trying")
    device.reload(device.config())
    device.gates["2"].set()
    device.wait_for("trying", "refused")
    for _ in range(20):
        device.look()
    assert len(device.steps) == 2
    assert device.in_use() == "1"


def test_taken_back_by_hand_while_it_is_watched(device: Device) -> None:
    """`models rollback` is heeded at once."""
    device.install("2")
    device.wait_for("trying", "swapped")
    device.store.rollback("parts")
    reason = device.wait_for("trying", "swapped", "rolled_back")
    assert reason == "the store has version 1 in use by now"
    device.wait_until_running("1")
    assert device.in_use() == "1"


def test_two_versions_in_a_row(device: Device) -> None:
    """The first one does not come into use when the second is there."""
    device.gates["2"] = threading.Event()
    device.install("2")
    device.wait_for("trying")
    device.install("3")
    device.gates["2"].set()
    device.wait_for("trying", "refused", "trying", "swapped", "kept")
    assert (device.running(), device.in_use()) == ("3", "3")


def test_a_version_that_is_damaged(device: Device) -> None:
    """It is refused, and the one before stays."""
    device.install("2")
    device.wait_for("trying", "swapped", "kept")
    (device.store.folder / "parts" / "1" / "parts.tflite").write_text("x")
    assert device.swaps.request("a", "1")["changed"]
    device.wait_until_running("2")
    assert device.steps[-1][1:] == ("refused", "1")
    assert "it is damaged in the store" in device.reasons[-1]
    assert device.in_use() == "2"


def test_a_mark_that_cannot_be_written(device: Device) -> None:
    """The model is refused: if it crashed the agent, that would not be known at the next start."""
    device.marks_file.mkdir()
    device.install("2")
    assert "it cannot be noted on the disk" in device.wait_for("trying", "refused")
    assert (device.running(), device.in_use()) == ("1", "1")
    device.marks_file.rmdir()


@pytest.mark.parametrize("models", ["a", "ab"])
def test_a_crash_under_models_that_share_a_version(tmp_path: Path, models: str) -> None:
    """The store goes back by one version, not by one for each of them."""
    device = Device(tmp_path, *models)
    device.install("2")
    for name in models:
        device.wait_until_running("2", name)
    entry = device.install("3")
    marks = Marks(device.marks_file)
    marks.read()
    for name in models:
        marks.set(name, entry)
    device.crash()
    device.steps.clear()
    device.begin()
    for name in models:
        device.wait_until_running("2", name)
    assert device.steps == [(name, "rolled_back", "3") for name in models]
    assert device.in_use() == "2"
    assert Marks(device.marks_file).read() == {}
    device.crash()
    device.begin()
    assert (len(device.steps), device.in_use()) == (len(models), "2"), "and no further"
    device.stop()


def test_one_of_two_models_does_worse(tmp_path: Path) -> None:
    """Both go back to what the store has then."""
    device = Device(tmp_path, "a", "b")
    for name in "ab":
        device.wait_until_running("1", name)
    seen: list[int] = []

    def once(number: int) -> Any:
        seen.append(number)
        if len(seen) == 3:
            raise ModelError("no luck")
        return [cat()]

    device.answers["2"] = once
    device.install("2")
    device.wait_for("trying")
    for name in "ab":
        device.wait_until_running("1", name)
    assert sorted(step for _, step, _ in device.steps).count("rolled_back") == 2
    assert device.in_use() == "1"
    device.stop()


def test_older_versions_are_tried_in_turn(device: Device) -> None:
    """Where none in use opens, the one before those is found without a moment of nothing to do."""
    device.install("2")
    device.wait_for("trying", "swapped", "kept")
    device.stop()
    device.install("3")
    device.broken.update("23")
    device.steps.clear()
    device.begin()
    ward = device.assembly.model("a")
    assert ward is not None
    wait_until(lambda: ward.unit.failure is not None and not ward.unit.alive, 10.0)
    ward.check()
    while ward.hopeless:
        device.swaps.look()
        assert device.swaps.busy_with("a") or not ward.hopeless
    assert [step[1:] for step in device.steps] == [
        ("refused", "3"),
        ("trying", "2"),
        ("refused", "2"),
        ("trying", "1"),
        ("swapped", "1"),
        ("kept", "1"),
    ]


def test_a_store_that_cannot_be_read(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, and what runs goes on."""
    (device.store.folder / "parts" / "index.json").write_text("{")
    for _ in range(20):
        device.look()
    assert len([each for each in caplog.messages if "is damaged" in each]) == 1
    assert device.running() == "1"
    device.install("2")
    device.wait_for("trying", "swapped", "kept")


def test_a_mark_while_it_is_watched(device: Device) -> None:
    """It is on the disk before the model comes into use, and gone when it is kept."""
    entry = device.install("2")
    device.wait_for("trying", "swapped")
    assert Marks(device.marks_file).read() == {"a": marked(entry)}
    device.wait_for("trying", "swapped", "kept")
    assert Marks(device.marks_file).read() == {}


def test_an_end_while_a_model_hangs(device: Device) -> None:
    """Also where somebody is faster than the agent to see it, the next start does without it."""
    going_on = threading.Event()
    device.answers["2"] = lambda _: going_on.wait(10.0) and []
    device.install("2")
    device.wait_for("trying", "swapped")
    ward = device.assembly.model("a")
    assert ward is not None
    wait_until(lambda: device.look() or ward.unit.busy_for() > 0.05)  # type: ignore[func-returns-value]
    device.stop()
    going_on.set()
    device.steps.clear()
    device.begin()
    device.wait_until_running("1")
    assert [step[1:] for step in device.steps] == [("rolled_back", "2")]


@pytest.mark.parametrize("frames", [0, 25])
def test_a_crash_under_a_version_that_a_start_opened(device: Device, frames: int) -> None:
    """It is taken back as one that came while the agent ran, unless it had worked for a while."""
    device.stop()
    device.install("2")
    device.begin()
    wait_until(lambda: device.running() == "2")
    if frames:
        wait_until(lambda: device.look() or not Marks(device.marks_file).read())  # type: ignore[func-returns-value]
    device.crash()
    device.begin()
    after = "2" if frames else "1"
    device.wait_until_running(after)
    assert [step[1:] for step in device.steps] == ([] if frames else [("rolled_back", "2")])
    assert device.in_use() == after


def test_a_good_end_under_a_version_that_a_start_opened(device: Device) -> None:
    """It says nothing against it, and the next start looks again."""
    for number in range(2):
        device.stop()
        if not number:
            device.install("2")
        device.begin()
        wait_until(lambda: device.running() == "2")
        assert list(Marks(device.marks_file).read()) == ["a"]
    assert device.steps == []


def test_a_wish_that_comes_to_nothing(device: Device) -> None:
    """A version under a mark is watched on, so that a good end takes the mark away."""
    device.stop()
    device.install("2")
    device.begin()
    wait_until(lambda: device.running() == "2")
    file = device.folder / "mine.tflite"
    file.write_text("mine")
    device.reload(device.config(a={"file": str(file)}))
    device.reload(device.config())
    device.swaps.look()
    assert not device.swaps.busy_with("a")
    device.stop()
    assert Marks(device.marks_file).read() == {}
    assert device.steps == []
