"""One pipeline at work: what it publishes of what it sees."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.result import Kind, RawOutput
from edge_agent.rules.options import FilterOptions, PublishOptions
from edge_agent.runtime.metrics import STAGES
from edge_agent.sources.reader import SourceStatus
from edge_agent.tracking.options import TrackOptions
from tests.support.broker import wait_until
from tests.support.reading import LIMIT
from tests.support.runtime import (
    LOST,
    NO_CROSSINGS,
    ONLINE,
    REF,
    WALL,
    Rig,
    cat,
    hold_time,
    outcome,
    scene,
)

FAINT = TrackOptions().faint


def test_online_with_source_and_model() -> None:
    """It is online once both are there, and says so once."""
    rig = Rig()
    rig.pipeline.source_changed(ONLINE)
    assert not rig.pipeline.status.online
    rig.pipeline.model_opened(REF, "object")
    rig.pipeline.source_changed(ONLINE)
    assert rig.statuses == [(False, "starting"), (True, "")]


def test_life_of_an_object(rig: Rig) -> None:
    """An object is new, changes, and ends after `lost`, under one id; the counts follow."""
    for x in (0.3, 0.36, 0.36):
        rig.see(cat(x))
    rig.see()
    rig.see(after=LOST)
    assert rig.outbox.types() == ["new", "update", "end"]
    assert len({event["id"] for event in rig.outbox.events()}) == 1
    assert rig.outbox.of("p/counts/cat") == ["0", "1", "0"]


def test_counts_only_on_change(rig: Rig) -> None:
    """Many frames of the same objects publish each count once."""
    for _ in range(10):
        rig.see(cat(0.2), cat(0.8), cat(0.5, "dog"))
    assert rig.outbox.of("p/counts/cat") == ["0", "2"]
    assert rig.outbox.of("p/counts/dog") == ["1"]


def test_labels_are_filtered() -> None:
    """Labels that are not asked for make no object, no count and no detection."""
    rig = Rig(labels=frozenset({"cat"}), publish=PublishOptions(detections=True)).begin()
    rig.see(cat(0.2), cat(0.8, "dog"), RawOutput("out", np.zeros(3)))
    assert [event["label"] for event in rig.outbox.events()] == ["cat"]
    assert not rig.outbox.of("p/counts/dog")
    (message,) = rig.outbox.json("p/detections")
    assert [result["label"] for result in message["results"]] == ["cat"]


def test_a_command_leaves_a_labels_own_threshold_alone() -> None:
    """What is set over MQTT holds for labels without a threshold of their own."""
    rig = Rig(filters={"dog": FilterOptions(threshold=0.3)}).begin()
    rig.pipeline.threshold = 0.8
    rig.see(cat(0.2, score=0.7), cat(0.8, "dog", score=0.4))
    assert [event["label"] for event in rig.outbox.events()] == ["dog"]
    assert rig.pipeline.least_score == pytest.approx(FAINT * 0.3)


def test_a_score_that_flickers_is_no_news() -> None:
    """What falls below the threshold goes on where it was, and is no result; it begins nothing."""
    rig = Rig(publish=PublishOptions(detections=True)).begin()
    rig.see(cat(0.2))
    for _ in range(4 * round(LOST / 0.1)):
        rig.see(cat(0.2, score=FAINT * 0.5), cat(0.8, score=0.49))
        rig.see(cat(0.2, score=0.51))
    assert rig.outbox.types() == ["new"]
    sizes = [len(message["results"]) for message in rig.outbox.json("p/detections")]
    assert sizes[:3] == [1, 0, 1]


def test_too_faint_a_score_is_nothing() -> None:
    """An object whose score falls further ends after its time."""
    rig = Rig().begin()
    rig.see(cat(0.2))
    for _ in range(round(LOST / 0.1) + 2):
        rig.see(cat(0.2, score=FAINT * 0.49))
    assert rig.outbox.types() == ["new", "end"]


@pytest.mark.parametrize(("kind", "part"), [("object", FAINT), ("class", 1.0)])
def test_only_for_boxes_more_is_asked_of_the_model(kind: Kind, part: float) -> None:
    """Classes of the whole frame have no use for faint results."""
    assert Rig().begin(kind).pipeline.least_score == part * 0.5


def test_shapes_are_those_of_the_frame() -> None:
    """A box as wide as high in parts of the frame is wide in a frame that is."""
    rig = Rig(filters={"cat": FilterOptions(aspect=(1.4, 1.6))}).begin()
    rig.see(cat())  # 0.2 x 0.2 of 6 x 4 pixels
    assert rig.outbox.types() == ["new"]


def test_without_labels_everything_counts(rig: Rig) -> None:
    """No list of labels means all labels."""
    rig.see(cat(0.2), cat(0.8, "dog"))
    assert [event["label"] for event in rig.outbox.events()] == ["cat", "dog"]


def test_detections_are_opt_in(rig: Rig) -> None:
    """By default a frame's results are not sent; when asked for, those of every frame are."""
    rig.see(cat())
    assert not rig.outbox.of("p/detections")
    eager = Rig(publish=PublishOptions(detections=True)).begin()
    eager.see(cat())
    eager.see()
    messages = eager.outbox.json("p/detections")
    assert [(message["frame"], len(message["results"])) for message in messages] == [(0, 1), (1, 0)]
    assert messages[0]["regions"] == [[0.0, 0.0, 0.5, 0.5]]
    assert set(messages[0]["latency_ms"]) == set(STAGES)


