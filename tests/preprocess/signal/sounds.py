"""Sounds and goldens for the tests of signal processing, the same on every machine.

`goldens.npz` was made by `make_goldens.py` beside it with librosa 0.11.0, scipy 1.17.1,
tensorflow-cpu 2.21.0 and pymicro-features 2.0.2 (on glibc 2.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GOLDENS = Path(__file__).with_name("goldens.npz")
RATE = 16000
LOG_MEL: Mapping[str, Mapping[str, Any]] = {
    "log_mel_default": {},
    "log_mel_htk": {
        "n_fft": 1024, "win_length": 400, "hop_length": 320, "n_mels": 40,
        "fmin": 50.0, "fmax": 7000.0, "htk": True,
    },
    "log_mel_plain": {
        "n_fft": 512, "hop_length": 400, "n_mels": 32, "norm": False, "center": False,
        "window": "hamming", "power": 1.0,
    },
}  # fmt: skip
WELCH: Mapping[str, Mapping[str, Any]] = {
    "welch_default": {},
    "welch_other": {
        "nperseg": 99, "noverlap": 30, "window": "blackman", "detrend": "none",
        "scaling": "spectrum",
    },
}  # fmt: skip


@cache
def goldens() -> Mapping[str, NDArray[Any]]:
    """What the reference programs made of these sounds."""
    with np.load(GOLDENS) as stored:
        return dict(stored)


def noise(count: int, seed: int = 1) -> NDArray[np.int16]:
    """White noise over all 16 bits, from a linear congruential generator."""
    numbers = np.empty(count, np.int64)
    state = seed
    for at in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        numbers[at] = state >> 15
    return (numbers - 2**15).astype(np.int16)


def speech_like(count: int = 8000) -> NDArray[np.float32]:
    """A rising tone with an octave, knocks and faint noise, from -1 to 1; then silence."""
    time = np.arange(count) / RATE
    turn = 2 * np.pi * (200 * time + 1500 * time * time)
    sound = 0.4 * np.sin(turn) + 0.1 * np.sin(2 * turn)
    sound += 0.3 * np.exp(-400 * (time % 0.1)) * np.sin(2 * np.pi * 3000 * time)
    sound += noise(count) / 2**15 * 1e-3
    sound[count * 9 // 10 :] = 0.0
    return sound.astype(np.float32)


def sounds_of_16_bits() -> dict[str, NDArray[np.int16]]:
    """Sounds that drive the micro front end into its corners: loud, faint, silent, square."""
    loud = noise(4000, seed=6)  # it tells the two weights that hang on one step of float32
    steps = np.repeat(np.arange(8), 500)
    at = np.arange(4000)
    return {
        "micro_loud": loud,
        "micro_falling": (loud >> (2 * steps)).astype(np.int16),
        "micro_square": np.where(at // 37 % 2 == 0, 32767, -32768).astype(np.int16),
        "micro_overflowing": _overflowing(),
    }


def _overflowing() -> NDArray[np.int16]:
    """Square waves with the Hann window taken out: sums in the FFT go beyond 16 bits."""
    hann = np.rint(4096 * (0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(480) + 0.5) / 480)))
    level = np.minimum(120 * 4096 / np.maximum(hann, 1), 32767).astype(np.int16)
    frames = []
    for turns in (3, 20, 45, 100):
        place = np.arange(240) * 4 * turns // 256
        even, odd = np.array([1, -1, -1, 1])[place % 4], np.array([1, 1, -1, -1])[place % 4]
        frames.append(level * np.stack((even, odd), axis=1).reshape(480))
    return np.concatenate(frames).astype(np.int16)


def as_samples(sound: NDArray[np.int16]) -> NDArray[np.float32]:
    """16 bits as rows of one channel from -1 to 1."""
    return (sound / np.float32(2**15)).astype(np.float32)[:, None]
