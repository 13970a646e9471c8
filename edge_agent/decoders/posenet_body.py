"""From the heads of PoseNet to bodies: each surest keypoint grows into the rest of its person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_agent.decoders.keypoints import COCO_17
from edge_agent.decoders.nms import Floats, Indices
from edge_agent.decoders.peaks import peaks

_CHAIN = (
    ("nose", "left_eye"), ("left_eye", "left_ear"), ("nose", "right_eye"),
    ("right_eye", "right_ear"), ("nose", "left_shoulder"), ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"), ("left_shoulder", "left_hip"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("nose", "right_shoulder"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("right_shoulder", "right_hip"), ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)  # fmt: skip
_PAIRS = [(COCO_17.index(parent), COCO_17.index(child)) for parent, child in _CHAIN]
EDGES = len(_PAIRS)
"""Pairs of keypoints from the nose outwards, in the order of the displacements."""

_REFINEMENTS = 2  # as published: offsets are followed so often from where a displacement ends


@dataclass(frozen=True, slots=True)
class Field:
    """`heat`: rows x columns x 17 scores; `offsets`: the same x 2 (y, x in px); `stride` in px."""

    heat: Floats
    offsets: Floats
    stride: int

    def near(self, places: Floats) -> Indices:
        """N x 2 cells (row, column) nearest to places in px, inside the grid."""
        most = np.array(self.heat.shape[:2]) - 1
        finite = np.nan_to_num(places, posinf=1e6, neginf=-1e6)
        cells: Indices = np.clip(np.floor(finite / self.stride + 0.5), 0, most).astype(np.intp)
        return cells

    def exact(self, cells: Indices, names: Indices | int) -> Floats:
        """N x 2 places in px of the keypoints that cells point to."""
        offsets = self.offsets[cells[:, 0], cells[:, 1], names]
        places: Floats = cells.astype(np.float32) * self.stride + offsets
        return places


@dataclass(frozen=True, slots=True)
class Roots:
    """Peaks from which people are grown, best first: number of the keypoint, cell, score."""

    names: Indices
    cells: Indices
    scores: Floats

    @classmethod
    def of(cls, field: Field, least: float) -> Roots:
        """Peaks of at least that score; equal ones in the order of the grid."""
        rows, columns, names = peaks(field.heat, least)
        scores = field.heat[rows, columns, names]
        best = np.lexsort((names, columns, rows, -scores))
        return cls(names[best], np.stack([rows, columns], axis=1)[best], scores[best])


def grown(field: Field, roots: Roots, forward: Floats, backward: Floats) -> Floats:
    """N x 17 x 3 keypoints (y, x in px, score), one body for each root.

    `forward` and `backward` are displacements in px: rows x columns x edges x 2 (y, x). They are
    followed backwards to the nose and then forwards to what is still open.
    """
    count = len(roots.names)
    bodies = np.zeros((count, len(COCO_17), 3), np.float32)
    known = np.zeros(bodies.shape[:2], np.bool_)
    every = np.arange(count)
    bodies[every, roots.names, :2] = field.exact(roots.cells, roots.names)
    bodies[every, roots.names, 2] = roots.scores
    known[every, roots.names] = True
    steps = [(edge, child, parent, backward) for edge, (parent, child) in enumerate(_PAIRS)][::-1]
    steps += [(edge, parent, child, forward) for edge, (parent, child) in enumerate(_PAIRS)]
    for edge, source, target, displacements in steps:
        rows = np.flatnonzero(known[:, source] & ~known[:, target])
        if rows.size:
            start = bodies[rows, source, :2]
            bodies[rows, target] = _followed(field, start, displacements[:, :, edge], target)
            known[rows, target] = True
    return bodies


def _followed(field: Field, start: Floats, displacements: Floats, target: int) -> Floats:
    """N x 3 keypoints where the displacements at N x 2 places lead to."""
    cells = field.near(start)
    places = start + displacements[cells[:, 0], cells[:, 1]]
    for _ in range(_REFINEMENTS):
        places = field.exact(field.near(places), target)
    cells = field.near(places)
    scores = field.heat[cells[:, 0], cells[:, 1], target]
    found: Floats = np.concatenate([places, scores[:, None]], axis=1)
    return found


def people(bodies: Floats, roots: Roots, radius: float) -> list[tuple[Floats, float]]:
    """The bodies that are people of their own, with their scores, in the order of their roots.

    A root that lies within `radius` px of that keypoint of a better person is the same person; a
    keypoint that does adds nothing to the score, which is a mean over all.
    """
    kept: list[int] = []
    found: list[tuple[Floats, float]] = []
    for row, name in enumerate(roots.names.tolist()):
        others = bodies[kept, :, :2]
        close = ((others - bodies[row, :, :2]) ** 2).sum(axis=2) <= radius * radius
        if close[:, name].any():
            continue
        own = bodies[row, ~close.any(axis=0), 2]
        kept.append(row)
        found.append((bodies[row], float(own.sum()) / len(COCO_17)))
    return found
