"""Which results count, label by label: sure enough, and of a plausible size and shape."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from edge_agent.geometry import Box
from edge_agent.result import ClassArea, Detection, RawOutput, Reading, Result, Scored, Track
from edge_agent.rules.options import BoundsOptions, FilterOptions, SizeOptions

Readings = Mapping[str, float]
"""What was measured at the moment of a frame, by channel; NaN where it is missing."""


_log = logging.getLogger(__name__)


class ResultFilter:
    """Keeps the results of one pipeline that count; `labels` None means all.

    A label's own threshold holds in place of the pipeline's, above or below it.
    """

    def __init__(
        self, labels: Collection[str] | None, filters: Mapping[str, FilterOptions]
    ) -> None:
        self._labels = labels
        self._filters = dict(filters)
        self._unseen = {
            (label, channel) for label, each in filters.items() for channel in each.readings
        }

    def least(self, threshold: float) -> float:
        """Score from which on a result may count, where the pipeline's threshold is that."""
        own = (options.threshold for options in self._filters.values())
        return min([threshold, *(each for each in own if each is not None)])

    def apply(
        self,
        results: Iterable[Scored],
        threshold: float,
        size: tuple[int, int],
        readings: Readings | None = None,
    ) -> Sequence[Result]:
        """The results that count in a frame of that width and height in pixels.

        `readings` is what was measured at its moment.
        """
        if self._unseen and readings:
            self._look_for_channels(readings)
        found = [each for each in results if not isinstance(each, Reading)]
        return [
            each
            for each in found
            if isinstance(each, RawOutput) or self._counts(each, threshold, size, readings)
        ]

    def faint(
        self,
        results: Iterable[Scored],
        threshold: float,
        size: tuple[int, int],
        part: float,
        readings: Readings | None = None,
    ) -> Sequence[Result]:
        """The results that would count only if all thresholds were that part of what they are."""
        return [
            each
            for each in results
            if not isinstance(each, RawOutput | Reading)
            and self._counts(each, threshold, size, readings, part)
            and not self._counts(each, threshold, size, readings)
        ]

    def _look_for_channels(self, readings: Readings) -> None:
        """Tell once of a channel that its part, which others came of, does not have."""
        parts = {channel.partition(".")[0] for channel in readings}
        judged = {each for each in self._unseen if each[1].partition(".")[0] in parts}
        self._unseen -= judged
        for label, channel in sorted(judged):
            if channel not in readings:
                _log.warning(
                    "filters.%s.readings: %s is no channel of the source, so nothing of that label "
                    "counts (there: %s)", label, channel, ", ".join(readings),
                )  # fmt: skip

    def _counts(
        self,
        result: Result,
        threshold: float,
        size: tuple[int, int],
        readings: Readings | None,
        part: float = 1.0,
    ) -> bool:
        assert not isinstance(result, RawOutput)
        if self._labels is not None and result.label not in self._labels:
            return False
        options = self._filters.get(result.label)
        if options is None:
            return result.score >= part * threshold
        least = threshold if options.threshold is None else options.threshold
        if result.score < part * least or not _is_near(options, readings):
            return False
        if isinstance(result, ClassArea):
            return options.min_area <= result.area <= options.max_area
        if not isinstance(result, Detection):
            return True
        return fits(options, result.box) and _is_shaped(options, result.box, size)


def passes(options: SizeOptions | None, track: Track) -> bool:
    """Whether a track is sure and large enough for a zone's filter; its best score counts."""
    if options is None or track.box is None:
        return True
    return track.top_score >= (options.threshold or 0.0) and fits(options, track.box)


def fits(options: SizeOptions, box: Box) -> bool:
    """Whether height and area of a box are within their bounds."""
    width, height = box[2] - box[0], box[3] - box[1]
    return (
        options.min_height <= height <= options.max_height
        and options.min_area <= width * height <= options.max_area
    )


def _is_near(options: FilterOptions, readings: Readings | None) -> bool:
    """Whether all that was measured is within its bounds; NaN is not."""
    found = readings or {}
    return all(
        _within(bounds, found.get(channel, math.nan))
        for channel, bounds in options.readings.items()
    )


def _within(bounds: BoundsOptions, value: float) -> bool:
    """Whether a number is between the bounds; NaN never is."""
    low = -math.inf if bounds.min is None else bounds.min
    high = math.inf if bounds.max is None else bounds.max
    return low <= value <= high


def _is_shaped(options: FilterOptions, box: Box, size: tuple[int, int]) -> bool:
    if options.aspect is None:
        return True
    width, height = (box[2] - box[0]) * size[0], (box[3] - box[1]) * size[1]
    narrowest, widest = options.aspect
    return narrowest * height <= width <= widest * height
