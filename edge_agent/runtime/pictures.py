"""Makes the JPEG of a frame: pixelated, cut out, made smaller and drawn into, as the YAML says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import cv2

from edge_agent.drawing import Picture, draw_box, draw_lines, palette
from edge_agent.frame import Frame
from edge_agent.geometry import Box
from edge_agent.preprocess.pixelate import grown, pixelate, pixelate_frame
from edge_agent.result import Detection, Kind, Result, Track
from edge_agent.rules.options import SnapshotOptions

_DOUBTFUL = 0.2  # score from which on what may be a person is pixelated
_MEMORY = 1.0  # s for which a place stays pixelated where the model sees nobody any more
_MARGIN = 0.15  # of a box, on each side, that is pixelated with it
_LOST = 0.5  # the same for an object that is out of sight and may have moved
_AROUND = 0.25  # of a box, on each side, that is cut out with it
_FRAME: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in a frame: all results, also doubtful ones, the tracks, and ids of the new ones."""

    results: Sequence[Result] = ()
    tracks: Sequence[Track] = ()
    fresh: Collection[int] = ()


class PictureMaker:
    """Makes JPEGs of frames, which hold pixels and nothing else.

    It remembers where something was that must be pixelated, so all that is seen must be noted.
    Where it cannot know that, since the model gives no boxes or has not all the labels, all of the
    picture is pixelated.
    """

    def __init__(self, options: SnapshotOptions) -> None:
        self._options = options
        self._hides = frozenset(options.labels or ())
        self._is_blind = False
        self._places: list[tuple[float, Box]] = []

    @property
    def least_score(self) -> float:
        """Score from which on results must be noted."""
        return _DOUBTFUL if self._hides else 1.0

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""
        self._is_blind = kind != "object" or not self._hides <= set(labels or ())

    def note(self, timeline: float, seen: Seen) -> None:
        """Remember where something is that must be pixelated; `timeline` as for tracks."""
        then = timeline - _MEMORY
        self._places = [(at, box) for at, box in self._places if then <= at <= timeline]
        found = (each for each in seen.results if isinstance(each, Detection))
        self._places += [(timeline, each.box) for each in found if each.label in self._hides]

    def make(self, frame: Frame, seen: Seen) -> bytes:
        """The JPEG of a frame with what was noted of it."""
        shown = [each for each in seen.tracks if each.seen and each.phase != "ended"]
        image = self._blurred(frame.data, seen, shown)
        area = self._area(shown, seen.fresh)
        image = _resized(_cut(image, area), self._options.max_side)
        if self._options.boxes:
            image = image.copy()
            _draw(image, [_moved(each, area) for each in shown])
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._options.quality]
        return cv2.imencode(".jpg", image, quality)[1].tobytes()

    def _blurred(self, source: Picture, seen: Seen, shown: Sequence[Track]) -> Picture:
        if self._options.mode != "blurred":
            return source
        target = source.copy()
        is_partial = self._options.is_partial and not self._is_blind
        if not is_partial or self._options.keep == "object":
            pixelate_frame(target, source)
            _hide(target, source, _boxes(seen))
        if is_partial and self._options.keep == "object":
            for each in shown:
                _restore(target, source, each.box)
        if is_partial:
            _hide(target, source, self._hidden(seen.tracks))
        return target

    def _hidden(self, tracks: Sequence[Track]) -> Iterator[Box]:
        """Where what must be pixelated is, was a moment ago, or may have gone."""
        yield from (grown(box, _MARGIN) for _, box in self._places)
        for each in tracks:
            if each.box is not None and each.label in self._hides:
                yield grown(each.box, _MARGIN if each.seen else _LOST)

    def _area(self, shown: Sequence[Track], fresh: Collection[int]) -> Box:
        """The part of the frame that is shown: the new objects, else all, else the whole frame."""
        wanted = [each for each in shown if each.id in fresh] or shown
        boxes = [grown(each.box, _AROUND) for each in wanted if each.box is not None]
        if self._options.area == "frame" or not boxes:
            return _FRAME
        x1, y1, x2, y2 = zip(*boxes, strict=True)
        return min(x1), min(y1), max(x2), max(y2)


def _boxes(seen: Seen) -> Iterator[Box]:
    yield from (grown(each.box, _MARGIN) for each in seen.results if isinstance(each, Detection))
    yield from (grown(each.box, _MARGIN) for each in seen.tracks if each.box is not None)


def _hide(target: Picture, source: Picture, boxes: Iterator[Box]) -> None:
    """Pixelate each box; the smallest first, since larger blocks hide more."""
    for box in sorted(boxes, key=_longer_side):
        pixelate(target, source, box)


def _longer_side(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _restore(target: Picture, source: Picture, box: Box | None) -> None:
    if box is not None:
        _cut(target, box)[:] = _cut(source, box)


def _cut(image: Picture, area: Box) -> Picture:
    """The pixels of an area, at least one."""
    height, width = image.shape[:2]
    left, top = min(int(area[0] * width), width - 1), min(int(area[1] * height), height - 1)
    right, bottom = round(area[2] * width), round(area[3] * height)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def _resized(image: Picture, largest: int) -> Picture:
    """The picture with no side longer than `largest` pixels; itself where it is so already."""
    height, width = image.shape[:2]
    scale = largest / max(width, height)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _moved(track: Track, area: Box) -> Track:
    """The track with its box as a part of the area."""
    if track.box is None or area == _FRAME:
        return track
    left, top, right, bottom = area
    width, height = right - left, bottom - top
    x1, y1, x2, y2 = track.box
    box = ((x1 - left) / width, (y1 - top) / height, (x2 - left) / width, (y2 - top) / height)
    return replace(track, box=box)


def _draw(image: Picture, tracks: Sequence[Track]) -> None:
    colours = palette(track.label for track in tracks)
    for track in tracks:
        if track.box is not None and _is_visible(track.box):
            draw_box(image, track.box, f"{track.label} {track.score:.2f}", colours[track.label])
    classes = [f"{track.label} {track.score:.2f}" for track in tracks if track.box is None]
    if classes:
        draw_lines(image, classes)


def _is_visible(box: Box) -> bool:
    return box[0] < 1.0 and box[1] < 1.0 and box[2] > 0.0 and box[3] > 0.0
