"""What no single value of filters can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.configs import MINIMAL, problems


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "    labels: [person]\n    filters: {persn: {threshold: 0.6}}\n",
            (
                "filters.persn: 'persn' is not among the labels of the pipeline"
                " (did you mean 'person'?)"
            ),
        ),
        (
            "    filters: {person: {min_height: 0.5, max_height: 0.2}}\n",
            "filters.person.min_height: is above max_height, so nothing would count",
        ),
        (
            (
                "    zones: {z: {polygon: [[0, 0], [1, 0], [1, 1]], filters: {cat: {min_area: 1, "
                "max_area: 0.5}}}}\n"
            ),
            "zones.z.filters.cat.min_area: is above max_area, so nothing would count",
        ),
        (
            "    filters: {person: {aspect: [2, 0.5]}}\n",
            (
                "filters.person.aspect: the first number is above the second, so nothing would"
                " count (narrowest first)"
            ),
        ),
        (
            "    filters: {person: {min_hight: 0.5}}\n",
            "filters.person.min_hight: unknown key (did you mean 'min_height'?)",
        ),
        (
            "    filters: {person: {threshold: 60}}\n",
            "filters.person.threshold: expected a number from 0 to 1, got 60",
        ),
        (
            "    zones: {z: {polygon: [[0, 0], [1, 0], [1, 1]], anchor: top}}\n",
            "zones.z.anchor: expected 'bottom', 'center' or 'overlap', got 'top'",
        ),
        (
            "    publish: {snapshots: {mode: full, keep: object}}\n",
            "publish.snapshots.keep: says what is pixelated, and here nothing is (mode: blurred)",
        ),
        (
            "    publish: {snapshots: {mode: off, labels: [cat]}}\n",
            "publish.snapshots.labels: says what is pixelated, and here nothing is (mode: blurred)",
        ),
        (
            "    publish: {snapshots: {labels: [cat]}}\n",
            "publish.snapshots.mode: is missing",
        ),
        (
            "    publish: {snapshots: blured}\n",
            (
                "publish.snapshots: expected 'off', 'blurred', 'full' or a mapping, got 'blured'"
                " (did you mean 'blurred'?)"
            ),
        ),
        (
            "    publish: {snapshots: {mode: blurred, lables: [cat]}}\n",
            "publish.snapshots.lables: unknown key (did you mean 'labels'?)",
        ),
        (
            "    gate: {schedule: {quiet: 22-6}}\n",
            "gate.schedule.quiet: '22-6' are no hours such as 22:00-06:00, sunset-sunrise or",
        ),
        (
            "    gate: {schedule: {active: [08:00-18:00, sunset]}}\n",
            "gate.schedule.active: 'sunset' are no hours",
        ),
        (
            "    gate: {schedule: {active: sunset-sunrise}}\n",
            (
                "gate.schedule.active: sunrise and sunset need a location"
                " (agent: {location: [LATITUDE, LONGITUDE]})"
            ),
        ),
        (
            "    gate: {schedule: {timezone: Europe/Berln}}\n",
            "gate.schedule.timezone: this machine knows no time zone 'Europe/Berln'",
        ),
        (
            "    gate: {schedule: {location: [91, 0]}}\n",
            "gate.schedule.location[0]: expected a number from -90 to 90, got 91",
        ),
        (
            "    tiles: {region: motion}\n",
            "tiles.region: is of no use without gate.motion (add it, or use region: all)",
        ),
        (
            "    tiles: {grid: [5, 2]}\n",
            "tiles.grid[0]: expected a whole number from 1 to 4, got 5",
        ),
    ],
)
def test_mistakes_have_a_place(tmp_path: Path, text: str, complaint: str) -> None:
    """Each is told with the path of the value and what to do."""
    (line,) = problems(tmp_path, MINIMAL + text)
    assert f": pipelines.p.{complaint}" in line


def test_filters_that_make_sense_are_taken(tmp_path: Path) -> None:
    """Equal bounds, empty filters, and labels that the pipeline does not list."""
    text = "    filters: {person: {min_area: 0.5, max_area: 0.5, aspect: [1, 1]}, cat: }\n"
    assert problems(tmp_path, MINIMAL + text) == []


@pytest.mark.parametrize("here", ["agent: {location: [52.5, 13.4]}\n", ""])
def test_the_sun_with_a_place(tmp_path: Path, here: str) -> None:
    """The agent's, or the gate's own."""
    own = "" if here else ", location: [52.5, 13.4]"
    text = f"    gate: {{schedule: {{active: sunset-sunrise{own}}}}}\n"
    assert problems(tmp_path, MINIMAL + text + here) == []
