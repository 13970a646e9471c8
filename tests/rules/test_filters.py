"""Which results count."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from edge_agent.geometry import Box, Point
from edge_agent.result import ClassScore, Detection, RawOutput, Result
from edge_agent.rules.filters import ResultFilter
from edge_agent.rules.options import BoundsOptions, FilterOptions, SizeOptions, ZoneOptions
from edge_agent.rules.zones import ZoneWatch
from tests.rules.tracks import track

WIDE = (640, 320)
ALL: list[Point] = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
BOX: Box = (0.25, 0.25, 0.5, 0.75)  # a quarter wide, half high: square in a picture twice as wide


def _kept(result: Result, options: FilterOptions, threshold: float = 0.5) -> bool:
    """Whether a result passes a filter for cats."""
    return bool(ResultFilter(None, {"cat": options}).apply([result], threshold, WIDE))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, True),
        ({"min_height": 0.5, "max_height": 0.5}, True),
        ({"min_height": 0.51}, False),
        ({"max_height": 0.49}, False),
        ({"min_area": 0.125, "max_area": 0.125}, True),
        ({"min_area": 0.13}, False),
        ({"max_area": 0.12}, False),
        ({"aspect": (1.0, 1.0)}, True),
        ({"aspect": (1.1, 3.0)}, False),
        ({"aspect": (0.1, 0.9)}, False),
    ],
)
def test_size_and_shape(options: dict[str, Any], kept: bool) -> None:
    """Bounds count as inside, and the shape is the one that people see."""
    assert _kept(Detection("cat", 0.9, BOX, 0), FilterOptions(**options)) == kept


@pytest.mark.parametrize(
    ("own", "score", "kept"),
    [
        (None, 0.5, True),
        (None, 0.49, False),
        (0.8, 0.79, False),
        (0.8, 0.8, True),
        (0.3, 0.3, True),
        (0.3, 0.2, False),
        (0.0, 0.0, True),
    ],
)
def test_own_threshold_holds_in_place_of_the_pipelines(
    own: float | None, score: float, kept: bool
) -> None:
    """Above it and below it, for boxes and for classes of the whole frame."""
    options = FilterOptions(threshold=own)
    assert _kept(Detection("cat", score, BOX, 0), options) == kept
    assert _kept(ClassScore("cat", score, 0), options) == kept


def test_classes_have_no_size() -> None:
    """A class of the whole frame passes bounds of boxes."""
    assert _kept(ClassScore("cat", 0.9, 0), FilterOptions(max_area=0.0, aspect=(1.0, 1.0)))


@pytest.mark.parametrize(
    ("readings", "kept"),
    [
        ({"radar.distance": 2.0}, True),
        ({"radar.distance": 5.0, "box.temp": 90.0}, True),
        ({"radar.distance": 5.01}, False),
        ({"radar.distance": 1.99}, False),
        ({"radar.distance": math.nan}, False),
        ({"box.temp": 3.0}, False),
        (None, False),
    ],
)
def test_what_was_measured(readings: dict[str, float] | None, kept: bool) -> None:
    """Bounds count as inside; while the number is missing nothing counts, nor is it faint."""
    bounds = BoundsOptions(2.0, 5.0)
    some = ResultFilter(None, {"cat": FilterOptions(readings={"radar.distance": bounds})})
    cats: list[Result] = [Detection("cat", 0.9, BOX, 0), ClassScore("cat", 0.9, 0)]
    faint: list[Result] = [Detection("cat", 0.3, BOX, 0)]
    dogs: list[Result] = [Detection("dog", 0.9, BOX, 0)]
    assert some.apply([*cats, *dogs], 0.5, WIDE, readings) == [*(cats if kept else []), *dogs]
    assert some.faint(faint, 0.5, WIDE, 0.5, readings) == (faint if kept else [])


def test_a_channel_that_its_part_does_not_have(caplog: pytest.LogCaptureFixture) -> None:
    """It is told once, and not before something came of the part."""
    bounds = BoundsOptions(2.0, 5.0)
    some = ResultFilter(None, {"cat": FilterOptions(readings={"radar.dist": bounds})})
    for readings in (None, {}, {"box.temp": 3.0}):
        some.apply([], 0.5, WIDE, readings)
    assert caplog.messages == []
    for _ in range(2):
        some.apply([], 0.5, WIDE, {"box.temp": 3.0, "radar.distance": math.nan})
    (told,) = caplog.messages
    assert told == (
        "filters.cat.readings: radar.dist is no channel of the source, so nothing of that label "
        "counts (there: box.temp, radar.distance)"
    )


@pytest.mark.parametrize(
    ("bounds", "value", "kept"),
    [
        (BoundsOptions(), 1e9, True),
        (BoundsOptions(), math.nan, False),
        (BoundsOptions(min=1.0), 1e9, True),
        (BoundsOptions(max=1.0), -1e9, True),
        (BoundsOptions(max=1.0), 1.1, False),
    ],
)
def test_open_bounds(bounds: BoundsOptions, value: float, kept: bool) -> None:
    """What is not given bounds nothing; even so the number must be there."""
    some = ResultFilter(None, {"cat": FilterOptions(readings={"x.y": bounds})})
    assert bool(some.apply([ClassScore("cat", 0.9, 0)], 0.5, WIDE, {"x.y": value})) == kept


def test_labels() -> None:
    """Only those that count; numbers that no decoder understands are nobody's label."""
    raw = RawOutput("out", np.zeros(3))
    results = [ClassScore(label, 0.9, 0) for label in ("cat", "dog")]
    kept = ResultFilter({"cat"}, {}).apply([*results, raw], 0.5, WIDE)
    assert kept == [results[0], raw]
    assert ResultFilter(None, {}).apply(results, 0.5, WIDE) == results


