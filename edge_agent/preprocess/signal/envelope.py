"""The envelope spectrum: how often something knocks, whatever it makes ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need
from edge_agent.preprocess.signal.spectrum import taper


@dataclass(frozen=True, slots=True)
class EnvelopeSpectrumOptions(Options):
    """Options of `envelope_spectrum`."""

    band: Annotated[
        tuple[float, float] | None,
        Doc("Hz from and to: the resonance whose envelope counts; all frequencies if not given."),
    ] = None
    fmax: Annotated[
        float | None, Gt(0), Doc("Hz where the result ends; half the rate if not given.")
    ] = None


class EnvelopeSpectrum:
    """Amplitudes of the envelope: bins of rate / length Hz from 0 Hz x channels.

    The envelope is the magnitude of the analytic signal (Hilbert transform by FFT, with the band
    cut out on the way), without its mean, under a Hann window; an envelope that swings by A at
    the frequency of a bin gives A there. Randall and Antoni, Rolling element bearing diagnostics -
    a tutorial, Mechanical Systems and Signal Processing 25 (2011).
    """

    Options: ClassVar[type[Options]] = EnvelopeSpectrumOptions

    def __init__(
        self, options: EnvelopeSpectrumOptions, rate: float, shape: tuple[int, int]
    ) -> None:
        length = shape[0]
        bins = np.fft.fftfreq(length, 1.0 / rate)
        low, high = options.band or (0.0, rate / 2.0)
        need(
            0.0 <= low < high <= rate / 2.0,
            "band",
            f"{low:g} to {high:g} Hz",
            f"it must rise and lie between 0 and {rate / 2.0:g} Hz",
        )
        # Analytic signal: positive frequencies twice, 0 Hz left out, negative ones not at all.
        self._pass = np.where((bins > 0.0) & (bins >= low) & (bins <= high), 2.0, 0.0)[:, None]
        need(bool(self._pass.any()), "band", "it holds no bin of the FFT", "make it wider")
        self._taper = taper("hann", length)[:, None]
        self._taper *= 2.0 / self._taper.sum()
        top = rate / 2.0 if options.fmax is None else options.fmax
        need(top <= rate / 2.0, "fmax", f"{top:g} Hz is above half the rate {rate:g}", "lower it")
        self.shape: tuple[int, ...] = (int(top * length / rate) + 1, shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each bin."""
        analytic = np.fft.ifft(np.fft.fft(window, axis=0) * self._pass, axis=0)
        envelope = np.abs(analytic)
        envelope -= envelope.mean(axis=0)
        spectrum = np.fft.rfft(envelope * self._taper, axis=0)[: self.shape[0]]
        return np.abs(spectrum).astype(np.float32)
