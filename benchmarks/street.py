"""A street that is made up: people who walk, stop, turn and hide each other, and who sees them.

What it has of real streets: groups that walk in step, occlusion by whoever is nearer, boxes that
are cut short or drawn around two where people overlap, non-maximum suppression that swallows one of
them, errors and misses that last for some frames, things that look like people again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Chance = np.random.Generator

_STEPS = 50  # of the simulation, a second
_VIEW = 0.65  # half the width of the view, in distances from the camera
_SHAPE = 640 / 480
_MEMORY = 0.3  # seconds for which an error of the detector lasts


def people(
    chance: Chance, seconds: float, crowd: float, above: bool
) -> Callable[[float], tuple[Array, Array]]:
    """Where everybody is at a time: boxes N x 4 (NaN for who is not there), distances N."""
    walks = []
    start = 0.0
    while start < seconds - 1.0:
        group = int(chance.integers(2, 4)) if chance.random() < 0.25 else 1
        distance, heading = chance.uniform(5.0, 16.0), chance.choice([-1.0, 1.0])
        pace = np.clip(chance.normal(1.3, 0.3), 0.4, 2.2) * (2.0 if chance.random() < 0.05 else 1.0)
        for place in range(group):
            walks.append(_walk(chance, start, seconds, distance, heading, pace, place, above))
            distance += chance.normal(0.0, 0.3)
        start += chance.exponential(2.5 / crowd)
    boxes = np.stack([walk[0] for walk in walks])
    depths = np.stack([walk[1] for walk in walks])

    def where(now: float) -> tuple[Array, Array]:
        step = min(int(now * _STEPS), boxes.shape[1] - 1)
        return boxes[:, step], depths[:, step]

    return where


def _walk(
    chance: Chance,
    start: float,
    seconds: float,
    distance: float,
    heading: float,
    pace: float,
    place: int,
    above: bool,
) -> tuple[Array, Array]:
    """One person's boxes and distances at each step of the film."""
    steps = int(seconds * _STEPS)
    boxes, depths = np.full((steps, 4), np.nan), np.full(steps, np.inf)
    height, girth = chance.normal(1.72, 0.08), chance.normal(0.55, 0.05)
    x = -heading * (_VIEW * distance + 0.5 + 0.7 * place)
    away = chance.normal(0.0, 0.7 if above else 0.15)
    speed, rest, stride = pace * heading, 0.0, chance.uniform(0.0, 6.3)
    for step in range(int(start * _STEPS), steps):
        rest -= 1.0 / _STEPS
        if chance.random() < 0.04 / _STEPS:
            rest = chance.uniform(0.5, 4.0)
        if chance.random() < 0.02 / _STEPS:
            heading = -heading
        wanted = 0.0 if rest > 0.0 else pace * heading
        speed += (wanted - speed) * 3.0 / _STEPS + chance.normal(0.0, 0.25) / _STEPS**0.5
        x += speed / _STEPS
        distance = float(np.clip(distance + away / _STEPS, 4.0, 20.0))
        stride += 2.0 * np.pi * abs(speed) / 1.3 / _STEPS
        width = girth * (1.0 + 0.25 * abs(np.sin(stride)) * min(1.0, abs(speed)))
        boxes[step] = _seen_from(x, distance, width, height, above)
        depths[step] = distance
        if abs(x) > _VIEW * distance + 1.0 + 0.7 * place and step > (start + 1.0) * _STEPS:
            break
    return boxes, depths


def _seen_from(x: float, distance: float, width: float, height: float, above: bool) -> Array:
    scale = 1.0 / (2.0 * _VIEW * distance)
    foot = 0.42 + (2.6 if above else 1.8) * _SHAPE * scale
    half = width * scale / 2.0
    middle = 0.5 + x * scale
    return np.array([middle - half, foot - height * _SHAPE * scale, middle + half, foot])


