"""Models that take another's place in the running daemon, while it publishes on."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.schema import ModelConfig
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.modelstore.check import install_release
from edge_agent.runtime.golden import make_golden
from edge_agent.runtime.opening import open_inference
from edge_agent.sources.pictures import load_picture
from tests.support.agent import BASE, ROOT, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.cli import MODEL, belt_frame
from tests.support.commander import Commander
from tests.support.releases import Maker
from tests.support.variants import write_other, write_same, write_slow

CRASHES = """
import os, sys
if "edge_agent.engines.probe" in sys.orig_argv and "/parts/crashing/" in sys.orig_argv[-1]:
    os.kill(os.getpid(), 11)
"""
ENDS = """
import os, sys, time
if "run" in sys.orig_argv:
    from edge_agent.engines.numpy.engine import NumpyEngine
    from edge_agent.errors import InferenceError
    init, run, fill = NumpyEngine.__init__, NumpyEngine.run, NumpyEngine.fill
    def opened(self, model, *words):
        init(self, model, *words)
        ends = [each for each in ENDS if f"/parts/{each}/" in str(model)]
        self.left, self.end = (10, ENDS[ends[0]]) if ends else (10 ** 9, None)
    def count(self, *tensors):
        self.left -= 1
        if self.left < 0:
            self.end()
        return run(self, *tensors)
    def fail():
        raise InferenceError("out of luck")
    ENDS = {
        "failing": fail,
        "hanging": lambda: time.sleep(1000),
        "killing": lambda: os.kill(os.getpid(), 11),
    }
    NumpyEngine.__init__, NumpyEngine.run = opened, count
"""


class Device:
    """A running agent whose model is version "1" of "parts" in its store."""

    def __init__(
        self, folder: Path, port: int, subscriber: Subscriber, maker: Maker | None = None
    ) -> None:
        self.store = ModelStore(folder / "state" / "models")
        self.said = subscriber
        self.ask = Commander(subscriber)
        self.folder = folder
        if maker is None:
            self.good = self.install(Path(MODEL), "1")
        else:
            release = maker.release(Path(MODEL).read_bytes(), name="parts", golden=None)
            self.good = install_release(self.store, release, [maker.key]).manifest.sha256
        config = belt_config(port, publish={"detections": True})
        config["agent"]["state_dir"] = str(folder / "state")
        config["models"]["parts"] = {"file": "parts", "engine": "numpy"}
        config["sources"]["clip"]["pace"] = "loop"
        config["updates"] = {"watch": "1s", "keys": [str(maker.key)] if maker else []}
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text(CRASHES + ENDS)
        self.agent = AgentProcess(folder, config, ("env", f"PYTHONPATH={site}:{ROOT}"))

    def install(self, file: Path, version: str, golden: Path | None = None) -> str:
        """Put a version to use in the store; its SHA-256."""
        samples = [] if golden is None else [golden]
        manifest = Manifest("parts", version, "", "", 0)
        return self.store.install(manifest, file, samples).manifest.sha256

    def in_use(self) -> str:
        """The version that the store has in use."""
        entry = self.store.find("parts")
        assert entry is not None
        return entry.manifest.version

    def steps(self) -> list[dict[str, Any]]:
        """Steps of models so far, without those that came twice."""
        said = [json.loads(each) for each in self.said.of(f"{BASE}/model")]
        return list({(each["stage"], each["time"]): each for each in said}.values())

    def wait_for(self, *stages: str) -> dict[str, Any]:
        """Wait until these are all steps; the last of them."""
        wait_until(
            lambda: [each["stage"] for each in self.steps()] == list(stages),
            30.0,
            lambda: f"{self.steps()}\n{self.agent.said}",
        )
        return self.steps()[-1]

    def frames(self) -> list[dict[str, Any]]:
        """What was found in each frame so far."""
        return [json.loads(each) for each in self.said.of(f"{BASE}/belt/detections")]

    def goes_on_with(self, sha256: str) -> None:
        """Wait for some more frames, all of them by that model; no pipeline went offline."""
        count = len(self.frames())
        wait_until(lambda: len(self.frames()) > count + 8, 30.0, lambda: self.agent.said)
        assert {each["model"]["sha256"] for each in self.frames()[count + 3 :]} == {sha256}
        assert self.said.of(f"{BASE}/belt/status")[-1] == b"online"
        assert self.said.of(f"{BASE}/belt/status").count(b"offline") <= 1  # from the start
        assert "Traceback" not in self.agent.said

    def goes_on(self, sha256: str) -> None:
        """Wait for some more frames, the last of them by that model."""
        count = len(self.frames())
        wait_until(lambda: len(self.frames()) > count + 5, 30.0, lambda: self.agent.said)
        assert self.frames()[-1]["model"]["sha256"] == sha256

    def missing(self) -> int:
        """Frames that were not inferred between the first and the last."""
        numbers = [each["frame"] for each in self.frames()]
        return int(numbers[-1] - numbers[0]) + 1 - len(numbers)


@pytest.fixture
def device(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> Iterator[Device]:
    """A device at work."""
    device = Device(tmp_path, broker.port, subscriber)
    with device.agent:
        wait_until(lambda: len(device.frames()) > 3, 30.0, lambda: device.agent.said)
        yield device
        if device.agent.alive:
            assert device.agent.terminate() == 0


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A golden sample of the bundled detector."""
    inference = open_inference("m", ModelConfig(file=Path(MODEL)))
    picture = load_picture(belt_frame(tmp_path / "belt.png"))
    make_golden(inference, inference.writer(picture), tmp_path / "sample.npz")
    inference.close()
    return tmp_path / "sample.npz"


