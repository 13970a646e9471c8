"""A band of frequencies of a stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from edge_agent.options import Doc, Options, Positive
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need
from edge_agent.preprocess.signal.fir import Polyphase, low_pass, taps_for

_MOST_TAPS = 10_000


@dataclass(frozen=True, slots=True)
class BandPassOptions(Options):
    """Options of `band_pass`; with one edge alone it is a high pass or a low pass."""

    low: Annotated[Positive | None, Doc("Hz below which nothing passes.")] = None
    high: Annotated[Positive | None, Doc("Hz above which nothing passes.")] = None
    transition: Annotated[
        Positive | None,
        Doc("Hz from passing to 80 dB less, centred on an edge; a fifth of the lower edge."),
    ] = None


class BandPass:
    """A Kaiser-windowed FIR filter of linear phase; rows lag by `delay` seconds."""

    Options: ClassVar[type[Options]] = BandPassOptions

    def __init__(self, options: BandPassOptions, rate: float, channels: int) -> None:
        edges = [edge for edge in (options.low, options.high) if edge is not None]
        need(bool(edges), "low", "neither it nor high is given", "give one of them")
        need(edges == sorted(set(edges)), "high", f"{options.high} Hz", "it must be above low")
        transition = options.transition or edges[0] / 5.0
        need(
            edges[-1] + transition / 2.0 <= rate / 2.0,
            "high" if options.high is not None else "low",
            f"{edges[-1]:g} Hz and half the transition are above half the rate {rate:g}",
            "lower it, or the transition",
        )
        taps = taps_for(transition / rate)
        need(
            taps <= _MOST_TAPS,
            "transition",
            f"{transition:g} Hz takes {taps} taps at {rate:g} rows a second",
            "make it wider, or resample to a lower rate first",
        )
        response = np.zeros(taps)
        response[taps // 2] = float(options.high is None)  # all passes, but what is taken away
        if options.high is not None:
            response += low_pass(options.high / rate, taps)
        if options.low is not None:
            response -= low_pass(options.low / rate, taps)
        self.rate, self.channels = rate, channels
        self.delay = (taps - 1) / 2.0 / rate
        self._filter = Polyphase(response, 1, 1, channels)

    def push(self, block: Block) -> Block:
        """One row for each."""
        return self._filter.push(block)

    def reset(self) -> None:
        """Begin anew."""
        self._filter.reset()
