"""A bearing that develops a fault: what an accelerometer on its housing feels.

Every time that a rolling element passes a pit it knocks, and the housing rings for some
milliseconds. How often follows from the geometry, as Randall and Antoni have it (Rolling element
bearing diagnostics - a tutorial, Mechanical Systems and Signal Processing 25, 2011, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.preprocess.signal.envelope import EnvelopeSpectrum, EnvelopeSpectrumOptions
from edge_agent.preprocess.signal.standardize import Standardize, StandardizeOptions

Floats = NDArray[np.float64]
Fault = Literal["outer race", "inner race", "ball"]

FAULTS: Sequence[Fault] = ("outer race", "inner race", "ball")
LABELS = ("ok", *FAULTS)
"""What the model tells, in its order."""

RATE = 12_000
"""Samples a second."""
WINDOW = 6_000
"""Samples that the model judges at once."""
BAND, FMAX = (1500.0, 5500.0), 400.0
"""Hz: where housings ring, and up to which rate of knocks the model looks."""

_SLIP = 0.01  # of the time between two knocks: balls slide a little
_RING = 0.012  # seconds after which a knock has died away


@dataclass(frozen=True, slots=True)
class Bearing:
    """Geometry of a ball bearing whose inner ring turns: diameters in mm, angle in degrees."""

    balls: int
    ball_diameter: float
    pitch_diameter: float
    contact_angle: float = 0.0

    def frequencies(self, shaft: float) -> Mapping[str, float]:
        """Hz at so many turns of the shaft a second: `bpfo`, `bpfi`, `bsf` and `ftf`.

        A point of the outer ring is passed by balls at BPFO, one of the inner ring at BPFI; a ball
        turns at BSF, so a pit in it knocks twice as often; the cage turns at FTF.
        """
        ratio = (
            self.ball_diameter / self.pitch_diameter * math.cos(math.radians(self.contact_angle))
        )
        return {
            "bpfo": self.balls * shaft / 2.0 * (1.0 - ratio),
            "bpfi": self.balls * shaft / 2.0 * (1.0 + ratio),
            "bsf": shaft * self.pitch_diameter / (2.0 * self.ball_diameter) * (1.0 - ratio**2),
            "ftf": shaft / 2.0 * (1.0 - ratio),
        }


SKF_6205 = Bearing(balls=9, ball_diameter=7.94, pitch_diameter=39.04)
"""The deep groove ball bearing of the demo, a usual one in motors of about 1.5 kW."""


@dataclass(frozen=True, slots=True)
class Machine:
    """How a machine runs: `shaft` in turns a second, `noise` and `unbalance` in g.

    The noise swells by the part `swell` of itself with each turn, as where a shaft is not straight.
    A knock makes the housing ring at `resonance` Hz, quieter by e in `decay` seconds.
    """

    shaft: float = 29.5
    noise: float = 0.06
    swell: float = 0.3
    unbalance: float = 0.03
    resonance: float = 3200.0
    decay: float = 0.0012
    bearing: Bearing = SKF_6205

    def knocks(self, fault: Fault) -> float:
        """Knocks a second of a fault."""
        known = self.bearing.frequencies(self.shaft)
        return {"outer race": known["bpfo"], "inner race": known["bpfi"], "ball": 2 * known["bsf"]}[
            fault
        ]

    def ring(self) -> Floats:
        """What the sensor feels of one knock."""
        time = np.arange(round(_RING * RATE)) / RATE
        ring: Floats = np.exp(-time / self.decay) * np.sin(2.0 * np.pi * self.resonance * time)
        return ring


def vibration(
    machine: Machine,
    seconds: float,
    dice: np.random.Generator,
    fault: Fault | None = None,
    size: float | Floats = 0.0,
) -> NDArray[np.float32]:
    """Acceleration in g of a machine, a sample every 1 / RATE s.

    `size` is how hard a fault knocks, in g: a number, or one for each sample.
    """
    count = round(seconds * RATE)
    turns = 2.0 * np.pi * machine.shaft * np.arange(count) / RATE
    swelling = 1.0 + machine.swell * np.cos(turns + dice.uniform(0.0, 2.0 * np.pi))
    signal = dice.normal(0.0, machine.noise, count) * swelling
    for harmonic in (1, 2):
        phase = dice.uniform(0.0, 2.0 * np.pi)
        signal += machine.unbalance / harmonic * np.sin(harmonic * turns + phase)
    if fault is not None:
        strikes = _strikes(machine, fault, count, dice) * size
        signal += np.convolve(strikes, machine.ring())[:count]
    return signal.astype(np.float32)


def _strikes(machine: Machine, fault: Fault, count: int, dice: np.random.Generator) -> Floats:
    """How hard it is struck at each sample; 0 between the knocks."""
    period = RATE / machine.knocks(fault)
    steps = period * dice.normal(1.0, _SLIP, math.ceil(1.2 * count / period) + 2)
    at = np.cumsum(steps) - steps[0] * dice.uniform()
    at = at[at < count].astype(np.intp)
    strikes = np.zeros(count)
    strikes[at] = dice.normal(1.0, 0.1, len(at)) * _load(machine, fault, at / RATE, dice)
    return strikes


def front_end() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """What the demo's pipeline makes of WINDOW samples: the shape of the envelope's spectrum."""
    spectrum = EnvelopeSpectrum(
        EnvelopeSpectrumOptions(band=BAND, fmax=FMAX), float(RATE), (WINDOW, 1)
    )
    scaled = Standardize(StandardizeOptions(), float(RATE), (spectrum.shape[0], 1))
    return lambda samples: scaled.apply(spectrum.apply(samples.reshape(-1, 1))).reshape(-1)


def _load(machine: Machine, fault: Fault, times: Floats, dice: np.random.Generator) -> Floats:
    """How the load on the pit changes: it passes the loaded zone with the shaft, or the cage."""
    if fault == "outer race":
        return np.ones(len(times))
    cage = machine.bearing.frequencies(machine.shaft)["ftf"]
    turn = machine.shaft if fault == "inner race" else cage
    phase = dice.uniform(0.0, 2.0 * np.pi)
    loaded: Floats = 1.0 + 0.7 * np.cos(2.0 * np.pi * turn * times + phase)
    return loaded
