"""Compares the numpy engine with TFLite, on every tensor of a model.

    python -m scripts.verify_numpy_engine [MODEL.tflite ...] [--rounding xnnpack]

Without models it takes all of the test data (EDGE_AGENT_TEST_DATA, else ../shared/data) but those
in `robustness`. The rounding "reference" needs tflite-runtime 2.14, whose BUILTIN_REF kernels are
the reference (numpy<2), "xnnpack" needs LiteRT 2.3 (ai_edge_litert) on x86-64. Random and real
inputs are run through both in turn, 100 of each, or what `--seconds` allow a slow model; all
tensors that operators write are compared, and the outputs once more. Exits with 1 if any element
differs.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count, islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.plan import Rounding
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.errors import ModelError
from edge_agent.model import TensorSpec
from scripts.real_inputs import DATA, real_inputs

Arrays = tuple[NDArray[Any], ...]

_DETECTIONS = "TFLite_Detection_PostProcess"
"""Behind the detections that it counts, TFLite leaves what was there before; ours are zero."""


@dataclass
class Report:
    """What the comparison of one model gave.

    `inputs` counts the random ones, and the real ones, too; `differing` counts elements by the
    index of their tensor.
    """

    name: str
    inputs: int = 0
    tensors: int = 0
    elements: int = 0
    differing: dict[int, int] = field(default_factory=dict)
    largest: float = 0.0

    def row(self) -> str:
        """The report as a line."""
        total = sum(self.differing.values())
        where = (
            f"  largest {self.largest:g}, first in tensor {min(self.differing)}" if total else ""
        )
        return (
            f"{self.name:<64} {self.inputs:>6} {self.inputs:>6} {self.tensors:>7} "
            f"{self.elements:>14,} {total:>9}{where}"
        )


HEADER = f"{'model':<64} {'random':>6} {'real':>6} {'tensors':>7} {'elements':>14} {'differing':>9}"


def main() -> int:
    """Verify the models given, or all, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--inputs", type=int, default=100, help="random and real ones, of each")
    parser.add_argument("--rounding", choices=get_args(Rounding), default="reference")
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="for one model, at least one input of each"
    )
    arguments = parser.parse_args()
    print(HEADER)
    failed = verified = 0
    for path in arguments.models or models_of(DATA):
        try:
            report = verify(path, arguments.inputs, arguments.rounding, arguments.seconds)
        except (ModelError, ReferenceRefuses) as error:
            print(f"{path.name:<64} not run: {str(error)[:200]}", flush=True)
            continue
        print(report.row(), flush=True)
        verified += 1
        failed += bool(report.differing)
    print(f"{verified} models verified, {failed} of them differ")
    return 1 if failed or not verified else 0


def verify(
    path: Path, inputs: int, rounding: Rounding = "reference", seconds: float = math.inf
) -> Report:
    """Run `inputs` random and as many real ones; raises ModelError where ours cannot.

    After `seconds` it is enough. Outputs are compared a second time, with tensors that share their
    memory here and with the model unchanged there.
    """
    engine = NumpyEngine(path, rounding=rounding, keep_all=True)
    sharing = NumpyEngine(path, rounding=rounding)
    graph = read_tflite(path).main
    written = dict.fromkeys(
        index
        for operator in graph.operators
        for index in operator.outputs
        if graph.tensors[index].dtype.kind != "V" and index not in graph.inputs
    )
    reference = Reference(path, tuple(written), rounding)
    report = Report(path.name, tensors=len(written))
    pairs = zip(random_inputs(engine.inputs), real_inputs(DATA, engine.inputs), strict=True)
    end = time.monotonic() + seconds
    for pair in islice(pairs, inputs):
        for values in pair:
            engine.run(*values)
            _compare(report, engine, reference.run(values))
            sharing.run(*values)
            _compare(report, sharing, reference.outputs(values))
        report.inputs += 1
        if time.monotonic() > end:
            break
    return report


def _compare(report: Report, engine: NumpyEngine, wanted: dict[int, NDArray[Any]]) -> None:
    for index, right in wanted.items():
        ours = engine.value(index).reshape(right.shape)
        report.elements += right.size
        wrong = (ours != right) & ~((ours != ours) & (right != right))  # two NaN are the same
        if wrong.any():
            gap = np.abs(ours.astype(np.float64) - right.astype(np.float64)).max()
            report.largest = max(report.largest, float(gap))
            report.differing[index] = report.differing.get(index, 0) + int(wrong.sum())


class ReferenceRefuses(Exception):
    """The reference itself cannot run the model."""


