"""Mel filter banks and the cosine transform of MFCC, as librosa and TensorFlow define them.

Sources: O'Shaughnessy, Speech Communication (1987), for the HTK scale mel = 2595 log10(1 + f/700)
= 1127 ln(1 + f/700); Slaney, Auditory Toolbox (1998), for the scale that is linear up to 1 kHz and
logarithmic above; the documentation of librosa.filters.mel and of
tf.signal.linear_to_mel_weight_matrix for how the triangles are drawn over it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_HERTZ_PER_MEL = 200.0 / 3.0
_KNEE_HERTZ = 1000.0
_KNEE_MEL = _KNEE_HERTZ / _HERTZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0  # 27 steps lead from 1 kHz to 6.4 kHz


class BandSums:
    """Weighted sums over bins, band by band: the product with a bank, whose zeros are left out.

    Not a matrix product: the threads of BLAS wait for each other on a busy machine, and how it
    rounds depends on how many frames come at once.
    """

    def __init__(self, bank: Array) -> None:
        used = [np.flatnonzero(band) for band in bank.T]
        spans = [np.arange(u[0], u[-1] + 1) if u.size else np.zeros(1, int) for u in used]
        self._places = np.concatenate(spans)
        bands = np.repeat(np.arange(len(spans)), [len(span) for span in spans])
        self._weights = bank[self._places, bands]
        self._starts = np.searchsorted(bands, np.arange(len(spans)))

    def of(self, bins: Array) -> Array:
        """The sums (n x bands) of bins (n x bins of the bank)."""
        weighted = bins.take(self._places, axis=1)
        weighted *= self._weights
        return np.add.reduceat(weighted, self._starts, axis=1)


def htk_mel(hertz: Array) -> Array:
    """Mel of frequencies on the HTK scale."""
    return 1127.0 * np.log1p(hertz / 700.0)


def _htk_hertz(mel: Array) -> Array:
    return 700.0 * np.expm1(mel / 1127.0)


def slaney_mel(hertz: Array) -> Array:
    """Mel of frequencies on Slaney's scale."""
    above = _KNEE_MEL + np.log(np.maximum(hertz, _KNEE_HERTZ) / _KNEE_HERTZ) / _LOG_STEP
    return np.where(hertz < _KNEE_HERTZ, hertz / _HERTZ_PER_MEL, above)


def _slaney_hertz(mel: Array) -> Array:
    above = _KNEE_HERTZ * np.exp(_LOG_STEP * (np.maximum(mel, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _HERTZ_PER_MEL, above)


def librosa_bank(
    rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, htk: bool, norm: bool
) -> Array:
    """Triangles that are straight over frequency, (n_fft / 2 + 1) x n_mels.

    `norm` gives each triangle the area 1 over Hz (librosa's norm="slaney"), else the height is 1.
    """
    to_mel, to_hertz = (htk_mel, _htk_hertz) if htk else (slaney_mel, _slaney_hertz)
    low, high = to_mel(np.array([fmin, fmax]))
    edges = to_hertz(np.linspace(float(low), float(high), n_mels + 2))
    bins = np.linspace(0.0, rate / 2.0, n_fft // 2 + 1)
    bank = _triangles(bins, edges)
    return bank * (2.0 / (edges[2:] - edges[:-2])) if norm else bank


def tensorflow_bank(rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float) -> Array:
    """Triangles of height 1 that are straight over HTK mel."""
    low, high = htk_mel(np.array([fmin, fmax]))
    bins = htk_mel(np.linspace(0.0, rate / 2.0, n_fft // 2 + 1))
    return _triangles(bins, np.linspace(float(low), float(high), n_mels + 2))


def _triangles(bins: Array, edges: Array) -> Array:
    """One triangle for each three edges that follow one another, sampled at the bins."""
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins[:, None] - lower) / (centre - lower)
    falling = (upper - bins[:, None]) / (upper - centre)
    return np.maximum(0.0, np.minimum(rising, falling))


def cosine_transform(n_mels: int, n_mfcc: int, orthonormal: bool) -> Array:
    """The first `n_mfcc` rows of the DCT-II, as an n_mels x n_mfcc matrix.

    All rows have the factor sqrt(2 / n_mels), as in tf.signal.mfccs_from_log_mel_spectrograms;
    the orthonormal one of librosa divides the first by sqrt(2).
    """
    place = (np.arange(n_mels)[:, None] + 0.5) * np.arange(n_mfcc)
    matrix: Array = np.cos(np.pi / n_mels * place) * math.sqrt(2.0 / n_mels)
    if orthonormal:
        matrix[:, 0] /= math.sqrt(2.0)
    return matrix
