"""Compares the numpy engine with TFLite, on every tensor of a model.

    python -m scripts.verify_numpy_engine MODEL.tflite ... [--inputs 100] [--rounding xnnpack]

The rounding "reference" needs tflite-runtime 2.14, whose BUILTIN_REF kernels are the reference
(numpy<2), "xnnpack" needs LiteRT 2.3 (ai_edge_litert) on x86-64. For each model as many random and,
where the test data has them, real inputs are run through both; all tensors that operators write are
compared, and the outputs once more. Exits with 1 if any element differs.
"""

from __future__ import annotations

import argparse
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.plan import Rounding
from edge_agent.engines.numpy.program import Tensor
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.errors import ModelError

Arrays = tuple[NDArray[Any], ...]


@dataclass
class Report:
    """What the comparison of one model gave; `differing` counts elements by tensor index."""

    name: str
    inputs: int = 0
    tensors: int = 0
    elements: int = 0
    differing: dict[int, int] = field(default_factory=dict)
    largest: float = 0.0

    def row(self) -> str:
        """The report as a line."""
        total = sum(self.differing.values())
        return (
            f"{self.name:<56} {self.inputs:>6} {self.tensors:>7} {self.elements:>13,} {total:>9}"
            + (
                f"  largest {self.largest:g}, first in tensor {min(self.differing)}"
                if total
                else ""
            )
        )


HEADER = f"{'model':<56} {'inputs':>6} {'tensors':>7} {'elements':>13} {'differing':>9}"


def main() -> int:
    """Verify all models given and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--inputs", type=int, default=100, help="random and real ones, of each")
    parser.add_argument("--rounding", choices=get_args(Rounding), default="reference")
    arguments = parser.parse_args()
    print(HEADER)
    failed = 0
    for path in arguments.models:
        try:
            report = verify(path, arguments.inputs, rounding=arguments.rounding)
        except (ModelError, ReferenceRefuses) as error:
            print(f"{path.name:<56} not run: {str(error)[:200]}")
            continue
        print(report.row(), flush=True)
        failed += bool(report.differing)
    return 1 if failed else 0


def verify(path: Path, count: int, seed: int = 0, rounding: Rounding = "reference") -> Report:
    """Run `count` random and up to `count` real inputs; raises ModelError where ours cannot.

    Outputs are compared a second time, with tensors that share their memory here and with the model
    unchanged there.
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
    specs = tuple(graph.tensors[index] for index in graph.inputs)
    noise = np.random.default_rng(seed)
    for inputs in (*random_inputs(specs, count, noise), *real_inputs(path, specs, count)):
        engine.run(*inputs)
        _compare(report, engine, reference.run(inputs))
        sharing.run(*inputs)
        _compare(report, sharing, reference.outputs(inputs))
        report.inputs += 1
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
        self._interpreter = _interpreter(with_outputs(model, tensors), rounding)
        self._unchanged = _interpreter(model, rounding)
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]

    def run(self, inputs: Arrays) -> dict[int, NDArray[Any]]:
        """Values of all tensors by index."""
        self._invoke(self._interpreter, inputs)
        return {index: self._interpreter.get_tensor(index) for index in self._tensors}

    def outputs(self, inputs: Arrays) -> dict[int, NDArray[Any]]:
        """Values of the outputs, of the model as it is.

        Many outputs part what XNNPACK would get in one piece: this shows what that changes.
        """
        self._invoke(self._unchanged, inputs)
        places = [detail["index"] for detail in self._unchanged.get_output_details()]
        return {index: self._unchanged.get_tensor(index) for index in places}

    def _invoke(self, interpreter: Any, inputs: Arrays) -> None:
        for index, values in zip(self._inputs, inputs, strict=True):
            interpreter.set_tensor(index, values)
        interpreter.invoke()


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


def random_inputs(
    specs: tuple[Tensor, ...], count: int, noise: np.random.Generator
) -> Iterator[Arrays]:
    """Evenly spread ones, which saturate, in turn with ones around the zero point."""
    for number in range(count):
        yield tuple(_random(spec, noise, spread=number % 2 == 0) for spec in specs)


def _random(spec: Tensor, noise: np.random.Generator, spread: bool) -> NDArray[Any]:
    if spec.dtype.kind == "f":
        return noise.normal(0.0, 1.0, spec.shape).astype(spec.dtype)
    if not spec.is_quantized:
        return noise.integers(0, 5, spec.shape).astype(spec.dtype)
    info = np.iinfo(spec.dtype)
    if spread:
        return noise.integers(info.min, info.max + 1, spec.shape).astype(spec.dtype)
    around = np.rint(noise.normal(spec.zero, noise.uniform(5.0, 60.0), spec.shape))
    return np.clip(around, info.min, info.max).astype(spec.dtype)


def real_inputs(path: Path, specs: tuple[Tensor, ...], count: int) -> Iterator[Arrays]:
    """Pictures of the test data beside the model, cut and scaled to its input; none for others."""
    (first, *others) = specs
    is_picture = len(first.shape) == 4 and first.shape[3] in (1, 3) and min(first.shape[1:3]) >= 32
    folder = path.resolve().parents[1] / "images"
    if others or not is_picture or not first.is_quantized or not folder.is_dir():
        return
    import cv2  # noqa: PLC0415 - the engine itself must do without

    pictures = [cv2.imread(str(file)) for file in sorted(folder.glob("*.[jb][pm][gp]"))]
    noise = np.random.default_rng(1)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        if picture is None:
            continue
        height, width = (int(side * noise.uniform(0.5, 1.0)) for side in picture.shape[:2])
        top, left = (int(noise.integers(0, s - n + 1)) for s, n in
                     zip(picture.shape[:2], (height, width), strict=True))  # fmt: skip
        cut = cv2.resize(
            picture[top : top + height, left : left + width], (first.shape[2], first.shape[1])
        )
        if first.shape[3] == 1:
            cut = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)[..., None]
        values = cut.astype(np.int64) + np.iinfo(first.dtype).min
        yield (values.astype(first.dtype).reshape(first.shape),)


if __name__ == "__main__":
    sys.exit(main())
