"""Draws results into a picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import OutputError
from edge_agent.geometry import Box, Point
from edge_agent.result import Keypoint

# Okabe and Ito's colours, which colour-blind people can tell apart; BGR.
_COLOURS = (
    (0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240),
    (178, 114, 0), (0, 94, 213), (167, 121, 204),
)  # fmt: skip
Picture = NDArray[Any]
Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_PAD = 3
_DARK = (24, 24, 24)
_LIGHT = (255, 255, 255)
_SKY = (255, 220, 120)
_SURE = 0.3  # score of a keypoint that is drawn
_TINT = 0.45
_SIDES = [
    ("shoulder", "elbow"), ("elbow", "wrist"), ("shoulder", "hip"), ("hip", "knee"),
    ("knee", "ankle"), ("eye", "ear"),
]  # fmt: skip
_LIMBS = [
    *((f"{side}_{a}", f"{side}_{b}") for side in ("left", "right") for a, b in _SIDES),
    *((f"left_{joint}", f"right_{joint}") for joint in ("shoulder", "hip")),
    *(("nose", f"{side}_eye") for side in ("left", "right")),
]


def colour_of(number: int) -> Colour:
    """The colour of the label of that number, BGR; they come again where there are many."""
    return _COLOURS[number % len(_COLOURS)]


def palette(labels: Iterable[str]) -> dict[str, Colour]:
    """A colour for each label, BGR; they differ as far as there are colours."""
    return dict(zip(sorted(set(labels)), itertools.cycle(_COLOURS), strict=False))


def draw_box(image: Picture, box: Box, caption: str, colour: Colour) -> None:
    """Draw a box (0..1 of the picture) and its caption, in place."""
    height, width = image.shape[:2]
    x1, y1 = round(box[0] * width), round(box[1] * height)
    x2, y2 = round(box[2] * width), round(box[3] * height)
    thickness = max(1, round(min(width, height) / 240))
    cv2.rectangle(image, (x1, y1), (x2, y2), colour, thickness)
    _draw_caption(image, caption, (x1, y1), colour)


def _draw_caption(image: Picture, caption: str, at: tuple[int, int], colour: Colour) -> None:
    """Write a caption on a bar that stands on a point, as far as the picture has room for it."""
    height, width = image.shape[:2]
    x1, y1 = at
    scale = _text_scale(image)
    pad = _pad(scale)
    (text_width, text_height), _ = cv2.getTextSize(caption, _FONT, scale, _weight(scale))
    bar = text_height + 2 * pad
    left = max(0, min(x1, width - text_width - 2 * pad))
    top = y1 - bar if y1 >= bar else min(y1, height - bar)
    corner = (left + text_width + 2 * pad, top + bar)
    cv2.rectangle(image, (left, top), corner, colour, cv2.FILLED)
    _write(image, caption, (left + pad, top + bar - pad), scale, _DARK)


def draw_area(
    image: Picture, polygons: Sequence[Sequence[Point]], caption: str, colour: Colour
) -> None:
    """Tint an area (outlines and holes, 0..1 of the picture) with its caption, if any, in place."""
    size = (image.shape[1], image.shape[0])
    lines = [np.rint(np.array(line) * size).astype(np.int32) for line in polygons]
    if not lines:
        return
    tinted = cv2.fillPoly(image.copy(), lines, colour)
    cv2.addWeighted(tinted, _TINT, image, 1 - _TINT, 0, dst=image)
    cv2.polylines(image, lines, True, colour, max(1, round(min(size) / 480)), cv2.LINE_AA)
    if caption:
        x, y = max(lines, key=cv2.contourArea).mean(axis=0).astype(int).tolist()
        _draw_caption(image, caption, (x, y), colour)


def draw_keypoints(image: Picture, points: Sequence[Keypoint], colour: Colour) -> None:
    """Draw the surer points of a body and the limbs between them, in place."""
    height, width = image.shape[:2]
    size = max(2, round(min(width, height) / 120))
    places = {
        point.name: (round(point.x * width), round(point.y * height))
        for point in points
        if point.score >= _SURE
    }
    for ends in _LIMBS:
        if places.keys() >= set(ends):
            start, end = (places[name] for name in ends)
            cv2.line(image, start, end, colour, max(2, size // 2), cv2.LINE_AA)
    for place in places.values():
        cv2.circle(image, place, size + 1, _DARK, cv2.FILLED, cv2.LINE_AA)
        cv2.circle(image, place, size, colour, cv2.FILLED, cv2.LINE_AA)


def draw_lines(image: Picture, lines: Sequence[str]) -> None:
    """Write lines on a dark band at the top of the picture, in place."""
    scale = _text_scale(image)
    pad = _pad(scale)
    step = cv2.getTextSize("Ag", _FONT, scale, _weight(scale))[0][1] + 3 * pad
    image[: step * len(lines) + 2 * pad] //= 4
    for number, line in enumerate(lines, 1):
        _write(image, line, (2 * pad, step * number - pad), scale, _LIGHT)


def draw_note(image: Picture, text: str) -> None:
    """Write a short text into the lower left corner, in place."""
    _draw_caption(image, text, (0, image.shape[0]), _LIGHT)


def draw_zone(image: Picture, polygon: Sequence[Point], caption: str) -> None:
    """Draw the border of a zone (0..1 of the picture) and its caption inside, in place."""
    corners = _pixels(image, polygon)
    _draw_stroke(image, corners, True, _LIGHT)
    x, y = min(corners.tolist(), key=sum)  # the one nearest to the upper left
    scale = _text_scale(image)
    height = cv2.getTextSize(caption, _FONT, scale, _weight(scale))[0][1]
    gap = 2 * _pad(scale)
    _draw_caption(image, caption, (x + gap, y + height + 2 * gap), _LIGHT)


def draw_crossing(image: Picture, points: Sequence[Point], caption: str) -> None:
    """Draw a line (0..1 of the picture), an arrow to its `in` side and its caption, in place."""
    corners = _pixels(image, points)
    _draw_stroke(image, corners, False, _SKY)
    start, end = _middle_part(corners)
    middle, way = (start + end) / 2, end - start
    # To the right of someone who walks along it, y downwards.
    across = np.array([-way[1], way[0]]) / max(1.0, float(np.hypot(*way)))
    tip = middle + across * min(image.shape[:2]) / 12
    ends = [tuple(np.rint(place).astype(int).tolist()) for place in (middle, tip)]
    for colour, weight in _strokes(image, _SKY):
        cv2.arrowedLine(image, ends[0], ends[1], colour, weight, cv2.LINE_AA, 0, 0.4)
    # Below, where captions of boxes seldom are.
    x, y = max(corners.tolist(), key=lambda corner: corner[1])
    gap = 2 * _pad(_text_scale(image))
    _draw_caption(image, caption, (x + gap, y - gap), _SKY)


def _middle_part(corners: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Ends of the piece of a line in its middle."""
    number = (len(corners) - 1) // 2
    return corners[number], corners[number + 1]


