"""`edge-agent convert`: a .tflite model to the engine's own format, checked to be the same."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.npz import Notes, write_npz
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.errors import OutputError, UsageError

EXAMPLES = """\
  edge-agent convert model.tflite model.npz
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", type=Path, metavar="MODEL.tflite", help="model to read")
    parser.add_argument("target", type=Path, metavar="MODEL.npz", help="file to write")


def run(arguments: argparse.Namespace) -> int:
    """Read the model, write it; nothing is written where the model cannot be read."""
    if arguments.target.suffix != ".npz":
        raise UsageError(f"{arguments.target} must end in .npz")
    info = read_model_info(arguments.model)
    program = read_tflite(arguments.model)
    buffer = io.BytesIO()
    write_npz(program, Notes(info.description, info.labels, info.metadata), buffer)
    try:
        arguments.target.write_bytes(buffer.getvalue())
    except OSError as error:
        raise OutputError(
            f"cannot write {arguments.target}: {error.strerror}", "check the folder and free space"
        ) from error
    size = len(buffer.getvalue())
    print(f"{arguments.target}: {size:,} bytes, {len(program.main.operators)} operators")
    return 0
