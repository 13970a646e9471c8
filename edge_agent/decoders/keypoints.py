"""From a skeleton's points to a person: the names, the box around what is sure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from edge_agent.decoders.nms import Floats
from edge_agent.geometry import Box, BoxMapping
from edge_agent.options import Doc, Fraction
from edge_agent.result import Detection, Keypoint

COCO_17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip",
    "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""The keypoints of COCO's people in their order; left and right are the person's own."""

FACE_6 = ("right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear", "left_ear")
"""The keypoints of MediaPipe's faces in their order; the ears are the tragions."""

Sure = Annotated[Fraction, Doc("Least score of a keypoint that the box of its person reaches to.")]


def person(
    points: Floats, label: str, score: float, sure: float, mapping: BoxMapping
) -> Detection | None:
    """A detection of K x 3 points (x, y, 0..1 of the tensor, score) in COCO's order.

    Its box is around the sure points, or around all where the sure ones have no extent. None where
    numbers are broken or even that has no area inside the frame.
    """
    if not (np.isfinite(points).all() and np.isfinite(score)):
        return None
    found = keypoints(points, mapping)
    box = _around([point for point in found if point.score >= sure]) or _around(found)
    return None if box is None else Detection(label, min(score, 1.0), box, 0, found)


def keypoints(
    points: Floats, mapping: BoxMapping, known: Sequence[str] = COCO_17
) -> tuple[Keypoint, ...]:
    """Finite K x 3 points (x, y, 0..1 of the tensor, score) as points of the frame, inside it.

    As many as there are `known` names have these, others numbers.
    """
    places = mapping.boxes(np.concatenate([points[:, :2], points[:, :2]], axis=1))[:, :2]
    scores = np.clip(points[:, 2], 0.0, 1.0)
    is_known = len(points) == len(known)
    names = known if is_known else [f"keypoint {number}" for number in range(len(points))]
    rows = zip(names, places.tolist(), scores.tolist(), strict=True)
    return tuple(Keypoint(name, x, y, score) for name, (x, y), score in rows)


def _around(points: Sequence[Keypoint]) -> Box | None:
    if not points:
        return None
    x1, x2 = min(point.x for point in points), max(point.x for point in points)
    y1, y2 = min(point.y for point in points), max(point.y for point in points)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
