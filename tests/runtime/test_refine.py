"""A second model that names the objects of a pipeline, and what becomes of these without it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_agent.client.decode import decode
from edge_agent.client.messages import Detections, Health
from edge_agent.config.schema import Config
from edge_agent.errors import InferenceError
from edge_agent.event import ModelRef
from edge_agent.frame import Frame
from edge_agent.mqtt.payloads import load_schema
from edge_agent.result import ClassScore, Result
from edge_agent.rules.options import PublishOptions
from edge_agent.runtime.inbox import Inbox
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.refine import Refinement, Refiner, crop_area
from edge_agent.runtime.wire import build_agent
from edge_agent.runtime.worker import ModelWorker
from edge_agent.tracking.options import RefineOptions
from tests.support.agent import belt_config
from tests.support.broker import wait_until
from tests.support.classifiers import NOTES, write_colour_classifier
from tests.support.clips import write_start_of_belt
from tests.support.configs import good
from tests.support.data import data_file
from tests.support.reading import LIMIT
from tests.support.runtime import FakeInference, Rig, Told, cat, outcome

SECOND = ModelRef("species", "5b" * 32, "tflite")
TABBY = ClassScore("tabby", 0.8, 0)


class Pair:
    """A pipeline "p" with the second model "species"; `answer` is what that says of a crop."""

    def __init__(self, live: bool = True, looks: int = 1, **options: Any) -> None:
        self.ready = threading.Condition()
        chosen = RefineOptions(looks=looks, min_size=0, **options)
        self.refiner = Refiner("p", "species", chosen, Inbox(self.ready))
        publish = PublishOptions(detections=True)
        self.rig = Rig(live=live, publish=publish, refinement=Refinement([self.refiner]))
        self.rig.begin()
        self.refiner.model_opened(SECOND, "class")

    def answer(self, *results: Result) -> int:
        """Answer all crops that wait; how many those were."""
        count = 0
        with self.ready:
            while self.refiner.inbox.pending():
                job = self.refiner.inbox.take()
                assert job is not None
                self.refiner.complete(job, outcome(*results))
                count += 1
        return count

    @property
    def events(self) -> list[tuple[str, str | None, list[str]]]:
        """Type, sublabel and changes of each event."""
        told = self.rig.outbox.events()
        return [(each["type"], each["sublabel"], each["changes"]) for each in told]


def test_a_name_comes_as_an_update_and_stays() -> None:
    """The object is told at once, its name with the next frame, and its end has it too."""
    pair = Pair()
    pair.rig.see(cat())
    assert pair.answer(TABBY) == 1
    pair.rig.see(cat())
    assert pair.answer(TABBY) == 0
    pair.rig.see(cat())
    pair.rig.pipeline.stop()
    assert pair.events == [
        ("new", None, []),
        ("update", "tabby", ["sublabel"]),
        ("end", "tabby", []),
    ]
    assert [each["sublabel_score"] for each in pair.rig.outbox.events()] == [None, 0.8, 0.8]


def test_detections_carry_the_name() -> None:
    """The detection that belongs to the object, and no other."""
    pair = Pair()
    pair.rig.see(cat())
    pair.answer(TABBY)
    pair.rig.see(cat(), cat(0.8))
    first, second = pair.rig.outbox.json("p/detections")
    assert "sublabel" not in first["results"][0]
    assert [each.get("sublabel") for each in second["results"]] == ["tabby", None]
    assert second["results"][0]["sublabel_score"] == 0.8
    Draft202012Validator(load_schema("detections")).validate(second)
    read = decode("edge/dev/p/detections", json.dumps(second))
    assert isinstance(read, Detections)
    assert [each.sublabel for each in read.results] == ["tabby", None]


def test_no_crop_follows_from_another() -> None:
    """A second model that remembers begins anew with each crop and is opened once."""
    pair = Pair()
    pair.rig.see(cat(), cat(0.8))
    with pair.ready:
        memories = [job.memory for job in pair.refiner.inbox._jobs]
    assert len({memory.stream for memory in memories}) == 2
    assert len({memory.seat for memory in memories}) == 1


def test_unlikely_classes_do_not_vote() -> None:
    """Where the model finds nothing above the threshold there is no name."""
    pair = Pair()
    for _ in range(3):
        pair.rig.see(cat())
        pair.answer()
    assert [kind for kind, *_ in pair.events] == ["new"]
    assert pair.refiner.least_score == 0.5


def test_only_the_newest_crops_wait() -> None:
    """A model that is too slow holds up nothing: what was asked before is asked anew."""
    pair = Pair(per_frame=3)
    pair.rig.see(cat(0.2), cat(0.5))
    pair.rig.see(cat(0.2), cat(0.5), cat(0.8))
    assert pair.answer(TABBY) == 3


@pytest.mark.parametrize("reason", ["no such file", ""])
def test_objects_go_on_without_a_model_that_is_down(reason: str) -> None:
    """The pipeline stays online, nothing is asked, the health tells; then names come again."""
    pair = Pair()
    pair.rig.see(cat())
    tell: Callable[[str], None] = pair.refiner.model_failed
    if not reason:
        tell, reason = pair.refiner.model_stalled, "hangs"
    tell(reason)
    pair.rig.see(cat())
    assert pair.answer(TABBY) == 0
    assert pair.rig.pipeline.status.online
    assert pair.rig.pipeline.refinement.reasons() == {"species": reason}
    pair.refiner.model_stalled("")
    pair.refiner.model_opened(SECOND, "class")
    pair.rig.see(cat())
    assert pair.answer(TABBY) == 1
    assert pair.rig.pipeline.refinement.reasons() == {"species": ""}


def test_a_detector_names_nothing() -> None:
    """It is not asked, and the reason says what is needed instead."""
    pair = Pair()
    pair.refiner.model_opened(SECOND, "object")
    pair.rig.see(cat())
    assert pair.answer(TABBY) == 0
    assert "finds objects and names no classes" in pair.refiner.reason


def test_another_model_begins_anew() -> None:
    """Its votes are not added to those of the one before; the same one goes on."""
    pair = Pair()
    pair.rig.see(cat())
    pair.answer(TABBY)
    pair.refiner.model_opened(SECOND, "class")
    pair.rig.see(cat())
    pair.refiner.model_opened(replace(SECOND, sha256="5c" * 32), "class")
    pair.rig.see(cat())
    assert [name for _, name, _ in pair.events] == [None, "tabby", None]


def at_work(pair: Pair, inference: FakeInference) -> ModelWorker:
    """A thread that serves the refiner, started."""
    worker = ModelWorker("species", lambda: inference, [pair.refiner], pair.ready)
    worker.start()
    return worker


def test_a_recording_waits_for_its_names() -> None:
    """Each is told with the next frame, however slow the model; a failure counts as no vote."""

    def answer(number: int) -> list[Result]:
        if number == 1:
            raise InferenceError("no")
        return [TABBY]

    pair = Pair(live=False, looks=2)
    inference = FakeInference(answer, SECOND, "class")
    worker = at_work(pair, inference)
    for _ in range(6):
        pair.rig.see(cat())
    worker.stop(LIMIT)
    assert inference.seen == [0, 1, 2]
    assert [kind for kind, *_ in pair.events] == ["new", "update"]
    assert pair.rig.outbox.events()[1]["media_time"] == 0.3


def _has_work(pair: Pair) -> bool:
    with pair.ready:
        return pair.refiner.inbox.pending()


def test_who_waits_is_released() -> None:
    """A recording waits for no answer once the pipeline is closed or the model is given up."""
    for give_up in ("close", "model_failed"):
        pair = Pair(live=False)
        seen = threading.Thread(target=pair.rig.see, args=(cat(),))
        seen.start()
        wait_until(partial(_has_work, pair), LIMIT)
        getattr(pair.refiner, give_up)(*(["gone"] if give_up != "close" else []))
        seen.join(LIMIT)
        assert not seen.is_alive()


def test_it_sees_what_is_left_of_the_picture() -> None:
    """The crop is the box with its margin, cut out of the frame that the masks have blackened."""
    pair = Pair(margin=0.5)
    data = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, 2)
    frame = Frame("s", 1, data, 0.0, 0, 1000.0)
    pair.rig.see(cat())
    (tracked,) = (each for each in pair.rig.pipeline._tracker.flush())  # type: ignore[union-attr]
    pair.answer(TABBY)
    pair.refiner.model_opened(replace(SECOND, name="other"), "class")
    pair.refiner.look(frame, [replace(tracked, phase="live")])
    with pair.ready:
        job = pair.refiner.inbox.take()
    assert job is not None
    assert np.shares_memory(job.frame.data, data)
    # x 0.2..0.4 and y 0.4..0.6, each with half of 0.2 around
    np.testing.assert_array_equal(job.frame.data, data[3:7, 1:5])


sides = st.floats(0.0, 1.0)


@given(sides, sides, sides, sides, sides, st.integers(1, 4000), st.integers(1, 4000))
def test_a_crop_is_never_empty(
    x: float, y: float, width: float, height: float, margin: float, across: int, down: int
) -> None:
    """Whatever the box, it lies in the frame and has a pixel."""
    box = (x, y, min(x + width, 1.0), min(y + height, 1.0))
    left, top, right, bottom = crop_area(box, margin, (across, down))
    assert 0 <= left < right <= across
    assert 0 <= top < bottom <= down


def cascade(folder: Path, **refine: Any) -> dict[str, Any]:
    """The start of the bundled clip, its detector, and a classifier of colours behind that."""
    write_colour_classifier(folder / "colour.tflite")
    values = belt_config(1, refine={"colour": {"min_size": 8, **refine}})
    values["sources"]["clip"]["file"] = str(write_start_of_belt(folder / "clip.avi"))
    labels = ["red", "green", "blue"]
    file = str(folder / "colour.tflite")
    values["models"]["colour"] = {"file": file, "labels": labels, "preprocess": NOTES}
    return values


def test_a_real_cascade_tells_the_same_twice(tmp_path: Path) -> None:
    """Detector and classifier on the bundled clip: the same colours, again and again."""
    told = []
    for _ in range(2):
        values = cascade(tmp_path, threshold=0.0)
        agent = build_agent(good(tmp_path, json.dumps(values)), publish=False)
        heard: list[Any] = []
        agent._assembly._built["belt"]._reporter._on_events = heard.extend
        assert agent.run(threading.Event()) == 0
        told.append([(e.type, e.label, e.sublabel, e.sublabel_score, e.media_time) for e in heard])
    assert told[0] == told[1]
    ends = [each for each in told[0] if each[0] == "end"]
    assert ends
    named = [name for _, _, name, *_ in ends if name in ("red", "green", "blue")]
    assert len(named) >= 0.7 * len(ends)  # not each is clearly of one colour


def test_a_second_model_that_cannot_be_opened_stops_nothing(tmp_path: Path) -> None:
    """Objects are told without names, to the end of the recording, and the exit code is 0."""
    values = cascade(tmp_path)
    (tmp_path / "colour.tflite").write_bytes(b"no model")
    agent = build_agent(good(tmp_path, json.dumps(values)), publish=False)
    heard: list[Any] = []
    agent._assembly._built["belt"]._reporter._on_events = heard.extend
    assert agent.run(threading.Event()) == 0
    assert {event.sublabel for event in heard} == {None}
    health = agent.inspect()["health"]
    Draft202012Validator(load_schema("health")).validate(health)
    read = decode("edge/dev/health", json.dumps(health))
    assert isinstance(read, Health)
    second = read.pipelines["belt"].refine["colour"]
    assert second.state == "offline"
    assert "colour.tflite" in second.reason


def test_a_second_model_that_hangs_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline waits for it no longer, stays online to the end, and systemd is not alarmed."""
    monkeypatch.setattr("edge_agent.runtime.watchdog._STALL", 0.2)
    monkeypatch.setattr("edge_agent.runtime.agent._STOP_LIMIT", 2.1)
    agent = build_agent(good(tmp_path, json.dumps(cascade(tmp_path))), publish=False)
    alive: list[bool] = []
    monkeypatch.setattr(agent._systemd, "look", lambda **told: alive.append(told["alive"]))
    heard: list[Any] = []
    agent._assembly._built["belt"]._reporter._on_events = heard.extend
    mended = threading.Event()

    def hang(tensor: object, *_: object) -> None:
        mended.wait(LIMIT)

    open_model = agent._assembly._open_model

    def opened(config: Config, name: str) -> Inference:
        inference = open_model(config, name)
        if name == "colour":
            monkeypatch.setattr(inference.decoder, "decode", hang)
        return inference

    agent._assembly._open_model = opened
    assert agent.run(threading.Event()) == 0
    mended.set()
    assert {event.type for event in heard} >= {"new", "end"}
    assert {event.sublabel for event in heard} == {None}
    assert all(alive)