def test_latency(rig: Rig) -> None:
    """Events and metrics have what each stage took, and the whole since the capture."""
    rig.take_in()
    rig.time.now += 0.04
    job = rig.job()
    assert job is not None
    rig.pipeline.complete(job, outcome(cat()))
    (event,) = rig.outbox.events()
    expected = {"gate": 0.0, "preprocess": 1.0, "infer": 2.0, "decode": 3.0, "total": 40.0}
    assert event["latency_ms"] == expected
    measured = {stage: s.percentiles()["p50"] for stage, s in rig.pipeline.metrics.latency.items()}
    assert measured == expected


def test_gate_holds_back(rig: Rig) -> None:
    """A frame that the gate holds back is counted and not inferred; the gate hears of objects."""
    rig.gates[0].held = {1}
    rig.see(cat())
    rig.see(cat())
    rig.see(cat())
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.gated, counts.inferred) == (3, 1, 2)
    assert rig.gates[0].active == [False, True, True]


def test_gate_is_timed_for_every_frame(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate's latency counts each frame once, those too that it held back."""
    check = rig.gates[0].check

    def slow(frame: Frame, active: bool) -> Verdict:
        rig.time.now += 0.01 * frame.seq
        return check(frame, active)

    monkeypatch.setattr(rig.gates[0], "check", slow)
    rig.gates[0].held = {1, 2}
    for _ in range(3):
        rig.see()
    assert rig.pipeline.metrics.latency["gate"].percentiles()["p50"] == 10.0


def test_live_frames_do_not_pile_up(rig: Rig) -> None:
    """A slow model gets the newest frame, and those it never saw are counted."""
    rig.take_in(4)
    job = rig.job()
    assert job is not None
    assert job.frame.seq == 3
    assert rig.pipeline.metrics.counts.dropped == 3


@pytest.mark.parametrize(
    ("live", "waited", "wanted"), [(True, 0.6, False), (True, 0.4, True), (False, 9.0, True)]
)
def test_old_frames(
    monkeypatch: pytest.MonkeyPatch, live: bool, waited: float, wanted: bool
) -> None:
    """A live frame that waited for longer than `max_age` is dropped and counted; others never."""
    rig = Rig(live=live)
    rig.time = hold_time(monkeypatch, "pipeline")
    rig.begin()
    rig.pipeline.settings = replace(rig.pipeline.settings, max_age=0.5)
    rig.take_in()
    job = rig.job()
    assert job is not None
    rig.time.now += waited
    assert rig.pipeline.wants(job) is wanted
    assert rig.pipeline.metrics.counts.dropped == (not wanted)


def test_recorded_frames_are_all_inferred() -> None:
    """A recording waits for the model, and no frame of it is dropped."""
    rig = Rig(live=False).begin()
    producer = threading.Thread(target=rig.take_in, args=(20,), daemon=True)
    producer.start()
    for _ in range(20):
        wait_until(rig.pipeline.inbox.pending)
        job = rig.job()
        assert job is not None
        rig.pipeline.complete(job, outcome())
    producer.join(LIMIT)
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.inferred, counts.dropped) == (20, 20, 0)


