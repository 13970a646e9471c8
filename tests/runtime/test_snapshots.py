"""Pictures for subscribers."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.result import Track
from edge_agent.rules.options import SnapshotOptions
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.snapshots import JpegSnapshots

RNG = np.random.default_rng(1)


def frame(width: int = 640, height: int = 480) -> Frame:
    """A frame of noise, which no camera sees but every detail of which differs."""
    data = RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return Frame("s", 1, data, 0.0, 0, 0.0)


def track(box: tuple[float, float, float, float] | None = (0.2, 0.2, 0.6, 0.6)) -> Track:
    """A person that is there."""
    return Track(1, "person", 0.9, 0.9, box, 0.0, 0.0, "live")


def seen(*fresh: int) -> Seen:
    """The person, and ids of new tracks."""
    return Seen((), [track()], fresh)


def decoded(jpeg: bytes) -> NDArray[np.uint8]:
    """The picture in a JPEG."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.uint8)


def test_news_make_a_picture() -> None:
    """A frame with something new is shown, at most one a second of the frames' own time."""
    taken: list[bytes] = []
    snapshots = JpegSnapshots(SnapshotOptions("full"), taken.append)
    shown = ((True, 0.0), (False, 5.0), (True, 5.0), (True, 5.5), (True, 6.0), (True, 0.1))
    for news, now in shown:
        snapshots.inferred(replace(frame(), timeline=now), seen(*[1] * news))
    assert len(taken) == 4  # the last one: its source began anew


def test_a_picture_on_request() -> None:
    """The next frame of the source is taken, once, whether or not it is inferred."""
    taken: list[bytes] = []
    snapshots = JpegSnapshots(SnapshotOptions("full"), taken.append)
    snapshots.frame(frame())
    snapshots.request()
    snapshots.frame(frame())
    snapshots.frame(frame())
    assert len(taken) == 1


def test_full_pictures_show_the_frame_and_the_boxes() -> None:
    """The frame itself is left untouched for the others who look at it."""
    taken: list[bytes] = []
    plain = Frame("s", 1, np.full((480, 640, 3), 90, np.uint8), 0.0, 0, 0.0)
    JpegSnapshots(SnapshotOptions("full"), taken.append).inferred(plain, seen(1))
    assert (plain.data == 90).all()
    image = decoded(taken[0])
    assert image.shape == (480, 640, 3)
    corner = image[470:, :100].astype(int)
    assert abs(corner - 90).max() <= 3
    assert abs(image[96, 300].astype(int) - 90).max() > 30  # upper edge of the box


def test_blurred_pictures_keep_nothing_to_recognise() -> None:
    """A block of 53 pixels has one colour: noise that fine is gone, and so is every face."""
    taken: list[bytes] = []
    noise = frame()
    JpegSnapshots(SnapshotOptions("blurred"), taken.append).inferred(noise, Seen(fresh={1}))
    blurred = decoded(taken[0]).astype(float)
    inside = blurred[224:256, 332:364]
    assert inside.std(axis=(0, 1)).max() < 3.0
    assert noise.data[224:256, 332:364].std() > 60.0


def test_large_frames_are_made_smaller() -> None:
    """No picture is wider than 1280 pixels."""
    taken: list[bytes] = []
    large = frame(3840, 2160)
    JpegSnapshots(SnapshotOptions("full"), taken.append).inferred(large, seen(1))
    assert decoded(taken[0]).shape == (720, 1280, 3)
