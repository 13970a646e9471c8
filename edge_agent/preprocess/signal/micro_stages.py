"""Stages of the TFLM micro front end: filter bank, noise reduction, gain control, logarithm.

Sums of integers are exact in float64 up to 2^53, which the filter bank does not reach. Sources are
named in `micro_frontend`; names in comments are those of the original.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.preprocess.signal.fixed_fft import Complex
from edge_agent.preprocess.signal.mel import BandSums

Integers = NDArray[np.int64]
Single = NDArray[np.float32]

_LOW, _HIGH = 125.0, 7500.0  # Hz
_BANK_BITS = 12
_NOISE_BITS = 14
_SMOOTHING_BITS = 10
_EVEN_SMOOTHING, _ODD_SMOOTHING, _REMAINING = 0.025, 0.06, 0.05
_WORD = 0xFFFFFFFF
_GAIN_BITS, _STRENGTH, _OFFSET = 21, 0.95, 80.0
_SNR_BITS, _OUTPUT_BITS = 12, 6
_LOG_BITS, _SEGMENT_BITS, _SCALE_SHIFT = 16, 7, 6
_LOG_E = 45426  # ln 2 in 16 bits, rounded


def bit_length(numbers: NDArray[Any]) -> NDArray[np.int64]:
    """Bits of numbers from 0 to 2^53: the place of the highest one, 0 for 0."""
    return np.frexp(numbers.astype(np.float64))[1].astype(np.int64)


class FilterBank:
    """Triangles over HTK mel, in 12 bits; the square root of the energy under each."""

    def __init__(self, rate: int, fft: int, channels: int) -> None:
        # float32 throughout, as in the original: a weight may round otherwise.
        bins = np.arange(fft // 2, dtype=np.float32) * np.float32(rate / fft)
        mel = _mel(bins)
        low, high = _mel(np.array([_LOW, _HIGH], np.float32))
        # The log1pf of newlib, and of glibc to 2.40, is one step too high here: two weights tell.
        high = np.nextafter(high, np.float32(np.inf))
        spacing = (high - low) / np.float32(channels + 1)
        centres = low + spacing * np.arange(1, channels + 2, dtype=np.float32)
        edges = np.concatenate((low[None], centres))
        channel = np.searchsorted(centres, mel)  # the one that the bin rises to
        weights = np.zeros((fft // 2, channels + 2))
        for at in range(int(1.5 + _LOW * fft / rate), fft // 2):
            if (c := channel[at]) > channels:
                break
            weight = (centres[c] - mel[at]) / (centres[c] - edges[c])
            weights[at, c] = _quantised(weight)
            weights[at, c + 1] = _quantised(np.float32(1.0) - weight)
        self._bands = BandSums(weights[1:, 1 : channels + 1])

    def of(self, bins: Complex) -> Integers:
        """Magnitudes (n x channels) of spectra, bins 1 and up."""
        work = self._bands.of(bins.real**2 + bins.imag**2)
        root = np.rint(np.sqrt(work)).astype(np.int64)
        # The original takes a 16 bit root of what fits 32 bits.
        return np.where((work <= _WORD) & (root > 0xFFFF), 0xFFFF, root)


class NoiseReduction:
    """Takes a slowly moving estimate of the noise away from each channel."""

    def __init__(self, channels: int) -> None:
        odd = np.arange(channels) % 2 == 1
        smoothing = np.where(odd, np.float32(_ODD_SMOOTHING), np.float32(_EVEN_SMOOTHING))
        self._smoothing = (smoothing * 2**_NOISE_BITS).astype(np.int64)
        self._rest = 2**_NOISE_BITS - self._smoothing
        self._estimate = np.zeros(channels, np.int64)

    def reset(self) -> None:
        """No noise is known."""
        self._estimate[:] = 0

    def of(self, bands: Integers) -> tuple[Integers, Integers]:
        """What is left of the bands (n x channels), and the estimate after each of them."""
        scaled = (bands << _SMOOTHING_BITS) & _WORD
        estimates = scaled * self._smoothing
        before = self._estimate
        for estimate in estimates:
            np.add(estimate, before * self._rest, out=estimate)
            np.right_shift(estimate, _NOISE_BITS, out=estimate)
            before = estimate
        self._estimate = before.copy()
        floor = (bands * int(_REMAINING * 2**_NOISE_BITS)) >> _NOISE_BITS
        left = (scaled - estimates) >> _SMOOTHING_BITS  # below 0 where there was more noise
        return np.maximum(left, floor), estimates


class AutomaticGain:
    """Per-channel energy normalisation (PCAN): loud channels are turned down."""

    def __init__(self, correction_bits: int) -> None:
        self._shift = _GAIN_BITS - correction_bits - _SNR_BITS
        bits = _SMOOTHING_BITS - correction_bits
        start = 2 ** np.arange(33, dtype=np.int64) >> 1  # of the numbers of so many bits
        middle = start + (start >> 1)
        end = 2 * start
        end[32] -= 1
        y0, y1, y2 = (_gain(x, bits) for x in (start, middle, end))
        bend = 4 * (y1 - y0) - (y2 - y0)
        self._offset, self._linear, self._square = y0, bend, (y2 - y0) - bend
        # Up to 2 it is a table, without interpolation.
        self._few = _gain(np.array([0, 1, 2]), bits)

    def of(self, signal: Integers, noise: Integers) -> Integers:
        """The signal against the noise, both n x channels."""
        ratio = ((signal * self._gain_at(noise)) >> self._shift) & _WORD
        small = (ratio * ratio) >> (2 + 2 * _SNR_BITS - _OUTPUT_BITS)
        large = (ratio >> (_SNR_BITS - _OUTPUT_BITS)) - (1 << _OUTPUT_BITS)
        return np.where(ratio < (2 << _SNR_BITS), small, large)

    def _gain_at(self, noise: Integers) -> Integers:
        """Quadratic interpolation between powers of two (WideDynamicFunction)."""
        bits = bit_length(noise)
        fraction = ((noise << 11) >> bits) & 0x3FF
        gain = (self._square[bits] * fraction) >> 5
        gain += self._linear[bits] << 5
        gain *= fraction
        gain = ((gain + (1 << 14)) >> 15) + self._offset[bits]
        return np.where(noise <= 2, self._few[np.minimum(noise, 2)], gain)


def logarithm(numbers: Integers) -> Single:
    """64 ln(x) in integers, 0 for 0 and 1, as real numbers."""
    mantissa, exponent = np.frexp(np.maximum(numbers & _WORD, 1).astype(np.float64))
    whole = exponent.astype(np.int64) - 1
    fraction = ((2.0 * mantissa - 1.0) * 2**_LOG_BITS).astype(np.int64)
    segment = fraction >> (_LOG_BITS - _SEGMENT_BITS)
    within = fraction - (segment << (_LOG_BITS - _SEGMENT_BITS))
    bend = _BENDS[segment]
    # The shift by 16, not 9, is the original's.
    bend = fraction + bend + (((_BENDS[segment + 1] - bend) * within) >> _LOG_BITS)
    half = 1 << (_LOG_BITS - 1)
    natural = (_LOG_E * ((whole << _LOG_BITS) + bend) + half) >> _LOG_BITS
    scaled: Integers = ((natural << _SCALE_SHIFT) + half) >> _LOG_BITS
    return np.minimum(scaled, 0xFFFF).astype(np.float32)


def _bends() -> Integers:
    """log2(1 + x) - x in 16 bits at 128 places x from 0 to 1 (kLogLut)."""
    x = np.arange(2**_SEGMENT_BITS + 1) / 2**_SEGMENT_BITS
    bends: NDArray[np.float64] = np.rint((np.log2(1.0 + x) - x) * 2**_LOG_BITS)
    return bends.astype(np.int64)


_BENDS = _bends()


def _mel(hertz: Single) -> Single:
    # In float64 and rounded: what float32 functions give differs from machine to machine.
    logarithms: NDArray[np.float64] = np.log1p((hertz / np.float32(700.0)).astype(np.float64))
    return logarithms.astype(np.float32) * np.float32(1127.0)


def _quantised(weight: np.float32) -> float:
    return float(np.floor(weight * np.float32(2**_BANK_BITS) + np.float32(0.5)))


def _gain(x: Integers, bits: int) -> Integers:
    """Gain of noise x (PcanGainLookupFunction), 16 bits at most."""
    level = (x.astype(np.float32) / np.float32(2**bits) + np.float32(_OFFSET)).astype(np.float64)
    power: NDArray[np.float64] = level ** -float(np.float32(_STRENGTH))
    gain = power.astype(np.float32) * np.float32(2**_GAIN_BITS) + np.float32(0.5)
    limited: NDArray[np.float32] = np.minimum(gain, np.float32(0x7FFF))
    return limited.astype(np.int64)
