"""Trains the model of `edge-agent demo sensor`, or one for a bearing of your own.

    python -m scripts.train_bearing_model --out edge_agent/assets/bearing.npz
    python -m scripts.train_bearing_model --bearing 8 12.0 46.0 0 --rpm 1400 1500 --out mine.npz
    python -m scripts.train_bearing_model --evaluate edge_agent/assets/bearing.npz

docs/bearing-model.md tells what it makes.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.cli.bearing import (
    FAULTS,
    FMAX,
    LABELS,
    RATE,
    SKF_6205,
    WINDOW,
    Bearing,
    Machine,
    front_end,
    vibration,
)
from edge_agent.engines import open_engine
from edge_agent.model import dequantize
from edge_agent.quantize import quantize_layers
from scripts.small_net import Training, train

_TRAIN_SEED, _TEST_SEED, _RUN_SEED = 1, 2, 5
_TRAIN, _TEST = 12000, 6000  # windows
_RUNS = 360  # machines that run for 30 s
_TURN = (0, 1, 0, 2, 0, 3)  # classes in turn: most machines are sound most of the time
_SIZES = (1.5, 30.0)  # how hard it knocks, in standard deviations of the noise


@dataclass(frozen=True, slots=True)
class Setup:
    """Which bearing, and how fast it turns (turns a minute)."""

    bearing: Bearing = SKF_6205
    rpm: tuple[float, float] = (1710.0, 1812.0)


@dataclass(frozen=True, slots=True)
class Windows:
    """Features (N x bins), classes (N), and how hard each knocks against the noise (N)."""

    x: NDArray[np.float64]
    y: NDArray[np.intp]
    sizes: NDArray[np.float64]


def windows(setup: Setup, count: int, seed: int) -> Windows:
    """Windows of as many machines, no two alike; half of them without a fault."""
    dice = np.random.default_rng(seed)
    features = front_end()
    y = np.resize(np.array(_TURN, np.intp), count)
    x, sizes = [], []
    for number in y.tolist():
        machine = _machine(setup, dice)
        size = float(np.exp(dice.uniform(*np.log(_SIZES))))
        fault = FAULTS[number - 1] if number else None
        sound = vibration(machine, WINDOW / RATE, dice, fault, size * machine.noise)
        if fault is None:
            sound += _stray_knocks(machine, size, dice)
        x.append(features(sound))
        sizes.append(size)
    return Windows(np.array(x, np.float64), y, np.array(sizes))


def _machine(setup: Setup, dice: np.random.Generator) -> Machine:
    low, high = setup.rpm
    return Machine(
        shaft=dice.uniform(low, high) / 60.0,
        noise=float(np.exp(dice.uniform(np.log(0.02), np.log(0.2)))),
        swell=dice.uniform(0.0, 0.8),
        unbalance=dice.uniform(0.0, 0.1),
        resonance=dice.uniform(2200.0, 4500.0),
        decay=dice.uniform(0.0007, 0.002),
        bearing=setup.bearing,
    )


def _stray_knocks(machine: Machine, size: float, dice: np.random.Generator) -> Any:
    """Knocks at no fixed time, no fault of the bearing; two machines of three have some."""
    often = max(0.0, dice.uniform(-20.0, 40.0))
    strikes = np.where(dice.random(WINDOW) < often / RATE, size, 0.0)
    return np.convolve(strikes * machine.noise, machine.ring())[:WINDOW].astype(np.float32)


def make(setup: Setup, path: Path, count: int = _TRAIN) -> None:
    """Train with so many windows, quantise and write the model."""
    data = windows(setup, count, _TRAIN_SEED)
    layers = train(data.x, data.y, len(LABELS), Training(hidden=16, epochs=30, decay=5e-3))
    model = quantize_layers(layers, data.x[:400], labels=LABELS, name="bearing")
    model.save(path)
    print(model.report.text())
    print(f"{path}: {path.stat().st_size} bytes, sha256 {_sha256(path)}")


def scores(path: Path, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the model file makes of each row of features: N x labels, 0 to 1."""
    engine = open_engine(path, kind="numpy")
    given, made = engine.inputs[0], engine.outputs[0]
    steps = np.rint(x / np.asarray(given.scale)) + np.asarray(given.zero_point)
    rows = np.clip(steps, -128, 127).astype(np.int8)
    found = [dequantize(engine.run(row[None])[0][0], made) for row in rows]
    engine.close()
    return np.array(found, np.float64)


def judge(path: Path, data: Windows) -> NDArray[np.intp]:
    """The class that the model file gives to each window."""
    given: NDArray[np.intp] = scores(path, data.x).argmax(axis=1)
    return given


def false_alarms(setup: Setup, path: Path, machines: int, seconds: float = 30.0) -> int:
    """Of so many sound machines, those that `smooth: {average: 4}` would tell a fault of."""
    dice = np.random.default_rng(_RUN_SEED)
    features = front_end()
    alarms = 0
    for _ in range(machines):
        samples = vibration(_machine(setup, dice), seconds, dice)
        begins = range(0, len(samples) - WINDOW + 1, WINDOW // 2)
        found = scores(path, np.stack([features(samples[at : at + WINDOW]) for at in begins]))
        means = np.lib.stride_tricks.sliding_window_view(found, 4, axis=0).mean(axis=-1)
        alarms += bool(means[:, 1:].max() >= 0.5)
    return alarms


def evaluate(setup: Setup, path: Path) -> None:
    """Print how good it is on windows that were not trained with, and on machines that run."""
    data = windows(setup, _TEST, _TEST_SEED)
    given = judge(path, data)
    print(f"accuracy   {(given == data.y).mean():.4f} of {len(data.y)} windows")
    for number, label in enumerate(LABELS):
        row = np.bincount(given[data.y == number], minlength=len(LABELS))
        print(f"{label:<10} " + "  ".join(f"{n:4} {to}" for n, to in zip(row, LABELS, strict=True)))
    for low, high in ((1.5, 2.0), (2.0, 3.0), (3.0, 6.0), (6.0, 30.0)):
        asked = (data.y > 0) & (data.sizes >= low) & (data.sizes < high)
        right = (given[asked] == data.y[asked]).mean()
        print(f"knocks of {low:g} to {high:g} times the noise: {right:.4f} right")
    alarms = false_alarms(setup, path, _RUNS)
    print(f"sound machines with a false alarm in 30 s: {alarms} of {_RUNS}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Train, or judge a file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, help="train, and write the model there (.npz)")
    parser.add_argument("--evaluate", type=Path, metavar="MODEL", help="judge this file")
    parser.add_argument(
        "--bearing", type=float, nargs=4, metavar=("BALLS", "BALL", "PITCH", "ANGLE"),
        help="its geometry: number of balls, diameters in mm, contact angle (9 7.94 39.04 0)",
    )  # fmt: skip
    parser.add_argument("--rpm", type=float, nargs=2, default=Setup().rpm, metavar=("LOW", "HIGH"))
    arguments = parser.parse_args()
    bearing = SKF_6205
    if arguments.bearing:
        balls, *rest = arguments.bearing
        bearing = Bearing(int(balls), *rest)
    setup = Setup(bearing, tuple(arguments.rpm))
    fastest = bearing.frequencies(setup.rpm[1] / 60.0)["bpfi"]
    if fastest > FMAX:
        parser.error(f"BPFI is {fastest:.0f} Hz, and the spectrum ends at {FMAX:g} Hz")
    if arguments.out:
        make(setup, arguments.out)
    if arguments.evaluate or arguments.out:
        evaluate(setup, arguments.evaluate or arguments.out)


if __name__ == "__main__":
    main()
