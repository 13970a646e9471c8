"""How a picture is made: what is pixelated, cut out, drawn, and what a JPEG holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.geometry import Box
from edge_agent.result import ClassScore, Detection, Track
from edge_agent.rules.options import SnapshotOptions
from edge_agent.runtime.pictures import PictureMaker, Seen
from edge_agent.runtime.snapshots import JpegSnapshots

RNG = np.random.default_rng(5)
PERSON: Box = (0.1, 0.2, 0.3, 0.8)
CAR: Box = (0.6, 0.4, 0.9, 0.7)


def frame(timeline: float = 0.0, size: tuple[int, int] = (640, 480)) -> Frame:
    """Stripes of two pixels: what is pixelated has none, what is clear has."""
    data = np.zeros((size[1], size[0], 3), np.uint8)
    data[:, ::4] = data[:, 1::4] = 255
    return Frame("s", 1, data, 0.0, 0, timeline)


def track(id_: int, label: str, box: Box | None, **changes: Any) -> Track:
    """An object that is there."""
    return replace(Track(id_, label, 0.9, 0.9, box, 0.0, 0.0, "live"), **changes)


def both(*fresh: int) -> Seen:
    """A person and a car, found and followed."""
    results = [Detection("person", 0.9, PERSON, 0), Detection("car", 0.9, CAR, 1)]
    return Seen(results, [track(1, "person", PERSON), track(2, "car", CAR)], fresh)


def picture(seen: Seen, maker: PictureMaker | None = None, **options: Any) -> NDArray[np.uint8]:
    """The picture of a frame in which that is seen."""
    maker = maker or PictureMaker(SnapshotOptions(**{"mode": "blurred", "boxes": False, **options}))
    maker.note(0.0, seen)
    image = cv2.imdecode(np.frombuffer(maker.make(frame(), seen), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def is_clear(image: NDArray[np.uint8], box: Box) -> bool:
    """Whether the stripes can be seen in all of a box; fails where it is neither all nor none."""
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(v * n) for v, n in zip(box, (width, height) * 2, strict=True))
    steps = abs(np.diff(image[y1:y2, x1:x2, 1].astype(int), axis=1)) > 60
    share = steps.mean()
    assert share < 0.05 or share > 0.3, share
    return bool(share > 0.3)


REST: Box = (0.42, 0.05, 0.5, 0.2)


@pytest.mark.parametrize(
    ("options", "clear"),
    [
        ({"mode": "full"}, (True, True, True)),
        ({}, (False, False, False)),
        ({"labels": ["person"]}, (False, True, True)),
        ({"labels": ["person", "car"]}, (False, False, True)),
        ({"keep": "object"}, (True, True, False)),
        ({"keep": "object", "labels": ["person"]}, (False, True, False)),
    ],
)
def test_what_is_pixelated(options: dict[str, Any], clear: tuple[bool, ...]) -> None:
    """The person, the car and the rest, by the options."""
    image = picture(both(), **options)
    assert tuple(is_clear(image, box) for box in (PERSON, CAR, REST)) == clear


@pytest.mark.parametrize(
    "seen",
    [
        Seen([Detection("person", 0.21, PERSON, 0)]),
        Seen((), [track(1, "person", PERSON, seen=False)]),
        Seen((), [track(1, "person", PERSON, phase="ended", seen=False)]),
    ],
)
def test_who_is_doubtful_or_out_of_sight_is_pixelated_too(seen: Seen) -> None:
    """A result below the threshold, and an object that this frame does not show."""
    image = picture(seen, labels=["person"])
    assert not is_clear(image, PERSON)
    assert is_clear(image, CAR)


def test_a_place_stays_pixelated_for_a_second() -> None:
    """The model may miss in one frame whom it saw in the one before."""
    options = SnapshotOptions("blurred", labels=["person"], boxes=False)
    for age, clear in ((0.9, False), (1.1, True)):
        maker = PictureMaker(options)
        maker.note(-age, both())
        assert is_clear(picture(Seen(), maker), PERSON) == clear


@pytest.mark.parametrize(
    ("kind", "labels"), [("class", ["person", "car"]), ("object", ["car"]), ("object", [])]
)
def test_where_nobody_can_tell_all_is_pixelated(kind: Any, labels: list[str]) -> None:
    """A model without boxes, or without the label that must not be seen."""
    maker = PictureMaker(SnapshotOptions("blurred", labels=["person"], keep="object", boxes=False))
    maker.model_opened(kind, labels)
    image = picture(Seen([ClassScore("car", 0.9, 0)], [track(1, "car", CAR)]), maker)
    assert not is_clear(image, CAR)
    assert not is_clear(image, REST)


def test_a_crop_shows_the_new_object_with_a_margin() -> None:
    """A quarter of the box on each side; all that is followed where nothing is new."""
    car = picture(both(2), mode="full", area="crop")
    assert car.shape[:2] == pytest.approx((480 * 0.3 * 1.5, 640 * 0.3 * 1.5), abs=2)
    assert picture(both(), mode="full", area="crop").shape[1] > 550
    assert picture(Seen(), mode="full", area="crop").shape == (480, 640, 3)


def test_boxes_are_drawn_where_the_objects_are_in_the_crop() -> None:
    """The left edge of the car's box, at a quarter of its width from the crop's edge."""
    plain = picture(both(2), mode="full", area="crop").astype(int)
    drawn = picture(both(2), mode="full", area="crop", boxes=True).astype(int)
    change = abs(drawn - plain).sum(axis=2)[80:140] > 60
    assert change.mean(axis=0).argmax() == pytest.approx(0.075 * 640, abs=3)
    assert not change[:, 100:200].any()


def test_size_and_quality() -> None:
    """No side is longer than allowed, and lower quality takes fewer bytes."""
    assert picture(both(), max_side=320).shape == (240, 320, 3)
    sizes = [
        len(PictureMaker(SnapshotOptions("full", quality=quality)).make(frame(), both()))
        for quality in (20, 90)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("mode", ["blurred", "full"])
def test_a_jpeg_holds_pixels_and_nothing_else(mode: Any) -> None:
    """Its segments: tables, the frame and the scan; no EXIF, comment, thumbnail or tail."""
    jpeg = PictureMaker(SnapshotOptions(mode)).make(frame(), both())
    at, found = 2, set()
    while jpeg[at + 1] != 0xDA:
        assert jpeg[at] == 0xFF
        length = int.from_bytes(jpeg[at + 2 : at + 4])
        if jpeg[at + 1] == 0xE0:  # JFIF: version, density, and a thumbnail of 0 x 0
            assert (jpeg[at + 4 : at + 9], jpeg[at + 16 : at + 18], length) == (
                b"JFIF\0", b"\0\0", 16,
            )  # fmt: skip
        found.add(jpeg[at + 1])
        at += 2 + length
    assert jpeg[:2] == b"\xff\xd8"
    assert found <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDD}
    assert jpeg.index(b"\xff\xd9", at) == len(jpeg) - 2


def test_the_picture_that_was_asked_for_waits_for_boxes() -> None:
    """Where parts are hidden, a frame that the model has not seen is never shown."""
    taken: list[bytes] = []
    snapshots = JpegSnapshots(SnapshotOptions("blurred", labels=["person"]), taken.append)
    snapshots.request()
    snapshots.frame(frame())
    assert not taken
    snapshots.inferred(frame(), both())
    snapshots.inferred(frame(), both())
    assert len(taken) == 1
