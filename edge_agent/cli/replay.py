"""`edge-agent replay`: recorded input through the real pipelines, the same bytes each time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.cli.check import load_with_stages
from edge_agent.cli.options import add_config
from edge_agent.cli.output import print_json, progress
from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError, UsageError
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.replay.choose import left_out, replayed
from edge_agent.runtime.replay.footage import Footage, open_footage
from edge_agent.runtime.replay.session import Replay
from edge_agent.runtime.replay.summary import as_text
from edge_agent.runtime.replay.target import whole_text
from edge_agent.runtime.replay.transcript import Transcript
from edge_agent.runtime.signals import stop_on_signals

EXAMPLES = """\
  edge-agent replay -c edge-agent.yaml --source door=clip.mp4 --out run.jsonl
  edge-agent replay -c edge-agent.yaml --source door=pictures/ --pipeline people --out - | jq .topic

A change of rules can be tried on what was recorded: replay, change the YAML, replay again, and
compare the two files with diff. Each line of the transcript is a message that the pipeline would
have published; nothing is sent, no broker is asked, and the state of an agent here is not touched.
No frame is dropped, and all durations are those of the recording.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser, required=True)
    parser.add_argument(
        "--source", type=_recording, action="append", required=True, metavar="NAME=FILE",
        help="a video, a folder of pictures, a clip or a folder of clips in the place of a source; "
        "may be given again",
    )  # fmt: skip
    parser.add_argument("--pipeline", metavar="NAME", help="only this one (all of the sources)")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="T.jsonl", help="transcript; - is stdout"
    )
    parser.add_argument(
        "--start", type=_moment, metavar="TIME",
        help="wall time of the first frame, such as 2026-07-01T21:30 or with +02:00 (as the clip "
        "says, else 2000-01-01T12:00Z)",
    )  # fmt: skip
    parser.add_argument(
        "--json", action="store_true", help="what came of it as one JSON object on stdout"
    )


def run(arguments: argparse.Namespace) -> int:
    """Replay; a transcript that was not finished is not there."""
    set_up_logging("warning")
    recordings = _recordings(arguments.source)
    _check_targets(arguments, recordings)
    config = load_with_stages(arguments.config).or_raise()
    chosen = replayed(config, recordings, arguments.pipeline)
    if arguments.pipeline is None:
        for line in left_out(config, recordings):
            print(line, file=sys.stderr)
    footage = {name: open_footage(recordings[name], _rate(config, name)) for name in chosen.sources}
    rows = _replay(arguments, chosen, footage)
    if arguments.json:
        print_json({"pipelines": rows})
    else:
        for row in rows:
            print(as_text(row), file=sys.stderr)
    return 0


def _replay(
    arguments: argparse.Namespace, config: Config, footage: Mapping[str, Footage]
) -> list[dict[str, Any]]:
    """Write the transcript; what came of it, a row for each pipeline."""
    total = sum(each.expected for each in footage.values())
    with (
        stop_on_signals() as stop,
        progress("replaying", total) as bar,
        whole_text(arguments.out) as lines,
    ):
        replay = Replay(config, Transcript(lines))
        replay.play(footage, arguments.start, stop.is_set, lambda _frame: bar.step())
        if stop.is_set():
            raise EdgeAgentError("stopped before the end: nothing was written")
        return replay.rows()


def _recording(text: str) -> tuple[str, Path]:
    """NAME=FILE, for argparse."""
    name, sign, file = text.partition("=")
    if not (name and sign and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE, such as door=clip.mp4")
    return name, Path(file)


def _moment(text: str) -> float:
    """Epoch seconds of an ISO time, local where it names no zone; for argparse."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time such as 2026-07-01T21:30 or 2026-07-01T21:30:00+02:00"
        ) from None


def _recordings(given: list[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in given:
        if name in found:
            raise UsageError(f"--source {name} is given twice")
        if not path.exists():
            raise UsageError(f"--source {name}={path}: no such file or folder")
        found[name] = path
    return found


def _check_targets(arguments: argparse.Namespace, recordings: Mapping[str, Path]) -> None:
    """Nothing that is read may be written over."""
    if str(arguments.out) == "-":
        if arguments.json:
            raise UsageError("--json and --out - both want stdout", "write --out to a file")
        return
    if arguments.out.is_dir():
        raise UsageError(f"--out {arguments.out} is a folder", "give the name of a file")
    for path in (arguments.config, *recordings.values()):
        if arguments.out.exists() and path.exists() and arguments.out.samefile(path):
            raise UsageError(f"--out {arguments.out} would overwrite what is read", "another name")


def _rate(config: Config, source: str) -> float:
    """Pictures per second of a folder: as the source would take them, else one."""
    return float(getattr(config.sources[source].options, "fps", None) or 1.0)
