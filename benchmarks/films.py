"""Films for trackers: what a detector said in each frame, and where everybody truly was."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.street import Detector, people

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame: seconds, true ids and boxes, detected boxes (N x 4, frame fractions), scores."""

    time: float
    ids: list[int]
    truth: Array
    boxes: Array
    scores: Array


@dataclass(frozen=True, slots=True)
class Film:
    """Frames in order; `rate` (a second) and `size` (pixels) are what other trackers are told."""

    name: str
    rate: float
    size: tuple[int, int]
    frames: list[Scene]


def mot_film(folder: Path) -> Film:
    """A sequence of MOTChallenge 2015; truth that does not count (confidence 0) is left out."""
    rate, size = _info(folder / "seqinfo.ini")
    seen = np.loadtxt(folder / "det.txt", delimiter=",", ndmin=2)
    true = np.loadtxt(folder / "gt.txt", delimiter=",", ndmin=2)
    true = true[true[:, 6] != 0]
    frames = []
    for number in range(1, int(max(true[:, 0].max(), seen[:, 0].max())) + 1):
        here, there = true[true[:, 0] == number], seen[seen[:, 0] == number]
        frames.append(
            Scene(
                number / rate,
                here[:, 1].astype(int).tolist(),
                _corners(here, size),
                _corners(there, size),
                there[:, 6],
            )
        )
    return Film(folder.name, rate, size, frames)


def _info(path: Path) -> tuple[float, tuple[int, int]]:
    info = configparser.ConfigParser()
    info.read(path)
    if not info.has_section("Sequence"):
        return 25.0, (640, 480)
    about = info["Sequence"]
    return float(about["frameRate"]), (int(about["imWidth"]), int(about["imHeight"]))


def _corners(rows: Array, size: tuple[int, int]) -> Array:
    low = rows[:, 2:4]
    return np.concatenate([low, low + rows[:, 4:6]], axis=1) / [*size, *size]


_KINDS: dict[str, dict[str, Any]] = {
    "street, 25 a second": {"rate": 25.0},
    "busy street, 25 a second": {"rate": 25.0, "crowd": 2.0},
    "busy square, 10 a second": {"rate": 10.0, "crowd": 2.0, "above": True},
    "street, 5 a second": {"rate": 5.0},
    "street, 15 a second, a third lost": {"rate": 15.0, "lost": 0.3},
    "street, poor detector, 25 a second": {"rate": 25.0, "quality": 0.75, "crowd": 1.5},
}


def streets(each: int) -> dict[str, list[Film]]:
    """So many made-up films of each kind, the same ones each time."""
    return {
        kind: [_street(kind, 100 * place + number, **what) for number in range(each)]
        for place, (kind, what) in enumerate(_KINDS.items())
    }


def _street(
    name: str,
    seed: int,
    rate: float,
    crowd: float = 1.0,
    above: bool = False,
    lost: float = 0.0,
    quality: float = 1.0,
    seconds: float = 30.0,
) -> Film:
    chance = np.random.default_rng(seed)
    where = people(chance, seconds, crowd, above)
    detector = Detector(chance, len(where(0.0)[0]), quality)
    frames = list(_frames(_times(chance, rate, lost, seconds), where, detector))
    return Film(name, rate, (640, 480), frames)


def _times(
    chance: np.random.Generator, rate: float, lost: float, seconds: float
) -> Iterator[float]:
    now = 0.0
    while now < seconds:
        yield now
        jitter = 0.5 if lost else 0.0
        now += (1.0 + jitter * chance.uniform(-1.0, 1.0)) / rate
        while chance.random() < lost:
            now += 1.0 / rate


def _frames(
    times: Iterator[float], where: Callable[[float], tuple[Array, Array]], detector: Detector
) -> Iterator[Scene]:
    for now in times:
        boxes, depths = where(now)
        width = boxes[:, 2] - boxes[:, 0]
        inside = np.minimum(boxes[:, 2], 1.0) - np.maximum(boxes[:, 0], 0.0)
        here = np.nonzero(inside > 0.35 * width)[0]  # not for those who are elsewhere (NaN)
        found, scores = detector.look(now, here, boxes[here], depths[here])
        yield Scene(now, here.tolist(), np.clip(boxes[here], 0.0, 1.0), found, scores)
