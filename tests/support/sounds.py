"""WAVE files for tests."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_wav(path: Path, samples: NDArray[np.int16], rate: int = 16000) -> Path:
    """A file of 16 bit samples, one column of `samples` for each channel."""
    columns = samples if samples.ndim == 2 else samples[:, None]
    with wave.open(str(path), "wb") as file:
        file.setparams((columns.shape[1], 2, rate, 0, "NONE", ""))
        file.writeframes(columns.astype("<i2").tobytes())
    return path


def noise(count: int, channels: int = 1) -> NDArray[np.int16]:
    """Samples of every size, both ends of the range among them."""
    values = np.random.default_rng(7).integers(-32768, 32768, (count, channels), np.int16)
    values[:2] = [[-32768], [32767]]
    return values
