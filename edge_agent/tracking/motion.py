"""Where boxes will be: one Kalman filter over all objects of a tracker, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# For place and size, in sizes of the box itself: those who walk pass 1.5 of their widths a second.
_PACE = np.array([1.5, 0.3])  # usual speed (standard deviation), a second
_KEEPS = np.array([4.0, 1.0])  # seconds for which a speed lasts
_ERROR = np.array([0.05, 0.08])  # of a sure and free-standing detection (standard deviation)

_PACE_2 = _PACE**2
_AXES = [0, 0, 1, 1]  # x and y are as uncertain as each other, so are width and height
_LEAST_SIZE = 1e-4


class Motion:
    """Centre and size of N boxes, their speeds, and how uncertain each is.

    A speed fades with time and is renewed at random (Ornstein and Uhlenbeck), solved exactly: two
    short steps are one long step, so that the rate of frames does not matter, and whoever is out
    of sight is not believed to run on for ever. Everything is measured in sizes of the box itself,
    separately in x and y: the shape of the frame and the distance to the camera do not matter
    either. The four coordinates are independent, so there is no matrix to invert.
    """

    def __init__(self) -> None:
        self._place = np.zeros((0, 4))  # centre x and y, width, height; frame fractions
        self._speed = np.zeros((0, 4))  # of these, a second
        self._spread = np.zeros((3, 0, 2))  # variance of place, its covariance with speed, of speed

    def __len__(self) -> int:
        return len(self._place)

    @property
    def boxes(self) -> Array:
        """Where they should be now, N x 4 (x1, y1, x2, y2)."""
        centre, half = self._place[:, :2], self._place[:, 2:] / 2.0
        return np.concatenate([centre - half, centre + half], axis=1)

    @property
    def uncertainty(self) -> Array:
        """How far their centres may be off (standard deviation), in sizes of the box; N."""
        uncertainty: Array = np.sqrt(self._spread[0, :, 0])
        return uncertainty

    def predict(self, elapsed: float) -> None:
        """Let so many seconds pass."""
        if not len(self) or elapsed <= 0.0:
            return
        left = np.exp(-elapsed / _KEEPS)
        reach = _KEEPS * (1.0 - left)
        self._place += self._speed * reach[_AXES]
        self._speed *= left[_AXES]
        np.maximum(self._place[:, 2:], _LEAST_SIZE, out=self._place[:, 2:])
        place, both, speed = self._spread
        drift = 2.0 * elapsed - 4.0 * reach + _KEEPS * (1.0 - left**2)
        place += 2.0 * reach * both + reach**2 * speed + _PACE_2 * _KEEPS * drift
        both *= left
        both += left * reach * speed + _PACE_2 * reach**2 / _KEEPS
        speed *= left**2
        speed += _PACE_2 * (1.0 - left**2)

    def saw(self, rows: Sequence[int], boxes: Array, errors: Array) -> None:
        """Take in the boxes that these rows were seen as, with how many times the usual error."""
        place, both, speed = self._spread[:, rows]
        total = place + _noise(errors)
        gain, push = place / total, both / total
        off = _centred(boxes) - self._place[rows]
        self._place[rows] += gain[:, _AXES] * off
        self._speed[rows] += push[:, _AXES] * off
        self._spread[:, rows] = place * (1.0 - gain), both * (1.0 - gain), speed - push * both

    def add(self, boxes: Array, errors: Array) -> None:
        """Begin rows for new boxes, which may move anywhere."""
        noise = _noise(errors)
        fresh = np.stack([noise, np.zeros_like(noise), np.broadcast_to(_PACE_2, noise.shape)])
        self._place = np.concatenate([self._place, _centred(boxes)])
        self._speed = np.concatenate([self._speed, np.zeros((len(boxes), 4))])
        self._spread = np.concatenate([self._spread, fresh], axis=1)

    def keep(self, rows: Sequence[int]) -> None:
        """Forget all rows but these."""
        kept = np.array(rows, np.intp)
        self._place, self._speed = self._place[kept], self._speed[kept]
        self._spread = self._spread[:, kept]


def _noise(errors: Array) -> Array:
    noise: Array = np.square(errors[:, None] * _ERROR)
    return noise


def _centred(boxes: Array) -> Array:
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([(low + high) / 2.0, np.maximum(high - low, _LEAST_SIZE)], axis=1)
