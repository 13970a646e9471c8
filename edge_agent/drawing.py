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
    (text_width, text_height), _ = cv2.getTextSize(caption, _FONT, scale, 1)
    bar = text_height + 2 * _PAD
    left = max(0, min(x1, width - text_width - 2 * _PAD))
    top = y1 - bar if y1 >= bar else min(y1, height - bar)
    corner = (left + text_width + 2 * _PAD, top + bar)
    cv2.rectangle(image, (left, top), corner, colour, cv2.FILLED)
    _write(image, caption, (left + _PAD, top + bar - _PAD), scale, _DARK)


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
    step = cv2.getTextSize("Ag", _FONT, scale, 1)[0][1] + 3 * _PAD
    image[: step * len(lines) + 2 * _PAD] //= 4
    for number, line in enumerate(lines, 1):
        _write(image, line, (2 * _PAD, step * number - _PAD), scale, (255, 255, 255))


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


def _write(
    image: Picture,
    text: str,
    at: tuple[int, int],
    scale: float,
    colour: Colour,
) -> None:
    # OpenCV's fonts know ASCII only.
    plain = text.encode("ascii", "replace").decode("ascii")
    cv2.putText(image, plain, at, _FONT, scale, colour, 1, cv2.LINE_AA)
