"""The 16 bit fixed-point FFT of the TFLM micro front end, bit by bit, many frames at once.

It is that of KISS FFT with FIXED_POINT=16 (Mark Borgerding; `kiss_fft` and `kiss_fftr`): a real
FFT of N samples as a complex one of N / 2, which is made of radix 4 steps in time; each step
divides by 4 and multiplies by twiddles of 15 bits, with rounding after both.

Numbers are kept as float64, where sums and products of such integers are exact: numpy does
complex arithmetic on it in one call, and the calls are what a few frames cost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Complex = NDArray[np.complex128]

_ONE = 32768.0  # of fixed-point numbers
_MAX = 32767.0
_SAFE = 32700.0  # what may be rounded up 9 times without a number beyond 16 bits
_QUARTER = float(int(_MAX) // 4) / _ONE
_HALF = float(int(_MAX) // 2) / _ONE


class FixedRealFft:
    """FFT of `size` = 2 * 4^n real samples of 16 bits; the result is divided by `size`."""

    def __init__(self, size: int) -> None:
        half = size // 2
        steps = (half.bit_length() - 1) // 2
        if size < 8 or 2 * 4**steps != size:
            raise ValueError(f"size: {size} is not 2 times a power of 4")
        self.size, self._half = size, half
        self._digits = (4,) * steps
        self._reversed = (0, *range(steps, 0, -1))
        self._twiddles = [_twiddles(4**step, half) for step in range(steps)]
        places = np.arange(1, half // 2 + 1)
        self._super_twiddles = _rotation(-np.pi * (places / half + 0.5)) / _ONE

    def of(self, frames: NDArray[np.int16]) -> Complex:
        """Bins 1 to size / 2 - 1 (n x as many) of n frames; real and imaginary are integers."""
        count = len(frames)
        packed = frames.astype(np.float64).view(np.complex128).reshape(count, *self._digits)
        wraps = np.abs(packed).mean(axis=1).max(initial=0.0) > _SAFE
        data = np.ascontiguousarray(packed.transpose(self._reversed))
        for twiddles in self._twiddles:
            data *= _QUARTER
            _round(data)
            data = data.reshape(count, -1, *twiddles.shape)
            if twiddles.shape[1] > 1:  # else they are 1, but for what rounding takes away
                data *= twiddles
                _round(data)
            _butterflies(data, wraps)
        return self._real(data.reshape(count, self._half), wraps)

    def _real(self, packed: Complex, wraps: bool) -> Complex:
        """Take the spectra of the even and the odd samples apart and join them."""
        middle = self._half // 2
        packed *= _HALF
        _round(packed)
        left, right = packed[:, 1 : middle + 1], packed[:, : middle - 1 : -1].conj()
        even, odd = left + right, left - right
        odd *= self._super_twiddles
        _round(odd)
        if wraps:
            _wrap(odd)
        bins = np.empty((len(packed), self._half - 1), np.complex128)
        bins[:, :middle] = even + odd
        # The bin in the middle is written twice: what is written last counts.
        bins[:, : middle - 2 : -1] = (even - odd).conj()
        bins *= 0.5
        parts = bins.view(np.float64)
        np.floor(parts, out=parts)
        return bins


def _round(numbers: Complex) -> None:
    """To the nearest integers, halves up."""
    parts = numbers.view(np.float64)
    parts += 0.5
    np.floor(parts, out=parts)


def _butterflies(groups: Complex, wraps: bool) -> None:
    """DFT of four over the third axis of n x groups x 4 x m."""
    count, number, _, width = groups.shape
    pairs = np.empty((count, number, 2, 2, width), np.complex128)
    np.add(groups[:, :, :2], groups[:, :, 2:], out=pairs[:, :, 0])
    np.subtract(groups[:, :, :2], groups[:, :, 2:], out=pairs[:, :, 1])
    pairs[:, :, 1, 1] *= -1j
    np.add(pairs[:, :, :, 0], pairs[:, :, :, 1], out=groups[:, :, :2])
    np.subtract(pairs[:, :, :, 0], pairs[:, :, :, 1], out=groups[:, :, 2:])
    if wraps:
        _wrap(groups)


def _wrap(numbers: Complex) -> None:
    """What 16 bits hold of numbers: a sum beyond them overflows in the original."""
    parts = numbers.view(np.float64)
    parts -= 65536.0 * np.floor((parts + _ONE) / 65536.0)


def _rotation(angle: NDArray[np.float64]) -> Complex:
    """Points of the unit circle in fixed point, rounded."""
    rounded = np.empty(angle.shape, np.complex128)
    rounded.real = np.floor(0.5 + _MAX * np.cos(angle))
    rounded.imag = np.floor(0.5 + _MAX * np.sin(angle))
    return rounded


def _twiddles(width: int, half: int) -> Complex:
    """Factors (4 x width) of the step that joins four spectra of `width` bins."""
    turns = np.arange(4)[:, None] * np.arange(width) * (half // (4 * width))
    factors = _rotation(-2.0 * np.pi * turns / half) / _ONE
    factors[0] = 1.0  # the first spectrum is taken as it is
    return factors
