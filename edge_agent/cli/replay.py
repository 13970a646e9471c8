"""`edge-agent replay`: recorded input through the real pipelines, the same bytes each time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from edge_agent.cli.check import load_with_stages
from edge_agent.cli.options import add_config
from edge_agent.cli.output import print_json, progress
from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError, UsageError
from edge_agent.frame import Frame
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.replay.choose import left_out, replayed
from edge_agent.runtime.replay.film import SUFFIX, Film, NoFilm
from edge_agent.runtime.replay.footage import Footage, open_footage
from edge_agent.runtime.replay.session import Replay
from edge_agent.runtime.replay.summary import as_text
from edge_agent.runtime.replay.target import whole_file, whole_text
from edge_agent.runtime.replay.transcript import Transcript
from edge_agent.runtime.signals import stop_on_signals

EXAMPLES = """\
  edge-agent replay -c edge-agent.yaml --source door=clip.mp4 --out run.jsonl
  edge-agent replay -c edge-agent.yaml --source door=clip.mp4 --out run.jsonl --video run.mp4
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
        "--video", type=Path, metavar="OUT.mp4",
        help="the frames with boxes, track numbers, zones, lines and counts; for one source",
    )  # fmt: skip
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
    config = load_with_stages(arguments.config).or_raise()
    models = (model.file for model in config.models.values())
    _check_targets(arguments, [arguments.config, *recordings.values(), *models])
    chosen = replayed(config, recordings, arguments.pipeline)
    if arguments.pipeline is None:
        for line in left_out(config, recordings):
            print(line, file=sys.stderr)
    if arguments.video is not None and len(chosen.sources) > 1:
        raise UsageError(
            "--video shows one source, and several are replayed", "choose with --pipeline"
        )
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
    """Write the transcript and the video; what came of it, a row for each pipeline."""
    total = sum(each.expected for each in footage.values())
    with (
        stop_on_signals() as stop,
        progress("replaying", total) as bar,
        _filmed(arguments.video, config, footage) as film,
        whole_text(arguments.out) as lines,
    ):
        replay = Replay(config, Transcript(lines), film.note)
        film.watch(replay.pipelines)

        def done(frame: Frame) -> None:
            film.show(frame)
            bar.step()

        replay.play(footage, arguments.start, stop.is_set, done)
        film.close()
        if stop.is_set():
            raise EdgeAgentError("stopped before the end: nothing was written")
        return replay.rows()


@contextmanager
def _filmed(
    path: Path | None, config: Config, footage: Mapping[str, Footage]
) -> Iterator[Film | NoFilm]:
    """A video that is there at the end, if nothing is raised."""
    if path is None:
        yield NoFilm()
        return
    (only,) = footage.values()
    with whole_file(path) as draft:
        yield Film(draft, path, only.fps, config)


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


def _check_targets(arguments: argparse.Namespace, read: Sequence[Path]) -> None:
    if str(arguments.out) == "-" and arguments.json:
        raise UsageError("--json and --out - both want stdout", "write --out to a file")
    if str(arguments.out) != "-":
        _check_target("--out", arguments.out, read)
    if arguments.video is not None:
        if arguments.video.suffix.lower() != SUFFIX:
            raise UsageError(f"--video {arguments.video}: its name must end in {SUFFIX}")
        _check_target("--video", arguments.video, read)
        if arguments.video.absolute() == arguments.out.absolute():
            raise UsageError("--video and --out are the same file", "give two names")


def _check_target(option: str, path: Path, read: Sequence[Path]) -> None:
    """Nothing that is read may be written over."""
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder", "give the name of a file")
    for each in read:
        if path.exists() and each.exists() and path.samefile(each):
            raise UsageError(f"{option} {path} would overwrite what is read", "give another name")


def _rate(config: Config, source: str) -> float:
    """Pictures per second of a folder: as the source would take them, else one."""
    return float(getattr(config.sources[source].options, "fps", None) or 1.0)