def test_a_good_one(device: Device, tmp_path: Path, sample: Path) -> None:
    """It comes into use between two frames, objects are followed on, and it is kept."""
    good = device.install(write_same(tmp_path / "same.tflite"), "2", sample)
    step = device.wait_for("trying", "swapped", "kept")
    assert (step["sha256"], step["version"], step["before"]) == (good, "2", device.good)
    device.goes_on_with(good)
    assert device.missing() <= 2
    followed = {
        each["track"] for each in events(device.said) if each["model"]["sha256"] == device.good
    }

    def is_followed_on() -> bool:
        ended = [each for each in events(device.said) if each["type"] == "end"]
        return any(each["track"] in followed and each["model"]["sha256"] == good for each in ended)

    wait_until(is_followed_on, 10.0, "no object that the one before saw ends with the new one")
    (info,) = (json.loads(each) for each in device.said.of(f"{BASE}/info")[-1:])
    assert [each["sha256"] for each in info["models"]] == [good]


def test_one_with_other_outputs(device: Device, tmp_path: Path, sample: Path) -> None:
    """It never comes into use, and the store goes back."""
    device.install(write_other(tmp_path / "other.tflite"), "2", sample)
    step = device.wait_for("trying", "refused")
    assert "does not give the results of its golden sample" in step["reason"]
    device.goes_on_with(device.good)
    assert device.in_use() == "1"
    assert len(device.steps()) == 2


def test_one_that_crashes(device: Device, tmp_path: Path) -> None:
    """Its child dies of it, the agent does not."""
    device.install(write_same(tmp_path / "same.tflite"), "crashing")
    assert "it crashes the runtime (SIGSEGV)" in device.wait_for("trying", "refused")["reason"]
    device.goes_on_with(device.good)
    assert device.in_use() == "1"


