"""Frames that go through a model in crops."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.state import Memory, StatefulEngine
from edge_agent.geometry import Box
from edge_agent.preprocess.tiles import TileOptions
from edge_agent.result import Detection, Kind
from edge_agent.runtime.inference import Numbers, Outcome
from edge_agent.runtime.tiling import Tiles, Whole, tiling, why_not
from tests.runtime.test_worker import Crew, at_work
from tests.support.broker import wait_until
from tests.support.runtime import FakeInference

_SIZE = (800, 400)


class Blobs(FakeInference):
    """Sees white rectangles that are at least a twelfth as wide as the picture it is given."""

    def __init__(self, kind: Kind = "object", stateful: bool = False) -> None:
        super().__init__(kind=kind)
        self.decoder.name = "blobs"
        self.engine = object.__new__(StatefulEngine) if stateful else cast("Any", SimpleNamespace())
        self.pictures: list[tuple[int, int]] = []

    def run(
        self,
        data: NDArray[Any],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """Give the rectangles, and 1, 2 and 3 ms."""
        self.numbers.append(numbers)
        del threshold
        self.memories.append(memory)
        height, width = data.shape[:2]
        self.pictures.append((width, height))
        _, _, stats, _ = cv2.connectedComponentsWithStats(data[..., 0])
        found = [
            Detection("blob", 0.9, (x / width, y / height, (x + w) / width, (y + h) / height), 0)
            for x, y, w, h, _ in stats[1:].tolist()
            if 12 * w >= width
        ]
        return Outcome(tuple(found), 1.0, 2.0, 3.0)


def picture(*boxes: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """A black picture with white rectangles, in px."""
    image = np.zeros((*_SIZE[::-1], 3), np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 255
    return image


def found(outcome: Outcome) -> list[Box]:
    """The boxes in px, from left to right."""
    boxes = [each.box for each in outcome.results if isinstance(each, Detection)]
    size = np.array(_SIZE * 2)
    return sorted(tuple(np.rint(np.array(box) * size).tolist()) for box in boxes)


SMALL = (100, 100, 150, 140)  # too narrow for the whole picture, wide enough in a crop
HALVED = (370, 150, 430, 190)  # in the middle of the picture
LARGE = (20, 210, 700, 390)


def test_small_objects_are_found() -> None:
    """In crops, at their places in the frame; large ones still once, and halved ones whole."""
    image = picture(SMALL, HALVED, LARGE)
    model = Blobs()
    assert found(Whole().run(model, image, (), 0.5)) == [LARGE]
    outcome = Tiles(TileOptions((2, 2))).run(model, image, (), 0.5)
    assert found(outcome) == sorted([SMALL, HALVED, LARGE])
    assert len(model.pictures) == 1 + 5


def test_times_are_added_up() -> None:
    """Those of all crops, and what joining them took."""
    outcome = Tiles(TileOptions((2, 2), full=False)).run(Blobs(), picture(SMALL), (), 0.5)
    assert (outcome.preprocess_ms, outcome.infer_ms) == (4.0, 8.0)
    assert outcome.decode_ms > 12.0


def test_only_where_something_moves() -> None:
    """One crop around it, and the whole frame if that is wanted."""
    image = picture(SMALL, HALVED)
    moving = [(110 / 800, 110 / 400, 130 / 800, 130 / 400)]
    for full, pictures in ((False, 1), (True, 2)):
        model = Blobs()
        options = TileOptions((3, 2), 0.2, full, "motion")
        outcome = Tiles(options).run(model, image, moving, 0.5)
        assert found(outcome) == [SMALL]
        assert len(model.pictures) == pictures


def test_what_has_come_to_rest() -> None:
    """Is looked at where something moved last; before anything did, frames are whole."""
    image = picture(SMALL)
    moving = [(110 / 800, 110 / 400, 130 / 800, 130 / 400)]
    tiles = Tiles(TileOptions((3, 2), 0.2, False, "motion"))
    assert found(tiles.run(Blobs(), image, (), 0.5)) == []
    assert found(tiles.run(Blobs(), image, moving, 0.5)) == [SMALL]
    assert found(tiles.run(Blobs(), image, (), 0.5)) == [SMALL]


@pytest.mark.parametrize(
    ("kind", "stateful", "reason"),
    [
        ("object", True, "remembers the frame before"),
        ("class", False, "only detections can be joined, and blobs gives none"),
        ("object", False, ""),
        ("keypoints", False, ""),
    ],
)
def test_models_that_cannot_be_given_crops(kind: Kind, stateful: bool, reason: str) -> None:
    """Get the whole frame, and their memory with it; the reason is told."""
    model, memory = Blobs(kind, stateful), Memory()
    Tiles(TileOptions((2, 2))).run(model, picture(), (), 0.5, memory)
    assert reason in why_not(model)
    assert bool(reason) == bool(why_not(model))
    if reason:
        assert (model.pictures, model.memories) == ([_SIZE], [memory])
    else:
        assert len(model.pictures) == 5


def test_numbers_go_with_every_crop() -> None:
    """What the model takes beside the picture is the same for all of them."""
    model, numbers = Blobs(), {"": np.ones(2, np.float32)}
    Tiles(TileOptions((2, 2))).run(model, picture(), (), 0.5, None, numbers)
    assert model.numbers == [numbers] * 5


def test_without_options() -> None:
    """Frames stay whole."""
    assert isinstance(tiling(None), Whole)
    assert isinstance(tiling(TileOptions()), Tiles)


def test_the_worker_asks_the_tiling_of_its_pipeline() -> None:
    """With the frame and with where the gate saw something move."""
    asked: list[Any] = []

    class Recording(Whole):
        def run(self, inference: Any, image: Any, moving: Any, *more: Any) -> Outcome:
            asked.append((image.shape, moving))
            return super().run(inference, image, moving, *more)

    crew = Crew(lambda number: [])
    pipeline = crew.rigs[0].pipeline
    pipeline.settings = replace(pipeline.settings, tiling=Recording())
    with at_work(crew):
        crew.feed()
        wait_until(lambda: bool(asked))
    assert asked[0][1] == ((0.0, 0.0, 0.5, 0.5),)
    assert len(asked[0][0]) == 3
