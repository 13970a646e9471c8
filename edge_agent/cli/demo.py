"""`edge-agent demo`: the real job on bundled data and models, seen through a private broker."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.signals import stop_on_signals

EXAMPLES = """\
  edge-agent demo                 a camera, then a vibration sensor, as fast as this machine can
  edge-agent demo sensor          a bearing that develops a fault, alone
  edge-agent demo --pace real     the same at the speed at which it was taken
  edge-agent demo --forever       the camera again and again, until Ctrl-C
"""

_SHOWS = ("camera", "sensor")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "show", nargs="?", choices=_SHOWS, metavar="camera|sensor",
        help="which one (default: one after the other)",
    )  # fmt: skip
    parser.add_argument(
        "--pace", choices=("fast", "real"), default="fast",
        help="speed of the recording (default: fast)",
    )  # fmt: skip
    parser.add_argument(
        "--forever", action="store_true", help="loop until Ctrl-C (default: the camera)"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="DIR",
        help="where the pictures go (default: demo-output)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run source -> model -> rules -> MQTT, and tell what a subscriber received."""
    set_up_logging("warning")
    pace = "loop" if arguments.forever else arguments.pace
    every = _SHOWS[:1] if arguments.forever else _SHOWS
    code = 0
    with stop_on_signals() as stop:
        for number, name in enumerate((arguments.show,) if arguments.show else every):
            if code or stop.is_set():
                break
            if number:
                print()
            # Not before its turn: what the second needs would keep the first event waiting.
            show = import_module(f"edge_agent.cli.demo_{name}").show
            code = show(pace, arguments.output, stop)
    return code