def test_one_with_a_bad_signature(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """However it came into the store, it is not even opened."""
    maker, stranger = Maker(tmp_path), Maker(tmp_path, "stranger")
    device = Device(tmp_path, broker.port, subscriber, maker)
    bad = stranger.release(
        Path(MODEL).read_bytes() + bytes(4), name="parts", version="2", serial=2, golden=None
    )
    with device.agent:
        wait_until(lambda: len(device.frames()) > 3, 30.0, lambda: device.agent.said)
        install_release(device.store, bad, [])  # as who has the device's disk could
        step = device.wait_for("trying", "refused")
        assert "that signed it is not among updates.keys" in step["reason"]
        device.goes_on_with(device.good)
        assert device.in_use() == "1"
        assert device.missing() <= 2
        assert device.agent.terminate() == 0


def test_one_that_fails_later(device: Device, tmp_path: Path) -> None:
    """The frame on which it fails goes to the one before, which is in use again."""
    device.install(write_same(tmp_path / "same.tflite"), "failing")
    step = device.wait_for("trying", "swapped", "rolled_back")
    assert step["reason"] == "it fails on a frame: out of luck"
    device.goes_on_with(device.good)
    assert device.in_use() == "1"
    assert device.missing() <= 2


def test_one_that_hangs(device: Device, tmp_path: Path) -> None:
    """It is given up, the one before works on, and the agent ends as usual."""
    device.install(write_same(tmp_path / "same.tflite"), "hanging")
    step = device.wait_for("trying", "swapped", "rolled_back")
    assert step["reason"] == "it does not answer for 5 s"
    device.goes_on(device.good)
    times = [each["time"] for each in device.frames()]
    assert max(after - one for one, after in pairwise(times)) < 7.0
    assert device.said.of(f"{BASE}/belt/status")[-1] == b"online"
    assert device.in_use() == "1"


def test_one_that_is_slow(device: Device, tmp_path: Path) -> None:
    """It is measured against the one before, which comes back."""
    device.install(write_slow(tmp_path / "slow.tflite"), "2")
    step = device.wait_for("trying", "swapped", "rolled_back")
    assert "ms for a frame, the model before takes" in step["reason"]
    device.goes_on_with(device.good)
    assert device.in_use() == "1"


def test_a_command_takes_a_version_of_the_store(device: Device, tmp_path: Path) -> None:
    """The answer says what is tried; what is there already, or nowhere, is told at once."""
    good = device.install(write_same(tmp_path / "same.tflite"), "2")
    device.wait_for("trying", "swapped", "kept")
    answer = device.ask("cmd/model", '{"model": "parts", "version": "1"}')
    assert answer["result"] == {"model": "parts", "sha256": device.good, "changed": True}
    device.wait_for("trying", "swapped", "kept", "trying", "swapped", "kept")
    device.goes_on_with(device.good)
    assert device.in_use() == "1"
    assert not device.ask("cmd/model", '{"model": "parts"}')["result"]["changed"]
    assert "it has 2, 1" in device.ask("cmd/model", '{"model": "parts", "version": "9"}')["error"]
    assert "in use: parts" in device.ask("cmd/model", '{"model": "door"}')["error"]
    assert good != device.good


def test_a_file_that_the_yaml_names(device: Device, tmp_path: Path) -> None:
    """SIGHUP tries another file, and the same file with other content."""
    file = tmp_path / "mine.tflite"
    first = write_same(file).read_bytes()
    config = yaml.safe_load(device.agent.file.read_text())
    config["models"]["parts"]["file"] = str(file)
    device.agent.file.write_text(yaml.safe_dump(config))
    device.agent.signal(signal.SIGHUP)
    sha256 = device.wait_for("trying", "swapped", "kept")["sha256"]
    device.goes_on_with(sha256)
    shutil.copy(write_same(tmp_path / "next.tflite", "a third version"), file)
    assert file.read_bytes() != first
    device.agent.signal(signal.SIGHUP)
    step = device.wait_for(*2 * ("trying", "swapped", "kept"))
    assert (step["before"], step["version"]) == (sha256, None)
    device.goes_on_with(step["sha256"])


def test_one_that_crashes_later(device: Device, tmp_path: Path) -> None:
    """It takes the agent with it, once: the next start does without it."""
    device.install(write_same(tmp_path / "same.tflite"), "killing")
    wait_until(lambda: not device.agent.alive, 30.0, lambda: device.agent.said)
    device.agent.start()
    step = device.wait_for("trying", "swapped", "rolled_back")
    assert "the agent ended while it was watched" in step["reason"]
    device.goes_on(device.good)
    assert device.in_use() == "1"


def test_a_bad_one_at_the_start(device: Device, tmp_path: Path) -> None:
    """Where the version in use does not open, the one before is used."""
    assert device.agent.terminate() == 0
    device.install(write_same(tmp_path / "same.tflite"), "crashing")
    device.agent.start()
    device.wait_for("refused", "trying", "swapped", "kept")
    assert "it crashes the runtime (SIGSEGV)" in device.steps()[0]["reason"]
    device.goes_on(device.good)
    assert device.in_use() == "1"
