"""What is drawn into the frames of a replay: what one pipeline knows of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from edge_agent.config.schema import PipelineConfig
from edge_agent.drawing import (
    Colour,
    Picture,
    colour_of,
    draw_area,
    draw_box,
    draw_crossing,
    draw_keypoints,
    draw_lines,
    draw_zone,
)
from edge_agent.event import Event
from edge_agent.frame import Frame
from edge_agent.result import ClassArea, Detection, Track
from edge_agent.rules.base import CountKey
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.snapshots import PassedOn, Snapshots


class Watched(PassedOn):
    """Remembers what was seen in the newest inferred frame."""

    def __init__(self, others: Snapshots) -> None:
        super().__init__(others)
        self.seen = Seen()

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take in what is seen in a frame."""
        self.seen = seen
        super().inferred(frame, seen)


class Scene:
    """Draws one pipeline's zones, lines, objects and counts; labels keep their colours."""

    def __init__(
        self, item: PipelineConfig, watched: Watched, crossings: Mapping[CountKey, int]
    ) -> None:
        self._item = item
        self._watched = watched
        self._crossings = crossings
        self._there: dict[int | None, Event] = {}
        self._colours: dict[str, Colour] = {}

    def note(self, events: Iterable[Event]) -> None:
        """Take in what happened."""
        for event in events:
            if event.type == "end":
                self._there.pop(event.track, None)
            else:
                self._there[event.track] = event

    def draw(self, image: Picture) -> None:
        """Draw all of it, in place."""
        for name, zone in self._item.zones.items():
            inside = Counter(e.label for e in self._there.values() if name in e.zones)
            draw_zone(image, zone.polygon, _counted(name, inside))
        for name, line in self._item.lines.items():
            points = (line.from_, *line.via, line.to)
            draw_crossing(image, points, f"{name}: {self._crossed(name)}")
        self._draw_results(image)
        tracks = [each for each in self._watched.seen.tracks if each.phase != "ended"]
        for track in tracks:
            if track.box is not None:
                draw_box(image, track.box, _caption(track), self._colour(track.label))
        classes = [_caption(track) for track in tracks if track.box is None]
        if classes:
            draw_lines(image, classes)

    def _draw_results(self, image: Picture) -> None:
        """Areas and the points of bodies, which no track has."""
        for each in self._watched.seen.results:
            if isinstance(each, ClassArea):
                draw_area(image, each.polygons, each.label, self._colour(each.label))
            elif isinstance(each, Detection) and each.score >= self._item.threshold:
                draw_keypoints(image, each.keypoints, self._colour(each.label))

    def _crossed(self, line: str) -> str:
        counts = {"in": 0, "out": 0}
        for key, count in self._crossings.items():
            if key.line == line:
                counts[str(key.direction)] += count
        return f"{counts['in']} in, {counts['out']} out"

    def _colour(self, label: str) -> Colour:
        return self._colours.setdefault(label, colour_of(len(self._colours)))


def _caption(track: Track) -> str:
    """Without a score where it is only remembered."""
    name = f"{track.label} #{track.id}"
    return f"{name} {track.score:.2f}" if track.seen else name


def _counted(name: str, labels: Mapping[str, int]) -> str:
    """A zone's name and what is in it."""
    counts = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
    return f"{name}: {counts}" if counts else name
