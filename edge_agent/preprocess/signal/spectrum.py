"""Spectra of a window: FFT magnitude, Welch's power density, the power in bands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Len
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need

Array = NDArray[np.float64]
Taper = Literal["rectangular", "hann", "hamming", "blackman"]
_TAPER = "Window function: rectangular is none."


@dataclass(frozen=True, slots=True)
class FftOptions(Options):
    """Options of `fft`."""

    window: Annotated[Taper, Doc(_TAPER)] = "hann"
    scaling: Annotated[
        Literal["amplitude", "none"],
        Doc("amplitude: a sine of amplitude A on a bin is A; none: |FFT| as it is."),
    ] = "amplitude"


@dataclass(frozen=True, slots=True)
class WelchOptions(Options):
    """Options of `welch`, those of scipy.signal.welch."""

    nperseg: Annotated[int, Ge(2), Doc("Rows of a segment, the length of the window at most.")] = (
        256
    )
    noverlap: Annotated[
        int | None, Ge(0), Doc("Rows that segments share; half of one if not given.")
    ] = None
    window: Annotated[Taper, Doc(_TAPER)] = "hann"
    detrend: Annotated[
        Literal["constant", "none"], Doc("Whether the mean of each segment is taken away.")
    ] = "constant"
    scaling: Annotated[Literal["density", "spectrum"], Doc("Power per Hz, or power.")] = "density"


@dataclass(frozen=True, slots=True)
class BandPowerOptions(Options):
    """Options of `band_power`."""

    bands: Annotated[
        list[tuple[float, float]], Len(1), Doc("Bands: Hz from (included) and to (not included).")
    ]
    relative: Annotated[bool, Doc("As a share of the power of all frequencies.")] = False


class FftMagnitude:
    """Magnitudes of a window's FFT: (length / 2 + 1) bins x channels, bins of rate / length Hz."""

    Options: ClassVar[type[Options]] = FftOptions

    def __init__(self, options: FftOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        self._taper = taper(options.window, shape[0])[:, None]
        if options.scaling == "amplitude":
            self._taper *= 2.0 / self._taper.sum()
        self._amplitude = options.scaling == "amplitude"
        self._even = shape[0] % 2 == 0
        self.shape: tuple[int, ...] = (shape[0] // 2 + 1, shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each bin."""
        magnitude = np.abs(np.fft.rfft(window * self._taper, axis=0))
        if self._amplitude:
            magnitude[0] *= 0.5  # 0 Hz and half the rate have no twin at a negative frequency
            if self._even:
                magnitude[-1] *= 0.5
        return magnitude.astype(np.float32)


class Welch:
    """Power spectral density by Welch's method: (nperseg / 2 + 1) bins x channels.

    P. D. Welch, IEEE Trans. Audio Electroacoust. 15 (1967); equal to scipy.signal.welch.
    """

    Options: ClassVar[type[Options]] = WelchOptions

    def __init__(self, options: WelchOptions, rate: float, shape: tuple[int, int]) -> None:
        size = options.nperseg
        need(
            size <= shape[0],
            "nperseg",
            f"{size} rows are more than the window's {shape[0]}",
            "lower it, or make the window longer",
        )
        overlap = size // 2 if options.noverlap is None else options.noverlap
        need(overlap < size, "noverlap", f"{overlap} is not below nperseg {size}", "lower it")
        self._step, self._size = size - overlap, size
        self._centre = options.detrend == "constant"
        self._taper = taper(options.window, size)
        power = rate * (self._taper**2).sum()
        self._scale = 1.0 / (power if options.scaling == "density" else self._taper.sum() ** 2)
        self.shape: tuple[int, ...] = (size // 2 + 1, shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each bin of rate / nperseg Hz."""
        return self.density(window).astype(np.float32)

    def density(self, window: Block) -> Array:
        """As `apply`, with all its digits."""
        pieces = sliding_window_view(window, self._size, axis=0)[:: self._step]
        if self._centre:
            pieces = pieces - pieces.mean(axis=-1, keepdims=True, dtype=np.float64)
        spectrum = np.fft.rfft(pieces * self._taper)
        power = (spectrum.real**2 + spectrum.imag**2).mean(axis=0).T * self._scale
        # Both signs of a frequency; 0 Hz and half the rate have one.
        power[1 : (self._size + 1) // 2] *= 2.0
        return np.asarray(power, np.float64)


class BandPower:
    """Power in bands: bands x channels; all frequencies together have about the variance.

    The periodogram of the whole window (Welch's method with one segment, Hann, without the mean),
    summed over the bins of each band.
    """

    Options: ClassVar[type[Options]] = BandPowerOptions

    def __init__(self, options: BandPowerOptions, rate: float, shape: tuple[int, int]) -> None:
        need(shape[0] >= 2, "band_power", "a window of 1 row has no bands", "make it longer")
        self._welch = Welch(WelchOptions(nperseg=shape[0]), rate, shape)
        bins = np.fft.rfftfreq(shape[0], 1.0 / rate)
        self._bands = np.zeros((len(options.bands), len(bins)))
        for row, (low, high) in zip(self._bands, options.bands, strict=True):
            row[(bins >= low) & (bins < high)] = rate / shape[0]
            need(
                bool(row.any()),
                "bands",
                f"{low:g} to {high:g} Hz has none of the bins, {bins[1]:g} Hz apart",
                "make the band wider or the window longer",
            )
        self._relative = options.relative
        self._width = rate / shape[0]
        self.shape: tuple[int, ...] = (len(options.bands), shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each band."""
        density = self._welch.density(window)
        power = self._bands @ density
        if self._relative:
            total = density.sum(axis=0) * self._width
            power /= np.where(total > 0.0, total, 1.0)
        return np.asarray(power, np.float32)


def taper(name: Taper, length: int) -> Array:
    """A window function, periodic as scipy.signal.get_window makes it."""
    turn = 2.0 * np.pi * np.arange(length) / length
    # Harris, Proc. IEEE 66 (1978).
    terms = {
        "rectangular": (1.0,),
        "hann": (0.5, -0.5),
        "hamming": (0.54, -0.46),
        "blackman": (0.42, -0.5, 0.08),
    }[name]
    return np.asarray(sum(a * np.cos(k * turn) for k, a in enumerate(terms)), np.float64)