def test_a_reload_swaps_the_second_model(tmp_path: Path) -> None:
    """Its thread ends and another begins; the detector's goes on, and so does the status."""
    values = cascade(tmp_path)
    outbox = Told()
    agent = build_agent(good(tmp_path, json.dumps(values)), outbox, publish=False)
    before = {ward.name: ward.unit for ward in agent._assembly.models}
    for part in ("source", "model", "pipeline"):
        agent.pipelines[0].status.fine(part)
    values["models"]["colour"]["threads"] = 2
    assert agent.apply(good(tmp_path, json.dumps(values)))
    assert outbox.of("belt/status") == ["online"]
    after = {ward.name: ward.unit for ward in agent._assembly.models}
    assert before["model parts"] is after["model parts"]
    assert before["model colour"] is not after["model colour"]
    assert after["model colour"].serves == ("belt/colour",)
    del values["pipelines"]["belt"]["refine"]
    assert agent.apply(good(tmp_path, json.dumps(values)))
    assert [ward.name for ward in agent._assembly.models] == ["model parts"]
    agent.stop()


@pytest.mark.parametrize(
    ("picture", "species"),
    [("bird.bmp", "Chickadee"), ("parrot.jpg", "Scarlet Macaw"), ("owl.jpg", "Burrowing Owl")],
)
def test_real_birds_are_named(tmp_path: Path, picture: str, species: str) -> None:
    """A detector of everyday objects finds a bird, and a classifier says which."""
    values = belt_config(1, refine={"species": {"labels": ["bird"], "looks": 1}})
    values["models"] = {
        "parts": {"file": str(data_file("models/coco_ssd_mobilenet_v1_1.0_quant.tflite"))},
        "species": {
            "file": str(data_file("models/coral_mobilenet_v2_1.0_224_inat_bird_quant.tflite")),
            "labels": str(data_file("models/coral_inat_bird_labels.txt")),
        },
    }
    file = str(data_file(f"images/coral_{picture}"))
    values["sources"] = {"clip": {"type": "images", "files": [file] * 2}}
    agent = build_agent(good(tmp_path, json.dumps(values)), publish=False)
    heard: list[Any] = []
    agent._assembly._built["belt"]._reporter._on_events = heard.extend
    assert agent.run(threading.Event()) == 0
    (end,) = (event for event in heard if event.type == "end" and event.label == "bird")
    assert species in str(end.sublabel)