def _pixels(image: Picture, points: Sequence[Point]) -> NDArray[np.int32]:
    size = (image.shape[1] - 1, image.shape[0] - 1)
    corners: NDArray[np.int32] = np.rint(np.array(points) * size).astype(np.int32)
    return corners


def _draw_stroke(
    image: Picture, corners: NDArray[np.int32], is_closed: bool, colour: Colour
) -> None:
    for each, weight in _strokes(image, colour):
        cv2.polylines(image, [corners], is_closed, each, weight, cv2.LINE_AA)


def _strokes(image: Picture, colour: Colour) -> list[tuple[Colour, int]]:
    """A light colour on a dark border, so that it is seen on any picture."""
    weight = max(1, round(min(image.shape[:2]) / 360))
    return [(_DARK, 3 * weight), (colour, weight)]


def save_picture(path: Path, image: NDArray[Any]) -> None:
    """Write a picture in the format of its ending; raises OutputError, and leaves no half file."""
    try:
        done, data = cv2.imencode(path.suffix or ".jpg", image)
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"cannot write {path} as a picture", "use a name ending in .jpg or .png")
    is_begun = False
    try:
        with path.open("wb") as file:
            is_begun = True
            file.write(data.tobytes())
    except OSError as error:
        if is_begun and path.is_file():
            path.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write {path}: {error.strerror}", "check the folder, its access and free space"
        ) from error


def _text_scale(image: Picture) -> float:
    height, width = image.shape[:2]
    return max(0.35, float(min(height, width)) / 900)


def _weight(scale: float) -> int:
    """Pixels of a letter's strokes."""
    return max(1, round(1.7 * scale))


def _pad(scale: float) -> int:
    """Pixels around a text."""
    return max(_PAD, round(6 * scale))


def _write(
    image: Picture,
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: Colour,
) -> None:
    # OpenCV's fonts know ASCII only.
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(image, plain, at, _FONT, scale, colour, _weight(scale), cv2.LINE_AA)
