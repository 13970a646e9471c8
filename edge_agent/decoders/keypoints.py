"""From a skeleton's points to a person: the names, the box around what is sure."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

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
    places = mapping.boxes(np.concatenate([points[:, :2], points[:, :2]], axis=1))[:, :2]
    scores = np.clip(points[:, 2], 0.0, 1.0)
    box = _around(places[scores >= sure]) or _around(places)
    if box is None:
        return None
    rows = zip(COCO_17, places.tolist(), scores.tolist(), strict=True)
    keypoints = tuple(Keypoint(name, x, y, each) for name, (x, y), each in rows)
    return Detection(label, min(score, 1.0), box, 0, keypoints)


def _around(places: NDArray[Any]) -> Box | None:
    if not len(places):
        return None
    (x1, y1), (x2, y2) = places.min(axis=0).tolist(), places.max(axis=0).tolist()
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None
