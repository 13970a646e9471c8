"""`python -m benchmarks.signal`: how much faster than real time windows and features are.

Processor time of one thread, medians over rounds. Sound comes in blocks of 30 ms, as from a sound
card, or ten seconds at once, as from a file. Where librosa or pymicro-features (in C) is installed,
it does the same work in turn.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.preprocess.signal import STREAM_STAGES, WINDOW_STAGES, Windows

_RATE = 16_000
_SECONDS = 10
_BLOCK = 480
_ROWS = 1_000_000
_BEARING = 3_200.0  # rows a second of three axes
Rows = NDArray[np.float32]


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.signal", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is run")
    rounds = parser.parse_args().rounds
    sound = _noise(_RATE * _SECONDS, 1)
    _sound(sound, rounds)
    _references(sound, rounds)
    _resampling(rounds)
    _windows(rounds)
    _vibration(rounds)


def _row(what: str, value: str, target: str = "") -> None:
    print(f"{what:<66} {value:>16}   {target}", flush=True)


def _noise(count: int, channels: int) -> Rows:
    numbers = np.random.default_rng(0).normal(0.0, 0.1, (count, channels))
    return numbers.astype(np.float32)


def _median(work: Callable[[], object], rounds: int) -> float:
    """Processor seconds."""
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def _in_blocks(stage: Any, rows: Rows, size: int) -> None:
    stage.reset()
    for at in range(0, len(rows), size):
        stage.push(rows[at : at + size])


def _speed(what: str, work: Callable[[], object], rounds: int, target: str = "") -> None:
    ratio = _SECONDS / _median(work, rounds)
    _row(what, f"{ratio:,.0f} ({1 / ratio:.2%})", target)


def _sound(sound: Rows, rounds: int) -> None:
    print("times real time (share of a core)\n")
    aim = "at least 100"
    streams: list[tuple[str, str, Mapping[str, Any]]] = [
        ("log-mel of librosa (2048, hop 512, 128 bands)", "log_mel", {}),
        ("log-mel of MLPerf AD (1024, hop 512, 128 bands)", "log_mel", {"preset": "mlperf_ad"}),
        ("MFCC of librosa", "mfcc", {}),
        ("MFCC of TensorFlow (480, hop 320, 40 bands)", "mfcc", {"preset": "tensorflow"}),
        ("TFLM micro front end (480, hop 160, 40 bands)", "micro_frontend", {}),
    ]
    for what, name, options in streams:
        kind = STREAM_STAGES.load(name)
        stage = kind(kind.Options(**options), _RATE, 1)
        target = aim if name != "micro_frontend" else ""
        _speed(f"{what}, 30 ms", partial(_in_blocks, stage, sound, _BLOCK), rounds, target)
        _speed(f"{what}, 10 s", partial(_in_blocks, stage, sound, len(sound)), rounds, target)
    mfcc = WINDOW_STAGES.load("mfcc")
    window = mfcc(mfcc.Options(preset="mlperf_kws"), _RATE, (_RATE, 1))  # type: ignore[call-arg]
    seconds = [sound[at : at + _RATE] for at in range(0, len(sound), _RATE)]
    _speed("MFCC of MLPerf KWS, windows of 1 s", lambda: [*map(window.apply, seconds)], rounds, aim)


def _references(sound: Rows, rounds: int) -> None:
    """What others take for the same."""
    try:
        librosa = importlib.import_module("librosa")
    except ImportError:
        _row("librosa is not installed", "-")
    else:
        mel = partial(librosa.feature.melspectrogram, y=sound[:, 0], sr=_RATE)
        mel()  # it compiles a part of itself first
        _speed("  librosa's own log-mel, 10 s", lambda: librosa.power_to_db(mel()), rounds)
    try:
        micro = importlib.import_module("pymicro_features")
    except ImportError:
        _row("pymicro-features is not installed", "-")
    else:
        data = (sound * 2**15).astype(np.int16).tobytes()
        _speed("  pymicro-features, 10 ms", partial(_original, micro, data), rounds)


def _original(micro: Any, data: bytes) -> None:
    frontend = micro.MicroFrontend()
    for at in range(0, len(data), 320):
        frontend.process_samples(data[at : at + 320])


def _resampling(rounds: int) -> None:
    kind = STREAM_STAGES.load("resample")
    for before, after, channels in ((44_100, 16_000, 1), (48_000, 16_000, 1), (48_000, 16_000, 2)):
        stage = kind(kind.Options(rate=after), before, channels)  # type: ignore[call-arg]
        rows = _noise(before * _SECONDS, channels)
        what = f"resampling {before} to {after}, {channels} channel(s), 30 ms"
        _speed(what, partial(_in_blocks, stage, rows, before * 3 // 100), rounds)


def _windows(rounds: int) -> None:
    print("\nrows a second\n")
    rows = _noise(_ROWS, 1)
    for block in (1, 64, 4096):
        seconds = _median(partial(_cut, rows, block), rounds)
        what = f"windows of 64, hop 64, of {_ROWS:,} rows in blocks of {block}"
        _row(what, f"{_ROWS / seconds:,.0f}", "at least 200,000")


def _cut(rows: Rows, block: int) -> None:
    windows = Windows(64, 64, rows.shape[1])
    for at in range(0, len(rows), block):
        for _ in windows.push(rows[at : at + block]):
            pass


def _vibration(rounds: int) -> None:
    print("\ntimes real time (share of a core), 3 axes at 3.2 kHz, windows of 1024, hop 512\n")
    rows = _noise(int(_BEARING) * _SECONDS, 3)
    stages: list[tuple[str, Mapping[str, Any]]] = [
        ("statistics", {}),
        ("fft", {}),
        ("welch", {}),
        ("band_power", {"bands": [(10, 100), (100, 1000), (1000, 1600)]}),
        ("envelope_spectrum", {"band": (500, 1500)}),
    ]
    for name, options in stages:
        kind = WINDOW_STAGES.load(name)
        stage = kind(kind.Options(**options), _BEARING, (1024, 3))
        _speed(f"windows and {name}", partial(_features, stage, rows), rounds)


def _features(stage: Any, rows: Rows) -> None:
    windows = Windows(1024, 512, rows.shape[1])
    for at in range(0, len(rows), 320):
        for _, window in windows.push(rows[at : at + 320]):
            stage.apply(window)


if __name__ == "__main__":
    main()