class Reference:
    """TFLite, with every tensor of the graph made an output.

    The interpreter's own way of keeping tensors gives overwritten ones in 2.14.
    """

    def __init__(
        self, path: Path, tensors: tuple[int, ...], rounding: Rounding = "reference"
    ) -> None:
        model = path.read_bytes()
        self._tensors = tensors
        operators = read_tflite(path).main.operators
        self._detections = [each.outputs for each in operators if each.name == _DETECTIONS]
        self._interpreter = _interpreter(with_outputs(model, tensors), rounding)
        self._unchanged = _interpreter(model, rounding)
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]

    def run(self, inputs: Arrays) -> dict[int, NDArray[Any]]:
        """Values of all tensors by index."""
        return self._run(self._interpreter, inputs, self._tensors)

    def outputs(self, inputs: Arrays) -> dict[int, NDArray[Any]]:
        """Values of the outputs, of the model as it is.

        Many outputs part what XNNPACK would get in one piece: this shows what that changes.
        """
        places = [detail["index"] for detail in self._unchanged.get_output_details()]
        return self._run(self._unchanged, inputs, places)

    def _run(
        self, interpreter: Any, inputs: Arrays, tensors: Sequence[int]
    ) -> dict[int, NDArray[Any]]:
        for index, values in zip(self._inputs, inputs, strict=True):
            interpreter.set_tensor(index, values)
        interpreter.invoke()
        found = {index: interpreter.get_tensor(index) for index in tensors}
        for *rows, number in self._detections:
            for index in found.keys() & rows if number in found else ():
                found[index][:, int(found[number][0]) :] = 0
        return found


def _interpreter(model: bytes, rounding: Rounding) -> Any:
    try:
        if rounding == "xnnpack":
            interpreter = import_module("ai_edge_litert.interpreter").Interpreter(
                model_content=model
            )
        else:
            module = import_module("tflite_runtime.interpreter")
            interpreter = module.Interpreter(
                model_content=model,
                experimental_op_resolver_type=module.OpResolverType.BUILTIN_REF,
            )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ReferenceRefuses(f"reference: {' '.join(str(error).split())}") from error
    return interpreter


def with_outputs(model: bytes, tensors: tuple[int, ...]) -> bytes:
    """The file with other outputs of its first graph: a new vector behind its end."""
    data = bytearray(model)
    data += bytes(-len(data) % 16)
    place = _field(data, _first_graph(data), slot=2)  # SubGraph.outputs
    struct.pack_into("<I", data, place, len(data) - place)
    data += struct.pack(f"<I{len(tensors)}i", len(tensors), *tensors)
    return bytes(data)


def _first_graph(data: bytearray) -> int:
    root = _word(data, 0)
    place = _field(data, root, slot=2)  # Model.subgraphs
    entry = place + _word(data, place) + 4
    return entry + _word(data, entry)


def _field(data: bytearray, table: int, slot: int) -> int:
    vtable = table - int(struct.unpack_from("<i", data, table)[0])
    return table + int(struct.unpack_from("<H", data, vtable + 4 + 2 * slot)[0])


def _word(data: bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def models_of(data: Path) -> list[Path]:
    """All models of the test data but the odd and malformed ones."""
    files = sorted((data / "models").rglob("*.tflite"))
    return [file for file in files if "robustness" not in file.parts]


def random_inputs(specs: Sequence[TensorSpec], seed: int = 0) -> Iterator[Arrays]:
    """Evenly spread ones, which saturate, in turn with ones around the zero point; endless."""
    noise = np.random.default_rng(seed)
    for number in count():
        yield tuple(_random(spec, noise, spread=number % 2 == 0) for spec in specs)


def _random(spec: TensorSpec, noise: np.random.Generator, spread: bool) -> NDArray[Any]:
    if spec.dtype.kind == "f":
        return noise.normal(0.0, 1.0, spec.shape).astype(spec.dtype)
    if spec.dtype.itemsize > 1:  # sizes or indices
        return noise.integers(0, 5, spec.shape).astype(spec.dtype)
    info = np.iinfo(spec.dtype)
    if spread:
        return noise.integers(info.min, info.max + 1, spec.shape).astype(spec.dtype)
    centre = (info.min + info.max) // 2 if spec.zero_point is None else spec.zero_point
    around = np.rint(noise.normal(centre, noise.uniform(5.0, 60.0), spec.shape))
    return np.clip(around, info.min, info.max).astype(spec.dtype)


if __name__ == "__main__":
    sys.exit(main())
