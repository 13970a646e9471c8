"""From happenings to messages."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from typing import Literal

from edge_agent.event import EventType
from edge_agent.result import Detection, RawOutput, Track
from edge_agent.rules.base import CountKey, Happening
from edge_agent.rules.options import PublishOptions
from edge_agent.runtime.reporter import Identity, Moment, Reporter
from tests.support.pictures import picture
from tests.support.runtime import (
    MESSAGES,
    REF,
    WALL,
    Told,
    cat,
    live_frame,
    recorded_frame,
    scene,
)

_PHASES: dict[EventType, Literal["new", "live", "ended"]] = {
    "new": "new",
    "update": "live",
    "end": "ended",
}
_BOX = (0.25, 0.25, 0.5, 0.75)


def reporter(outbox: Told, publish: PublishOptions | None = None, name: str = "p") -> Reporter:
    """A reporter of a pipeline."""
    identity = Identity("dev", "boot")
    return Reporter(identity, name, publish or PublishOptions(), MESSAGES, outbox)


def moment(now: float = 1000.0, number: int = 7) -> Moment:
    """The moment of a live frame."""
    return Moment.of_frame(live_frame(number, now), {"infer": 2.0, "total": 5.0}, REF)


def happening(
    what: EventType, now: float = 1000.0, *, track: int = 1, box: bool = True, start: float = 999.5
) -> Happening:
    """Something that happened to a cat, last seen at that time."""
    seen = Track(track, "cat", 0.7, 0.8, _BOX if box else None, start, now, _PHASES[what])
    zones = () if what == "end" else ("porch",)
    return Happening(what, seen, zones, ("porch",), zones, ("left",) if what == "end" else ())


def report(to: Reporter, *what: EventType, step: float = 1.0) -> None:
    """Tell these happenings of one object, one a step."""
    for number, each in enumerate(what):
        now = 1000.0 + number * step
        to.events([happening(each, now)], now, moment(now))


def test_fields_of_a_new_event() -> None:
    """An event says what, where, when, by which model and how fast."""
    outbox = Told()
    report(reporter(outbox), "new")
    (event,) = outbox.events()
    assert len(event.pop("id")) == 26
    assert event.pop("clock")["monotonic_ns"] == 1000 * 10**9
    assert event == {
        "schema": "edge-agent/event/1", "seq": 1, "device": "dev", "pipeline": "p",
        "type": "new", "kind": "object", "track": 1, "label": "cat",
        "score": 0.7, "top_score": 0.8, "box": list(_BOX),
        "zones": ["porch"], "entered_zones": ["porch"],
        "time": WALL, "start_time": WALL - 0.5, "end_time": None, "media_time": None,
        "latency_ms": {"infer": 2.0, "total": 5.0},
        "model": {"name": "m", "sha256": REF.sha256, "engine": "tflite"},
        "loitering": ["porch"], "stationary": False, "changes": [],
        "sublabel": None, "sublabel_score": None, "replayed": False,
    }  # fmt: skip


def test_readings_of_the_frame() -> None:
    """Events and detections carry what was measured then; the end of a fault knows nothing."""
    outbox = Told()
    told = reporter(outbox)
    frame = replace(live_frame(7, 1000.0), readings={"radar.distance": 3.25, "box.temp": math.nan})
    seen = Moment.of_frame(frame, {}, REF)
    told.events([happening("new")], 1000.0, seen)
    told.detections(seen, [], ())
    told.end_open(moment(1001.0))
    known = {"radar.distance": 3.25, "box.temp": None}
    assert [event.get("readings", "none") for event in outbox.events()] == [known, "none"]
    (detections,) = outbox.of("p/detections")
    assert json.loads(detections)["readings"] == known


def test_one_id_from_new_to_end() -> None:
    """Id and start stay the same through an object's life; only its end has an end time."""
    outbox = Told()
    report(reporter(outbox), "new", "update", "update", "end")
    events = outbox.events()
    assert outbox.types() == ["new", "update", "update", "end"]
    assert {(event["id"], event["start_time"]) for event in events} == {
        (events[0]["id"], WALL - 0.5)
    }
    assert [event["time"] for event in events] == [WALL, WALL + 1, WALL + 2, WALL + 3]
    assert [event["end_time"] for event in events] == [None, None, None, WALL + 3]


def test_end_time_is_the_last_sighting() -> None:
    """An object that is found to be gone ended when it was last seen."""
    outbox = Told()
    told = reporter(outbox)
    report(told, "new")
    told.events([happening("end", 1001.0)], 1003.0, moment(1003.0))
    end = outbox.events()[-1]
    assert (end["time"], end["end_time"]) == (WALL + 3.0, WALL + 1.0)