class Detector:
    """Finds people by how much of them is to be seen, with a threshold of 0.5."""

    def __init__(self, chance: Chance, persons: int, quality: float) -> None:
        self._chance = chance
        self._quality = quality
        self._ease = chance.normal(0.0, 0.6, persons)  # how easily each is found
        self._bias = np.zeros((persons, 4))
        self._mood = chance.normal(0.0, 1.0, persons)
        self._lookalikes = chance.uniform((0.0, 0.2, 0.04, 0.15), (0.8, 0.5, 0.15, 0.45), (3, 4))
        self._shown = np.zeros(3, bool)
        self._last = 0.0

    def look(self, now: float, who: Array, boxes: Array, depths: Array) -> tuple[Array, Array]:
        """Boxes and scores for the people who are there, and for what is not."""
        elapsed, self._last = max(now - self._last, 1e-3), now
        left = np.exp(-elapsed / _MEMORY)
        fresh = np.sqrt(1.0 - left**2)
        self._bias = left * self._bias + fresh * self._chance.normal(size=self._bias.shape)
        self._mood = left * self._mood + fresh * self._chance.normal(size=self._mood.shape)
        seen: list[tuple[float, Array]] = []
        for place, person in enumerate(who):
            shown, rest = _visible(place, boxes, depths)
            ease = self._ease[person] + 0.9 * self._mood[person] + 0.5 * self._chance.normal()
            ease += 8.4 * self._quality * (shown - 0.38) + (0.3 if depths[place] < 9.0 else -0.2)
            score = 1.0 / (1.0 + np.exp(-ease))
            part = 0.7 * self._chance.random() if shown < 0.8 else 0.0
            box = (1.0 - part) * boxes[place] + part * rest
            seen.append((score, self._blur(box, score, self._bias[person])))
            if self._chance.random() < 0.02:
                half = box[1] + self._chance.uniform(0.4, 0.7) * (box[3] - box[1])
                seen.append((0.75 * score, np.array([*box[:3], half])))
        seen += [*self._mistakes(elapsed), *self._merged(boxes)]
        return _suppress(seen)

    def _blur(self, box: Array, score: float, bias: Array) -> Array:
        wild = 3.0 if self._chance.random() < 0.05 else 1.0
        error = (0.6 * bias + self._chance.normal(0.0, 0.8 * wild, 4)) * (1.5 - score)
        error *= np.array([0.06, 0.025, 0.12, 0.05]) / self._quality
        size = box[2:] - box[:2]
        centre = (box[:2] + box[2:]) / 2.0 + error[:2] * size
        half = size * np.exp(error[2:]) / 2.0
        return np.concatenate([centre - half, centre + half])

    def _mistakes(self, elapsed: float) -> list[tuple[float, Array]]:
        """Things that look like people for a while, and flashes anywhere."""
        turns = self._chance.random(3) < elapsed / np.where(self._shown, 0.4, 3.0)
        self._shown ^= turns
        found = []
        for shown, (x, y, width, height) in zip(self._shown, self._lookalikes, strict=True):
            if shown and self._chance.random() < 0.6:
                box = np.array([x, y, x + width, y + height])
                box[:2] += self._chance.normal(0.0, 0.01, 2)
                found.append((self._chance.uniform(0.4, 0.8), box))
        for _ in range(self._chance.poisson(0.06)):
            corner, size = self._chance.uniform(0.0, 0.5, 2), self._chance.uniform(0.03, 0.4, 2)
            found.append((self._chance.uniform(0.3, 0.75), np.array([*corner, *(corner + size)])))
        return found

    def _merged(self, boxes: Array) -> list[tuple[float, Array]]:
        """Now and then one box around the two who overlap most."""
        if len(boxes) < 2 or self._chance.random() > 0.03:
            return []
        overlaps = _overlaps(boxes)
        np.fill_diagonal(overlaps, 0.0)
        one, other = np.unravel_index(overlaps.argmax(), overlaps.shape)
        if overlaps[one, other] < 0.1:
            return []
        low = np.minimum(boxes[one, :2], boxes[other, :2])
        high = np.maximum(boxes[one, 2:], boxes[other, 2:])
        return [(self._chance.uniform(0.4, 0.8), np.concatenate([low, high]))]


def _visible(place: int, boxes: Array, depths: Array) -> tuple[float, Array]:
    """The part of somebody that nobody nearer hides, and the box of what is free of them."""
    box = boxes[place]
    x = box[0] + (np.arange(12) + 0.5) / 12.0 * (box[2] - box[0])
    y = box[1] + (np.arange(16) + 0.5) / 16.0 * (box[3] - box[1])
    hidden = np.zeros((16, 12), bool)
    for near in boxes[depths < depths[place]]:
        hidden |= ((y > near[1]) & (y < near[3]))[:, None] & ((x > near[0]) & (x < near[2]))
    free = np.nonzero(~hidden.all(axis=0) & (hidden.mean(axis=0) < 0.7))[0]
    rest = box.copy()
    if free.size:
        column = (box[2] - box[0]) / 12.0
        rest[0], rest[2] = box[0] + free[0] * column, box[0] + (free[-1] + 1) * column
    return 1.0 - float(hidden.mean()), rest


def _suppress(seen: list[tuple[float, Array]]) -> tuple[Array, Array]:
    """Those above the threshold, the surest first, none that overlaps a surer one by half."""
    seen = sorted((each for each in seen if each[0] >= 0.5), key=lambda each: -each[0])
    boxes = np.clip(np.array([box for _, box in seen]).reshape(-1, 4), 0.0, 1.0)
    overlaps = _overlaps(boxes)
    kept: list[int] = []
    for number in range(len(boxes)):
        if (boxes[number, 2:] - boxes[number, :2] > 0.005).all() and not any(
            overlaps[number, other] > 0.5 for other in kept
        ):
            kept.append(number)
    return boxes[kept], np.array([seen[number][0] for number in kept])


def _overlaps(boxes: Array) -> Array:
    shared = np.minimum(boxes[:, None, 2:], boxes[:, 2:])
    shared = np.maximum(shared - np.maximum(boxes[:, None, :2], boxes[:, :2]), 0.0).prod(axis=2)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    union: Array = np.maximum(area[:, None] + area - shared, 1e-12)
    return np.asarray(shared / union)
