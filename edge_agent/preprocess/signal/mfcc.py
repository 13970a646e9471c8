"""Mel-frequency cepstral coefficients: the cosine transform of log-mel energies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need
from edge_agent.preprocess.signal.log_mel import LogMelStream, LogMelWindow
from edge_agent.preprocess.signal.mel import cosine_transform
from edge_agent.preprocess.signal.mel_settings import PRESETS, LogMelOptions

# librosa.feature.mfcc; the tf.signal guide; the dct_coefficient_count of MLPerf Tiny.
_COEFFICIENTS = {"librosa": 20, "tensorflow": 13, "mlperf_kws": 10}


@dataclass(frozen=True, slots=True)
class MfccOptions(LogMelOptions):
    """Options of `mfcc`: those of `log_mel`, and how many coefficients."""

    n_mfcc: Annotated[int | None, Ge(1), Doc("Coefficients, the first ones.")] = None


class MfccStream:
    """MFCC of a stream, a row for each hop."""

    Options: ClassVar[type[Options]] = MfccOptions

    def __init__(self, options: MfccOptions, rate: float, channels: int) -> None:
        self._mel = LogMelStream(options, rate, channels)
        self._transform = _transform(options, self._mel.channels)
        self.rate = self._mel.rate
        self.channels = self._transform.shape[1]

    def push(self, block: Block) -> Block:
        """One row of coefficients for each frame that is full with these samples (n x 1)."""
        return _product(self._mel.push(block), self._transform)

    def reset(self) -> None:
        """Begin anew."""
        self._mel.reset()


class MfccWindow:
    """MFCC of a window: frames x coefficients."""

    Options: ClassVar[type[Options]] = MfccOptions

    def __init__(self, options: MfccOptions, rate: float, shape: tuple[int, int]) -> None:
        self._mel = LogMelWindow(options, rate, shape)
        self._transform = _transform(options, self._mel.shape[1])
        self.shape: tuple[int, ...] = (self._mel.shape[0], self._transform.shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """MFCC of samples from -1 to 1 (length x 1)."""
        return _product(self._mel.apply(window), self._transform)


def _product(mel: NDArray[np.float32], transform: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix product, without BLAS: see `BandSums`."""
    return np.asarray(np.einsum("fm,mc->fc", mel, transform), np.float32)


def _transform(options: MfccOptions, n_mels: int) -> NDArray[np.float32]:
    need(
        options.preset in _COEFFICIENTS,
        "preset",
        f"{options.preset} has no MFCC",
        f"choose one of {', '.join(_COEFFICIENTS)}, or log_mel",
    )
    count = options.n_mfcc or _COEFFICIENTS[options.preset]
    need(count <= n_mels, "n_mfcc", f"{count} is more than n_mels {n_mels}", "lower it")
    orthonormal = PRESETS[options.preset].bank != "tensorflow"
    return cosine_transform(n_mels, count, orthonormal).astype(np.float32)