def test_objects_have_their_own_ids() -> None:
    """Two objects never share an id, and a track number that comes again is a new object."""
    outbox = Told()
    told = reporter(outbox)
    for track, what in itertools.product((1, 2, 1), ("new", "end")):
        told.events([happening(what, track=track)], 1000.0, moment())  # type: ignore[arg-type]
    ids = [event["id"] for event in outbox.events()]
    assert ids[::2] == ids[1::2]
    assert len(set(ids)) == 3


def test_kind() -> None:
    """What has no box is a class of the whole frame."""
    outbox = Told()
    reporter(outbox).events([happening("new", box=False)], 1000.0, moment())
    (event,) = outbox.events()
    assert (event["kind"], event["box"]) == ("class", None)


def test_seq_rises_by_one_over_all_pipelines() -> None:
    """Subscribers see a loss by a gap: the numbers of the device have none."""
    outbox = Told()
    for name in ("p", "q", "p"):
        report(reporter(outbox, name=name), "new", "end")
    numbers = sorted(event["seq"] for name in "pq" for event in outbox.events(name))
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert [event["seq"] for event in outbox.events("q")] == [3, 4]


def test_times_of_a_recording() -> None:
    """The time line of a recording is not this machine's: its events tell the media time."""
    outbox = Told()
    told = reporter(outbox)
    for what, second in (("new", 3), ("end", 9)):
        now = Moment.of_frame(recorded_frame(second * 10, 997.0 + second), {}, REF)
        told.events([happening(what, second, start=2.5)], second, now)  # type: ignore[arg-type]
    new, end = outbox.events()
    assert (new["time"], new["start_time"], new["media_time"]) == (WALL, WALL, 3.0)
    assert (end["time"], end["start_time"], end["media_time"]) == (WALL + 6.0, WALL, 9.0)


def test_end_open() -> None:
    """After a fault every object that was begun is ended once, now, and nothing is left of it."""
    outbox = Told()
    told = reporter(outbox)
    told.events([happening("new", track=number) for number in (1, 2, 3)], 1000.0, moment())
    told.events([happening("end", track=2)], 1000.0, moment())
    told.end_open(moment(1004.0))
    told.end_open(moment(1005.0))
    events = outbox.events()
    assert outbox.types() == ["new", "new", "new", "end", "end", "end"]
    assert [event["id"] for event in events[4:]] == [events[0]["id"], events[2]["id"]]
    for end in events[4:]:
        assert end["time"] == end["end_time"] == WALL + 4.0
        assert end["clock"]["monotonic_ns"] == 1004 * 10**9
        assert (end["zones"], end["entered_zones"], end["latency_ms"]) == ([], ["porch"], {})
        assert (end["loitering"], end["changes"]) == ([], ["left"])


def test_end_open_sets_the_counts_to_zero() -> None:
    """What is there now is nothing after a fault, but what crossed a line today stays."""
    outbox = Told()
    told = reporter(outbox)
    line = CountKey("cat", line="door", direction="in")
    told.counts({CountKey("cat"): 2, CountKey("cat", zone="porch"): 1, line: 5})
    told.end_open(moment())
    assert outbox.states() == {
        "p/counts/cat": "0",
        "p/zones/porch/counts/cat": "0",
        "p/lines/door/counts/cat/in": "5",
    }


def test_only_changed_counts_are_published() -> None:
    """A count that stays is not sent again."""
    outbox = Told()
    told = reporter(outbox)
    for cats, dogs in ((0, 0), (0, 1), (0, 1), (2, 1), (0, 1)):
        told.counts({CountKey("cat"): cats, CountKey("dog"): dogs})
    assert outbox.of("p/counts/cat") == ["0", "2", "0"]
    assert outbox.of("p/counts/dog") == ["0", "1"]


def test_what_is_not_wanted_is_not_published() -> None:
    """Events and counts can be turned off each."""
    outbox = Told()
    for publish in (PublishOptions(events=False), PublishOptions(counts=False)):
        told = reporter(outbox, publish)
        report(told, "new")
        told.counts({CountKey("cat"): 1})
        told.end_open(moment())
    assert outbox.types() == ["new", "end"]
    assert outbox.of("p/counts/cat") == ["1", "0"]


def test_detections() -> None:
    """One frame's message has its number, size, regions and results; raw tensors are left out."""
    outbox = Told()
    raw = RawOutput("out", picture())
    found: list[Detection | RawOutput] = [cat(), raw]
    reporter(outbox).detections(moment(number=9), [*found, scene("dark")], [_BOX])
    (message,) = outbox.json("p/detections")
    assert [result["label"] for result in message["results"]] == ["cat", "dark"]
    assert (message["frame"], message["size"], message["time"]) == (9, [6, 4], WALL)
    assert message["regions"] == [list(_BOX)]
    assert message["latency_ms"] == {"infer": 2.0, "total": 5.0}
