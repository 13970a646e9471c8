"""`edge-agent calibrate`: measure what is normal for a pipeline that looks for anomalies."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from edge_agent.cli.options import add_config, duration
from edge_agent.cli.output import print_json
from edge_agent.config.load import load_or_raise
from edge_agent.errors import UsageError
from edge_agent.runtime.calibrate import calibrate
from edge_agent.runtime.scoring import calibrations
from edge_agent.runtime.signals import stop_on_signals
from edge_agent.scoring.calibration import Calibration, CalibrationStore

EXAMPLES = """\
  edge-agent calibrate -c edge-agent.yaml --pipeline bearing --for 1h
  edge-agent calibrate -c recorded.yaml --pipeline bearing     to the end of the recording
  edge-agent calibrate -c edge-agent.yaml --pipeline bearing --show
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser, required=True)
    parser.add_argument("--pipeline", required=True, metavar="NAME", help="which pipeline")
    parser.add_argument(
        "--for", dest="seconds", type=duration, metavar="TIME",
        help="how long, such as 10m or 1h (default: to the end of the recording, or Ctrl-C)",
    )  # fmt: skip
    parser.add_argument("--show", action="store_true", help="print what was measured before")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Measure, keep and print it."""
    config = load_or_raise(arguments.config)
    store, name = calibrations(config), arguments.pipeline
    if arguments.show:
        known = store.newest(name)
        if known is None:
            raise UsageError(f"{name} was not calibrated yet", "leave --show out")
    else:
        with stop_on_signals() as stop:
            known = calibrate(config, name, arguments.seconds, stop, _tell)
        store.save(name, known)
    _print(name, known, store, arguments.json)
    return 0


def _tell(windows: int) -> None:
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"\r{windows} windows", end="", file=sys.stderr, flush=True)


def _print(name: str, known: Calibration, store: CalibrationStore, as_json: bool) -> None:
    median, p90, p99, most = known.quantiles
    facts: dict[str, Any] = {
        "pipeline": name,
        "limit": known.limit,
        "windows": known.windows,
        "normal": {"p50": median, "p90": p90, "p99": p99, "max": most},
        "made": known.made,
        "file": str(store.versions(name)[-1]),
    }
    if as_json:
        print_json(facts)
        return
    print(f"{name}: {known.windows} normal windows")
    print(f"  median {median:.4g}, 90 % {p90:.4g}, 99 % {p99:.4g}, most {most:.4g}")
    print(f"  limit  {known.limit:.4g}  (an anomaly is above it)")
    print(f"  kept in {facts['file']}; a running agent takes it when it is reloaded")