def test_source_away_ends_the_objects(rig: Rig) -> None:
    """When the source is gone, objects end after `lost` and not before; no count stays on."""
    rig.see(cat())
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    rig.tick(after=LOST - 0.1)
    assert rig.outbox.types() == ["new"]
    rig.tick(after=0.1)
    rig.tick(after=10.0)
    assert rig.outbox.types() == ["new", "end"]
    assert rig.outbox.events()[1]["end_time"] == pytest.approx(WALL + 0.1)
    assert rig.outbox.events()[1]["latency_ms"] == {}
    assert rig.outbox.states() == NO_CROSSINGS | {"p/status": "offline", "p/counts/cat": "0"}
    assert rig.statuses[-1] == (False, "unplugged")
    assert rig.gates[0].resets == 1


def test_short_absence_keeps_the_object(rig: Rig) -> None:
    """An object that is there again before `lost` has passed is the same."""
    rig.see(cat())
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    rig.tick(after=LOST / 2)
    rig.pipeline.source_changed(ONLINE)
    rig.see(cat(score=0.99))
    assert rig.outbox.types() == ["new", "update"]


def test_nothing_ends_by_the_clock_while_online(rig: Rig) -> None:
    """A source that is merely quiet, since its gate sees no motion, keeps its objects."""
    rig.see(cat())
    rig.tick(after=10 * LOST)
    assert rig.outbox.types() == ["new"]


def test_a_recording_knows_no_clock() -> None:
    """Between the frames of a recording no time passes, however long its model is down."""
    rig = Rig(live=False).begin()
    rig.see(cat())
    rig.pipeline.model_failed("no file")
    rig.tick(after=10 * LOST)
    assert rig.outbox.types() == ["new"]


def test_end_of_a_recording() -> None:
    """Only when its last frame is inferred a recording is over: objects end, counts are zero."""
    rig = Rig(live=False).begin()
    rig.see(cat(0.2), cat(0.8))
    rig.take_in()
    rig.pipeline.source_changed(SourceStatus(False, "end of the recording", finished=True))
    assert rig.pipeline.status.online
    assert rig.job() is not None
    assert rig.pipeline.inbox.pending()
    rig.pipeline.finish()
    assert rig.pipeline.finished.is_set()
    assert rig.outbox.types() == ["new", "new", "end", "end"]
    assert [event["media_time"] for event in rig.outbox.events()] == [0.0] * 4
    assert rig.outbox.states() == NO_CROSSINGS | {"p/status": "offline", "p/counts/cat": "0"}
    assert rig.statuses[-1] == (False, "end of the recording")


def test_stop_ends_everything(rig: Rig) -> None:
    """Stopping ends all objects, once, and leaves no count on."""
    rig.see(cat(0.2), cat(0.8, "dog"))
    rig.pipeline.stop()
    rig.pipeline.stop()
    assert rig.outbox.types() == ["new", "new", "end", "end"]
    assert (rig.outbox.states()["p/counts/cat"], rig.outbox.states()["p/counts/dog"]) == ("0", "0")


def test_stop_frees_a_recording() -> None:
    """A recording that waits for the model is let go by the stop."""
    rig = Rig(live=False).begin()
    producer = threading.Thread(target=rig.take_in, args=(5,), daemon=True)
    producer.start()
    wait_until(lambda: rig.pipeline.metrics.counts.taken == 3)
    rig.pipeline.stop()
    producer.join(LIMIT)
    assert not producer.is_alive()


def test_nothing_begins_after_stop(rig: Rig) -> None:
    """A model that answers, or opens, only after the stop starts nothing any more."""
    rig.take_in()
    job = rig.job()
    assert job is not None
    rig.pipeline.stop()
    told = len(rig.outbox.messages)
    rig.pipeline.complete(job, outcome(cat()))
    rig.pipeline.model_failed("no file")
    rig.pipeline.model_opened(REF, "object")
    later = {message.payload for message in rig.outbox.messages[told:]}
    assert later <= {b"offline"}


def test_new_day(rig: Rig) -> None:
    """Line counts begin anew each day; what is there now does not."""
    for x in (0.3, 0.42, 0.54, 0.66):
        rig.see(cat(x))
    rig.pipeline.new_day()
    assert rig.outbox.of("p/lines/door/counts/cat/out") == ["0", "1", "0"]
    assert rig.outbox.of("p/counts/cat") == ["0", "1"]


def test_classes_of_the_whole_frame() -> None:
    """A classifier's pipeline follows labels, not boxes."""
    rig = Rig().begin("class")
    rig.see(scene("dark"), cat())
    assert [(event["kind"], event["label"]) for event in rig.outbox.events()] == [("class", "dark")]
