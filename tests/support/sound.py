"""Sound files of the test data."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def read_wav(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first channel of a wav of 16 bits as rows (n x 1) from -1 to 1, and its rate."""
    with wave.open(str(path), "rb") as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        samples = data.reshape(-1, file.getnchannels())[:, :1] / np.float32(2**15)
        return samples.astype(np.float32), file.getframerate()
