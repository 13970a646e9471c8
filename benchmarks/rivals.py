"""Trackers to compare with, each as its documentation has it by default."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.films import Film
from edge_agent.result import Detection
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.options import TrackOptions

Array = NDArray[Any]
Seen = tuple[list[int], Array]
"""Ids, and boxes (N x 4, frame fractions) of what was seen in a frame."""

Follow = Callable[[float, Array, Array], Seen]
"""Takes the time of a frame, boxes (N x 4, frame fractions) and scores (N)."""

_TRACKERS = {
    "trackers SORT": ("SORTTracker", {}),
    "trackers ByteTrack": ("ByteTrackTracker", {}),
    "trackers OC-SORT": ("OCSORTTracker", {}),
    "trackers BoT-SORT, no pictures": ("BoTSORTTracker", {"enable_cmc": False}),
    "trackers C-BIoU": ("CBIoUTracker", {}),
}


def ours(film: Film) -> Follow:
    """The agent's own with the defaults of `track:`."""
    del film  # it needs neither the rate nor the shape of the frame
    tracker = BoxTracker(TrackOptions(), count(1))

    def follow(time: float, boxes: Array, scores: Array) -> Seen:
        pairs = zip(boxes.tolist(), scores.tolist(), strict=True)
        detections = [Detection("person", score, tuple(box), 0) for box, score in pairs]
        tracks = [each for each in tracker.update(detections, time) if each.seen]
        found = [each.box for each in tracks if each.box is not None]
        return [each.id for each in tracks], np.array(found).reshape(-1, 4)

    return follow


def rivals() -> tuple[dict[str, Callable[[Film], Follow]], dict[str, str]]:
    """Makers of those that can be imported, and why the others cannot."""
    makers: dict[str, Callable[[Film], Follow]] = {}
    absent: dict[str, str] = {}
    for needs, some in (
        ("norfair", {"norfair, IoU": _norfair}),
        ("trackers", {name: _of_trackers(*each) for name, each in _TRACKERS.items()}),
        ("supervision", {"supervision ByteTrack": _supervision}),
    ):
        try:
            module = importlib.import_module(needs)
        except ImportError as error:
            absent[needs] = str(error)
            continue
        if needs == "supervision" and not hasattr(module, "ByteTrack"):
            absent[needs] = "this version has no ByteTrack"
            continue
        makers.update(some)
    return makers, absent


def _of_trackers(name: str, options: dict[str, Any]) -> Callable[[Film], Follow]:
    def make(film: Film) -> Follow:
        trackers = importlib.import_module("trackers")
        return _supervised(getattr(trackers, name)(frame_rate=film.rate, **options).update, film)

    return make


def _supervision(film: Film) -> Follow:
    tracker = importlib.import_module("supervision").ByteTrack(frame_rate=film.rate)
    return _supervised(tracker.update_with_detections, film)


def _supervised(update: Callable[[Any], Any], film: Film) -> Follow:
    """What takes and gives the detections of supervision, in pixels."""
    detections = importlib.import_module("supervision").Detections
    scale = np.array([*film.size, *film.size], float)

    def follow(time: float, boxes: Array, scores: Array) -> Seen:
        del time
        kinds = np.zeros(len(boxes), int)
        given = detections((boxes * scale).astype(np.float32), None, scores, kinds)
        told = update(given)
        if not len(told) or told.tracker_id is None:
            return [], np.zeros((0, 4))
        real = told.tracker_id >= 0
        return told.tracker_id[real].tolist(), told.xyxy[real] / scale

    return follow


def _norfair(film: Film) -> Follow:
    norfair = importlib.import_module("norfair")
    tracker = norfair.Tracker(distance_function="iou", distance_threshold=0.7)
    scale = np.array([*film.size, *film.size], float)

    def follow(time: float, boxes: Array, scores: Array) -> Seen:
        del time
        given = [
            norfair.Detection(box.reshape(2, 2), scores=np.full(2, score))
            for box, score in zip(boxes * scale, scores, strict=True)
        ]
        told = tracker.update(given)
        # What it only remembers is left out, as with all others: reported, it would cost it more.
        seen = [each for each in told if any(each.last_detection is one for one in given)]
        found = np.array([each.estimate.reshape(4) for each in seen]).reshape(-1, 4)
        return [each.id for each in seen], found / scale

    return follow
