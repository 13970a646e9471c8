"""`edge-agent prune`: a smaller float model, with a table of what each size costs."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.cli.datasets import Tensors, load_labelled, load_unlabelled
from edge_agent.cli.options import fraction, positive
from edge_agent.cli.output import print_json, progress, table
from edge_agent.cli.quantize import open_float
from edge_agent.engines.numpy.program import Program
from edge_agent.errors import UsageError
from edge_agent.quantize import Model
from edge_agent.quantize.evaluate import classify, milliseconds
from edge_agent.quantize.measure import constant_bytes
from edge_agent.quantize.prepare import simplify
from edge_agent.quantize.prune import prune_channels, prune_weights

EXAMPLES = """\
  edge-agent prune float.tflite --channels 0.5 --calibrate train/ -o half.tflite
  edge-agent prune float.tflite --channels 0.25 --calibrate train/ --evaluate test/ -o small.tflite
  edge-agent prune float.tflite --weights 0.6 --evaluate test.npz -o sparse.tflite

--channels takes whole channels out, which makes the model smaller and faster; give --calibrate, or
only the size of the weights tells which, and far more accuracy is lost. --weights sets the
smallest weights to zero: the file is as large, and packs better. Then quantise the result.
"""

_PARTS = (0.25, 0.5, 0.75)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("model", type=Path, metavar="IN", help="float32 model (.tflite, .onnx or .npz)")
    add("-o", "--out", type=Path, required=True, metavar="OUT", help=".tflite or .npz")
    add("--channels", type=fraction, metavar="P", help="part of the channels to take out")
    add("--weights", type=fraction, metavar="P", help="part of the weights to set to zero")
    add("--calibrate", type=Path, nargs="+", metavar="DATA", help="typical inputs")
    add("--evaluate", type=Path, metavar="DATA", help="labelled data: the accuracy of each size")
    add("--limit", type=positive, default=200, metavar="N", help="samples used (default: 200)")
    add("--labels", type=Path, metavar="FILE", help="names of the classes, if not inside")
    add("--preprocess", default="{}", metavar="OPTIONS", help="of pictures, as `infer` has it")
    add("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(from_arrays=None)


def run(arguments: argparse.Namespace) -> int:
    """Prune by several parts, tell what each costs, write the one that was asked for."""
    if (arguments.channels is None) == (arguments.weights is None):
        raise UsageError("give either --channels P or --weights P")
    if arguments.out.suffix not in (".npz", ".tflite"):
        raise UsageError(f"{arguments.out} must end in .npz or .tflite")
    source = open_float(arguments)
    samples: list[Tensors] = []
    if arguments.calibrate:
        samples = load_unlabelled(source.reader, arguments.calibrate, arguments.limit)
    labelled = None
    if arguments.evaluate:
        labelled = load_labelled(source.reader, arguments.evaluate, source.model.notes.labels)
    program = simplify(source.model.program)
    wanted = arguments.weights if arguments.channels is None else arguments.channels
    parts = sorted({0.0, *_PARTS, wanted})
    rows = []
    with progress("pruning", len(parts)) as bar:
        for part in parts:
            smaller = _pruned(program, part, arguments, samples)
            if part == wanted:
                Model(smaller, source.model.notes).save(arguments.out)
            rows.append(_row(part, smaller, labelled))
            bar.step()
    _print(rows, arguments)
    return 0


def _pruned(
    program: Program, part: float, arguments: argparse.Namespace, samples: Sequence[Tensors]
) -> Program:
    if part == 0.0:
        return program
    if arguments.channels is None:
        return prune_weights(program, part)
    return prune_channels(program, part, samples)


def _row(
    part: float,
    program: Program,
    labelled: tuple[list[Tensors], list[int]] | None,
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "pruned": part,
        "bytes": constant_bytes(program),
        "packed_bytes": _packed(program),
        "ms": round(milliseconds(program, _zeros(program)), 3),
    }
    if labelled is not None:
        inputs, labels = labelled
        found["accuracy"] = round(float((classify(program, inputs) == labels).mean()), 4)
    return found


def _zeros(program: Program) -> Tensors:
    """An input to measure the time with."""
    tensors = [program.main.tensors[index] for index in program.main.inputs]
    return tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in tensors)


def _packed(program: Program) -> int:
    """Bytes of all constants once they are compressed."""
    tensors = [tensor for graph in program.graphs for tensor in graph.tensors]
    return sum(len(zlib.compress(t.constant.tobytes())) for t in tensors if t.constant is not None)


def _print(rows: Sequence[dict[str, Any]], arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json({"file": str(arguments.out), "rows": rows})
        return
    header = list(rows[0])
    print(table(header, [[_cell(row[key]) for key in header] for row in rows]))
    print(f"{arguments.out}: {arguments.out.stat().st_size:,} bytes")


def _cell(value: Any) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"
