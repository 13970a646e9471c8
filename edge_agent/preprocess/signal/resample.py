"""A stream at another rate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, ClassVar

from edge_agent.options import Doc, Options, Positive
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need
from edge_agent.preprocess.signal.fir import Polyphase, low_pass, taps_for

_LARGEST = 10_000  # of the two numbers that the ratio of the rates is made of
_PASSED = 0.9  # of the lower Nyquist frequency: the rest is the transition


@dataclass(frozen=True, slots=True)
class ResampleOptions(Options):
    """Options of `resample`."""

    rate: Annotated[Positive, Doc("Rows a second that come out.")]


class Resample:
    """Polyphase resampling to a fixed rate, exact to the row: ceil(n * out / in) after n rows.

    A Kaiser-windowed sinc passes what is below 0.9 of the lower one of both Nyquist frequencies
    and takes 80 dB off what would fold back. Rows lag by `delay` seconds. Crochiere and Rabiner,
    Multirate Digital Signal Processing (1983).
    """

    Options: ClassVar[type[Options]] = ResampleOptions

    def __init__(self, options: ResampleOptions, rate: float, channels: int) -> None:
        ratio = Fraction(options.rate / rate).limit_denominator(_LARGEST)
        up, down = ratio.numerator, ratio.denominator
        exact = math.isclose(up / down, options.rate / rate, rel_tol=1e-9)
        need(
            exact and 0 < up <= _LARGEST,
            "rate",
            f"{options.rate:g} and {rate:g} rows a second are in no simple ratio",
            "choose a rate that is, such as a half or two thirds",
        )
        self.rate, self.channels = options.rate, channels
        self.delay = 0.0
        self._polyphase = None
        if up != down:
            edge = 0.5 / max(up, down)  # the lower Nyquist frequency, at `up` times the rate
            taps = taps_for(edge * (1.0 - _PASSED))
            self.delay = (taps - 1) / 2.0 / (up * rate)
            cutoff = edge * (1.0 + _PASSED) / 2.0
            self._polyphase = Polyphase(low_pass(cutoff, taps), up, down, channels)

    def push(self, block: Block) -> Block:
        """The rows at the new rate that these rows bring about."""
        return block if self._polyphase is None else self._polyphase.push(block)

    def reset(self) -> None:
        """Begin anew."""
        if self._polyphase is not None:
            self._polyphase.reset()
