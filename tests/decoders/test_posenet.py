"""People from the raw heads of PoseNet, against a version that follows one keypoint at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.keypoints import COCO_17
from edge_agent.decoders.posenet import PosenetDecoder, PosenetOptions
from edge_agent.geometry import BoxMapping
from tests.decoders.split_models import quantised
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]

_ROWS, _COLUMNS, _STRIDE = 9, 13, 16
_SIZE = (_COLUMNS * _STRIDE, _ROWS * _STRIDE)
_PARENTS = {
    "left_eye": "nose", "left_ear": "left_eye", "right_eye": "nose", "right_ear": "right_eye",
    "left_shoulder": "nose", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
    "left_hip": "left_shoulder", "left_knee": "left_hip", "left_ankle": "left_knee",
    "right_shoulder": "nose", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
    "right_hip": "right_shoulder", "right_knee": "right_hip", "right_ankle": "right_knee",
}  # fmt: skip
_CHILDREN = [
    "left_eye", "left_ear", "right_eye", "right_ear", "left_shoulder", "left_elbow", "left_wrist",
    "left_hip", "left_knee", "left_ankle", "right_shoulder", "right_elbow", "right_wrist",
    "right_hip", "right_knee", "right_ankle",
]  # fmt: skip


class Heads:
    """Logits of the heatmaps, offsets, and displacements forwards and backwards, in px."""

    def __init__(self, seed: int) -> None:
        noise = np.random.default_rng(seed)
        shape = (_ROWS, _COLUMNS)
        heat = noise.normal(-3, 1.5, (*shape, 17))
        # None so near to a score of 0.5 that rounding decides what is a root.
        self.heat = np.where(np.abs(heat) < 0.01, heat + 0.02, heat).astype(np.float32)
        self.offsets = noise.normal(0, 8, (*shape, 34)).astype(np.float32)
        self.forward = noise.normal(0, 40, (*shape, 32)).astype(np.float32)
        self.backward = noise.normal(0, 40, (*shape, 32)).astype(np.float32)

    def plant(self, points: Floats, score: float = 0.9) -> None:
        """Make every head agree on a person whose 17 points (y, x in px) these are.

        The cells around that of a point agree too, a little less sure.
        """
        around = [self._around(point) for point in points]
        for name, point in enumerate(points):
            for cell in around[name]:
                is_own = cell == self._cell(point)
                self.heat[(*cell, name)] = math.log(score / (1 - score)) - (not is_own) / 9
                self._point(self.offsets, name, 17, cell, point - self._place(cell))
        for edge, child in enumerate(_CHILDREN):
            tail, head = COCO_17.index(_PARENTS[child]), COCO_17.index(child)
            for cell in around[tail]:
                self._point(self.forward, edge, 16, cell, points[head] - points[tail])
            for cell in around[head]:
                self._point(self.backward, edge, 16, cell, points[tail] - points[head])

    def _around(self, point: Any) -> list[tuple[int, int]]:
        row, column = self._cell(point)
        return [
            (r, c)
            for r in range(max(0, row - 1), min(_ROWS, row + 2))
            for c in range(max(0, column - 1), min(_COLUMNS, column + 2))
        ]

    @staticmethod
    def _point(table: Floats, name: int, count: int, cell: Any, values: Any) -> None:
        table[(*cell, name)], table[(*cell, count + name)] = values

    @staticmethod
    def _cell(point: Any) -> tuple[int, int]:
        row, column = (math.floor(float(side) / _STRIDE + 0.5) for side in point)
        return min(max(row, 0), _ROWS - 1), min(max(column, 0), _COLUMNS - 1)

    @staticmethod
    def _place(cell: tuple[int, int]) -> Any:
        return np.array(cell, np.float32) * _STRIDE

    # The slow way

    def found(self, radius: float = 20.0, root: float = 0.5) -> list[tuple[float, list[Any]]]:
        """Score and keypoints (y, x, score) of each person."""
        people: list[list[Any]] = []
        scores = []
        for _, row, column, name in sorted(self._roots(root), key=lambda each: -each[0]):
            place = self._exact((row, column), name)
            if any(math.dist(place, other[name][:2]) <= radius for other in people):
                continue
            body = self._grow((row, column), name)
            own = [
                point[2]
                for k, point in enumerate(body)
                if all(math.dist(point[:2], other[k][:2]) > radius for other in people)
            ]
            people.append(body)
            scores.append(sum(own) / 17)
        return list(zip(scores, people, strict=True))

    def _roots(self, least: float) -> list[tuple[float, int, int, int]]:
        roots = []
        for row, column, name in np.ndindex(self.heat.shape):
            part = self.heat[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2, name]
            score = self._score((row, column), name)
            if score >= least and self.heat[row, column, name] == part.max():
                roots.append((score, row, column, name))
        return roots

    def _score(self, cell: tuple[int, int], name: int) -> float:
        return 1 / (1 + math.exp(-float(self.heat[(*cell, name)])))

    def _exact(self, cell: tuple[int, int], name: int) -> tuple[float, float]:
        down, right = self.offsets[(*cell, name)], self.offsets[(*cell, 17 + name)]
        return float(cell[0] * _STRIDE + down), float(cell[1] * _STRIDE + right)

    def _grow(self, cell: tuple[int, int], name: int) -> list[Any]:
        body: dict[int, Any] = {name: (*self._exact(cell, name), self._score(cell, name))}
        for edge in range(15, -1, -1):
            head = COCO_17.index(_CHILDREN[edge])
            self._step(body, head, COCO_17.index(_PARENTS[_CHILDREN[edge]]), edge, self.backward)
        for edge in range(16):
            head = COCO_17.index(_CHILDREN[edge])
            self._step(body, COCO_17.index(_PARENTS[_CHILDREN[edge]]), head, edge, self.forward)
        return [body[k] for k in range(17)]

    def _step(
        self, body: dict[int, Any], source: int, target: int, edge: int, table: Floats
    ) -> None:
        if source not in body or target in body:
            return
        y, x, _ = body[source]
        cell = self._cell((y, x))
        place = y + float(table[(*cell, edge)]), x + float(table[(*cell, 16 + edge)])
        for _ in range(2):
            place = self._exact(self._cell(place), target)
        body[target] = (*place, self._score(self._cell(place), target))


def model(
    heads: Heads, form: str = "pair", order: Any = None, channels_first: bool = False,
    probabilities: bool = False,
) -> Any:  # fmt: skip
    """Those heads as outputs: both displacements apart, in one beside segments, or none."""
    heat = (1 / (1 + np.exp(-heads.heat))).astype(np.float32) if probabilities else heads.heat
    tables = {"heatmap": heat, "offset": heads.offsets}
    if form == "pair":
        tables |= {"displacement_fwd": heads.forward, "displacement_bwd": heads.backward}
    elif form == "middle":
        tables["mid"] = np.concatenate([heads.forward, heads.backward], axis=2)
        tables["segments"] = np.zeros((_ROWS, _COLUMNS, 1), np.float32)
    pairs = list(tables.items())
    pairs = [pairs[n] for n in order if n < len(pairs)] if order else pairs
    values = [np.moveaxis(v, -1, 0) if channels_first else v for _, v in pairs]
    outputs = [np.ascontiguousarray(v[None]) for v in values]
    specs = [make_spec(o.shape, name=n) for (n, _), o in zip(pairs, outputs, strict=True)]
    return make_info(specs, inputs=[make_spec((1, _SIZE[1], _SIZE[0], 3))]), outputs


def body(left: float) -> Floats:
    """A person of 17 points with gaps between them, `left` px from the left."""
    rows = np.array([10, 6, 6, 8, 8, 30, 30, 60, 60, 90, 90, 80, 80, 104, 104, 126, 126])
    columns = np.array([30, 36, 24, 44, 16, 50, 10, 56, 4, 58, 2, 46, 14, 46, 14, 46, 14])
    return np.stack([rows, columns + left], axis=1).astype(np.float32)


def one_person() -> Any:
    """A model that sees one person and nothing else."""
    heads = Heads(1)
    heads.heat[:] = -9
    heads.plant(body(10.0))
    return model(heads)


def assert_same(found: Any, wanted: list[tuple[float, list[Any]]]) -> None:
    """The people are those of the slow way, clipped to the picture."""
    wanted = sorted(wanted, key=lambda each: -each[0])
    assert [d.score for d in found] == pytest.approx([score for score, _ in wanted], abs=1e-5)
    for detection, (_, points) in zip(found, wanted, strict=True):
        for point, (y, x, score) in zip(detection.keypoints, points, strict=True):
            assert point.score == pytest.approx(score, abs=1e-5)
            place = np.clip((x / _SIZE[0], y / _SIZE[1]), 0, 1)
            assert (point.x, point.y) == pytest.approx(place, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["pair", "middle"]), st.permutations(range(4)),
    st.booleans(), st.booleans(), st.integers(0, 2),
)  # fmt: skip
def test_bodies_grow_as_published(
    seed: int, form: str, order: Any, channels_first: bool, probabilities: bool, planted: int
) -> None:
    """The same people as one keypoint at a time, in noise and in any order of the outputs."""
    heads = Heads(seed)
    for number in range(planted):
        heads.plant(body(80.0 * number))
    info, outputs = model(heads, form, order, channels_first, probabilities)
    decoder: Any = choose_decoder(info, None)[0]
    assert decoder.name == "posenet"
    found = decoder.decode(outputs, BoxMapping(), 0.0)
    wanted = [each for each in heads.found() if _has_area(each[1])]
    assert_same(found, wanted)


def _has_area(points: list[Any]) -> bool:
    places = np.clip(np.array(points)[:, 1::-1] / _SIZE, 0, 1)
    return bool((places.max(axis=0) > places.min(axis=0)).all())


def test_two_people() -> None:
    """Each has the points that were put there, and a box around them."""
    heads = Heads(1)
    heads.heat[:] = -9
    heads.plant(body(10.0), 0.9)
    heads.plant(body(120.0), 0.8)
    decoder: Any
    decoder, why = choose_decoder(model(heads)[0], None)
    assert "17 keypoints of several people at stride 16" in why
    first, second = decoder.decode(model(heads)[1], BoxMapping(), 0.5)
    assert (first.label, first.score, second.score) == ("person", *map(pytest.approx, (0.9, 0.8)))
    for each, left in ((first, 10.0), (second, 120.0)):
        points = [(point.y * _SIZE[1], point.x * _SIZE[0]) for point in each.keypoints]
        assert np.array(points) == pytest.approx(body(left), abs=1e-3)
        assert each.box[0] * _SIZE[0] == pytest.approx(left + 2, abs=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_whole_numbers(dtype: str) -> None:
    """Quantised heads find the people within their steps."""
    heads = Heads(1)
    heads.heat[:] = -9
    heads.plant(body(10.0))
    heads.plant(body(120.0), 0.8)
    info, outputs, _ = quantised(model(heads), dtype)
    decoder: Any = choose_decoder(info, None)[0]
    first, second = decoder.decode(outputs, BoxMapping(), 0.5)
    for each, left in ((first, 10.0), (second, 120.0)):
        points = [(point.y * _SIZE[1], point.x * _SIZE[0]) for point in each.keypoints]
        assert np.array(points) == pytest.approx(body(left), abs=1.0)


def test_one_person_without_displacements() -> None:
    """Each keypoint is where its heatmap is highest."""
    heads = Heads(2)
    heads.heat[:] = -9
    heads.plant(body(10.0))
    info, outputs = model(heads, "none")
    decoder: Any
    decoder, why = choose_decoder(info, None)
    assert "one person" in why
    (found,) = decoder.decode(outputs, BoxMapping(), 0.5)
    points = [(point.y * _SIZE[1], point.x * _SIZE[0]) for point in found.keypoints]
    assert np.array(points) == pytest.approx(body(10.0), abs=1e-3)
    assert decoder.decode(outputs, BoxMapping(), 0.95) == ()


def test_options() -> None:
    """A higher root and a wider radius leave people out."""
    heads = Heads(1)
    heads.heat[:] = -9
    heads.plant(body(10.0), 0.9)
    heads.plant(body(120.0), 0.8)
    info, outputs = model(heads)
    for options, count in (
        (PosenetOptions(root=0.85), 1),
        (PosenetOptions(radius=150), 1),
        (PosenetOptions(), 2),
    ):
        decoder = PosenetDecoder(info, None, options)
        assert len(decoder.decode(outputs, BoxMapping(), 0.3)) == count


def test_broken_numbers() -> None:
    """Numbers that are none make no person, and no error."""
    heads = Heads(3)
    for table in (heads.heat, heads.offsets, heads.forward, heads.backward):
        table[::2] = np.nan
        table[1::3] = np.inf
    info, outputs = model(heads)
    decoder: Any = choose_decoder(info, None)[0]
    for each in decoder.decode(outputs, BoxMapping(), 0.0):
        assert all(0.0 <= side <= 1.0 for side in each.box)
