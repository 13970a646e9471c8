"""`python -m benchmarks.sensors`: what whole pipelines of signals cost, from the source to MQTT.

Processor time of the agent's process as a share of one core, at the signal's own pace, and rows a
second of a file as fast as it goes; medians over rounds. The classifiers have random weights: they
cost what trained ones cost, and as their four classes are always told there are events all along.
The wake word is that of the test data (EDGE_AGENT_TEST_DATA, else ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from edge_agent.mqtt.broker import PrivateBroker
from edge_agent.preprocess.signal import WINDOW_STAGES
from edge_agent.quantize import Conv1D, Dense, Flatten, GlobalAveragePool, quantize_layers
from edge_agent.quantize.layers import Layer
from scripts.real_inputs import DATA

_ROOT = Path(__file__).resolve().parents[1]
_LABELS = ["normal", "inner", "outer", "ball"]
_ROWS = 1_000_000
_SECONDS = 30  # of signal in a file that is looped
_DICE = np.random.default_rng(0)
_TOLD: Mapping[str, Any] = {"track": {"hits": 1, "of": 1, "lost": "100ms"}, "threshold": 0.01}
Floats = NDArray[np.float32]


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sensors", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    parser.add_argument("--seconds", type=float, default=12.5, help="how long each lasts")
    arguments = parser.parse_args()
    broker = PrivateBroker()
    broker.start()
    with tempfile.TemporaryDirectory() as folder:
        bench = _Bench(Path(folder), broker, arguments.rounds, arguments.seconds)
        bench.vibration()
        bench.many_channels()
        bench.wake_word()
        bench.replay()
    broker.stop()


def _row(what: str, value: str, target: str = "") -> None:
    print(f"{what:<66} {value:>16}   {target}", flush=True)


def _noise(*shape: int) -> Floats:
    return _DICE.normal(0.0, 0.3, shape).astype(np.float32)


def _power(count: int) -> Floats:
    """Spectra of noise as `welch` makes them."""
    stage = WINDOW_STAGES.load("welch")
    spectrum = stage(stage.Options(), 3200.0, (1024, 3))
    return np.stack([spectrum.apply(_noise(1024, 3)) for _ in range(count)])


class _Bench:
    """Pipelines in a process of their own, with a broker."""

    def __init__(self, folder: Path, broker: PrivateBroker, rounds: int, seconds: float) -> None:
        self._folder = folder
        self._broker = broker
        self._rounds = rounds
        self._seconds = seconds

    def vibration(self) -> None:
        """Three axes at 3.2 kHz: a window of 1024 rows every 512, its spectrum, a model."""
        layers = (Flatten(), Dense(_noise(387, 32), activation="relu"))
        values = {
            "models": {"m": self._model("axes", layers, _power(64))},
            "sources": {"s": self._signal("axes", 3200, 3)},
            "pipelines": {
                "p": {
                    "source": "s",
                    "window": {"length": 1024, "hop": 512},
                    "features": {"welch": {}},
                    "model": "m",
                    **_TOLD,
                }
            },
        }
        self._share("3 axes at 3.2 kHz, spectrum, int8 model, events", values, "at most 5 %")

    def many_channels(self) -> None:
        """64 channels at 1 kHz through one model: as one source, and as one source for each."""
        layers = (
            Conv1D(_noise(9, 64, 32), activation="relu", stride=4),
            Conv1D(_noise(9, 32, 32), activation="relu", stride=4),
            GlobalAveragePool(),
        )
        pipeline = {"window": {"length": "1s", "hop": "500ms"}, "model": "m", **_TOLD}
        values = {
            "models": {"m": self._model("wide", layers, _noise(16, 1000, 64))},
            "sources": {"s": self._signal("wide", 1000, 64)},
            "pipelines": {"p": {"source": "s", **pipeline}},
        }
        self._share("64 channels at 1 kHz of one source, int8 model, events", values,
                    "at most 30 %")  # fmt: skip
        layers = (
            Conv1D(_noise(9, 1, 16), activation="relu", stride=4),
            Conv1D(_noise(9, 16, 16), activation="relu", stride=4),
            GlobalAveragePool(),
        )
        one = self._signal("narrow", 1000, 1)
        values = {
            "models": {"m": self._model("narrow", layers, _noise(16, 1000, 1))},
            "sources": {f"s{n}": one for n in range(64)},
            "pipelines": {f"p{n}": {"source": f"s{n}", **pipeline, "window": {"length": "1s"}}
                          for n in range(64)},
        }  # fmt: skip
        self._share("64 sources of one channel at 1 kHz, one int8 model, events", values,
                    "at most 30 %")  # fmt: skip

    def wake_word(self) -> None:
        """Features every 10 ms, the model every 30 ms, its mean over five, rules."""
        model, sound = DATA / "models" / "mww_alexa.tflite", DATA / "audio" / "mww_computer.wav"
        if not model.is_file():
            _row("no test data: no wake word", "-")
            return
        for engine, target in (("tflite", "at most 3 %"), ("numpy", "at most 15 %")):
            values = {
                "models": {"m": {"file": str(model), "engine": engine}},
                "sources": {"s": {"type": "audio", "file": str(sound), "pace": "loop"}},
                "pipelines": {
                    "p": {
                        "source": "s",
                        "stream": {"micro_frontend": {}},
                        "window": {"length": 3},
                        "model": "m",
                        "threshold": 0.9,
                        "smooth": {"average": 5},
                        "track": {"hits": 1, "of": 1},
                    }
                },
            }
            self._share(f"wake word, model every 30 ms, engine {engine}", values, target)

    def replay(self) -> None:
        """A text file as fast as it goes: in windows, with less of it for the memory, by rows."""
        little, _ = self._replayed(_ROWS // 4, 256)
        peak, rate = self._replayed(_ROWS, 256)
        what = f"CSV of {_ROWS:,} rows, anomaly, windows of"
        _row(f"{what} 256, rows/s", f"{rate:,.0f}", "at least 200,000")
        growth = f"{peak:.0f} {peak - little:+.1f} MiB"
        _row(f"  peak memory; above that of {_ROWS // 4:,} rows", growth, "no growth")
        for window in (16, 1):
            _, rate = self._replayed(_ROWS, window)
            _row(f"{what} {window}, rows/s", f"{rate:,.0f}", "at least 200,000")

    def _replayed(self, rows: int, window: int) -> tuple[float, float]:
        """Peak memory in MiB, and rows a second."""
        file = self._folder / f"{rows}.csv"
        if not file.exists():
            np.savetxt(file, _noise(rows, 1), "%.5f", header="value", comments="")
        pipeline = {"source": "s", "window": {"length": window}, "anomaly": {}}
        if window > 1:
            pipeline["features"] = {"statistics": {}}
        source = {"type": "csv", "file": str(file), "rate": 1000, "pace": "fast"}
        values = {"sources": {"s": source}, "pipelines": {"p": pipeline}}
        answers = [self._run(values, 0) for _ in range(self._rounds)]
        peak = statistics.median(each["peak_mib"] for each in answers)
        return peak, window * statistics.median(each["fps"] for each in answers)

    def _model(self, name: str, trunk: tuple[Layer, ...], samples: Floats) -> dict[str, Any]:
        """A classifier behind a trunk; on samples as these each class is as likely as another."""
        seen = quantize_layers(trunk, samples).predict(samples)
        weights = _noise(seen.shape[1], len(_LABELS)) / seen.std()
        last = Dense(weights, -seen.mean(axis=0) @ weights, activation="softmax")
        file = self._folder / f"{name}.npz"
        quantize_layers((*trunk, last), samples, labels=_LABELS).save(file)
        return {"file": str(file), "task": {"name": "classification", "top": 1}}

    def _signal(self, name: str, rate: int, channels: int) -> dict[str, Any]:
        file = self._folder / f"{name}.npy"
        np.save(file, _noise(rate * _SECONDS, channels))
        return {"type": "csv", "file": str(file), "rate": rate, "pace": "loop"}

    def _share(self, what: str, values: dict[str, Any], target: str) -> None:
        shares = [self._run(values, self._seconds)["cpu_share"] for _ in range(self._rounds)]
        _row(what, f"{statistics.median(shares):.1%}", target)

    def _run(self, values: dict[str, Any], seconds: float) -> dict[str, Any]:
        file = self._folder / "bench.yaml"
        broker = self._broker
        mqtt = {"host": broker.host, "port": broker.port, "protocol": broker.protocol}
        agent = {"name": "bench", "log_level": "warning"}
        file.write_text(yaml.safe_dump({"agent": agent, "mqtt": mqtt, **values}))
        command = [sys.executable, "-m", "benchmarks.whole", str(file), str(seconds)]
        done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, check=True)
        answer: dict[str, Any] = json.loads(done.stdout)
        if not answer["inferred"]:
            raise SystemExit(f"nothing went through {values['pipelines']}")
        return answer


if __name__ == "__main__":
    main()
