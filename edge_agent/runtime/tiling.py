"""How a frame goes through the model: whole, or in crops whose detections become one list."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from edge_agent.decoders.merge import merged
from edge_agent.engines.state import Memory, StatefulEngine
from edge_agent.engines.streams import EnginePerStream
from edge_agent.geometry import Box
from edge_agent.preprocess.placement import Rect
from edge_agent.preprocess.tiles import TileOptions, crops
from edge_agent.result import Detection
from edge_agent.runtime.inference import Inference, Numbers, Outcome


class Tiling(Protocol):
    """Infers the frames of one pipeline."""

    def run(
        self,
        inference: Inference,
        image: NDArray[Any],
        moving: Sequence[Box],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """As `Inference.run`; `moving` is where something moved, boxes 0..1 of the image."""


class Whole:
    """Infers each frame as it is."""

    def run(
        self,
        inference: Inference,
        image: NDArray[Any],
        moving: Sequence[Box],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """One inference."""
        del moving
        return inference.run(image, threshold, memory, numbers)


class Tiles:
    """Infers crops of each frame, one after the other; the times of all are added up.

    A model for which that makes no sense (see `why_not`) is given the whole frame. Where something
    moved is remembered: what has come to rest there is still looked at.
    """

    def __init__(self, options: TileOptions) -> None:
        self._options = options
        self._moved: tuple[Box, ...] = ()

    def run(
        self,
        inference: Inference,
        image: NDArray[Any],
        moving: Sequence[Box],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """As many inferences as there are crops, and the merging as a part of decoding."""
        size = (image.shape[1], image.shape[0])
        self._moved = tuple(moving) or self._moved
        parts = crops(self._options, size, self._moved)
        if parts == (Rect(0, 0, *size),) or why_not(inference):
            return inference.run(image, threshold, memory, numbers)
        outcomes = [inference.run(image[each.slices], threshold, None, numbers) for each in parts]
        start = time.perf_counter()
        found = [
            ([each for each in outcome.results if isinstance(each, Detection)], _box(part, size))
            for outcome, part in zip(outcomes, parts, strict=True)
        ]
        results = merged(found)
        return Outcome(
            results,
            sum(each.preprocess_ms for each in outcomes),
            sum(each.infer_ms for each in outcomes),
            sum(each.decode_ms for each in outcomes) + 1e3 * (time.perf_counter() - start),
        )


def tiling(options: TileOptions | None) -> Tiling:
    """What the options ask for; whole frames without."""
    return Whole() if options is None else Tiles(options)


def why_not(inference: Inference) -> str:
    """Why a model cannot be given crops; empty where it can."""
    if isinstance(inference.engine, StatefulEngine | EnginePerStream):
        return "the model remembers the frame before, and crops are none"
    if inference.decoder.kind not in ("object", "keypoints"):
        return f"only detections can be joined, and {inference.decoder.name} gives none"
    return ""


def _box(part: Rect, size: tuple[int, int]) -> Box:
    width, height = size
    right, bottom = part.x + part.width, part.y + part.height
    return part.x / width, part.y / height, right / width, bottom / height