def test_faint_ones() -> None:
    """Those between a part of their threshold and it; of no use is what is none of the labels."""
    filters = {"cat": FilterOptions(threshold=0.3, max_area=0.5)}
    some = ResultFilter({"cat", "dog"}, filters)
    cats = [Detection("cat", score, BOX, 0) for score in (0.3, 0.29, 0.15, 0.14)]
    dogs = [Detection("dog", score, BOX, 0) for score in (0.5, 0.49, 0.25, 0.24)]
    others: list[Result] = [Detection("cow", 0.3, BOX, 0), RawOutput("out", np.zeros(3))]
    large = Detection("cat", 0.2, (0.0, 0.0, 1.0, 1.0), 0)
    found = some.faint([*cats, *dogs, *others, large], 0.5, WIDE, 0.5)
    assert found == [*cats[1:3], *dogs[1:3]]


def test_least_score_that_is_asked_of_the_model() -> None:
    """The lowest threshold of all, so that no label misses what it would take."""
    filters = {
        "cat": FilterOptions(threshold=0.3),
        "dog": FilterOptions(threshold=0.8),
        "cow": FilterOptions(),
    }
    some = ResultFilter(None, filters)
    assert [some.least(threshold) for threshold in (0.1, 0.5)] == [0.1, 0.3]
    assert ResultFilter(None, {}).least(0.5) == 0.5


@pytest.mark.parametrize(
    ("options", "enters"),
    [
        (SizeOptions(), True),
        (SizeOptions(min_height=0.2, max_area=0.07), True),  # 0.25 x 0.25
        (SizeOptions(min_height=0.3), False),
        (SizeOptions(max_area=0.05), False),
        (SizeOptions(threshold=0.6), False),
    ],
)
def test_filter_of_a_zone(options: SizeOptions, enters: bool) -> None:
    """Who does not fit does not come in; other labels do."""
    watch = ZoneWatch({"all": ZoneOptions(ALL, filters={"cat": options})})
    assert bool(watch.update(track(), 0.0).inside) == enters
    assert watch.update(track(label="dog", track_id=2), 0.0).inside == ("all",)


def test_who_is_in_a_zone_is_not_filtered_out_of_it() -> None:
    """The best score counts at the entry; afterwards size and score may tremble."""
    zone = ZoneOptions(ALL, filters={"cat": SizeOptions(threshold=0.6)})
    watch = ZoneWatch({"all": zone})
    story = [watch.update(track(top=top), 0.0).inside for top in (0.5, 0.6, 0.5)]
    assert story == [(), ("all",), ("all",)]
