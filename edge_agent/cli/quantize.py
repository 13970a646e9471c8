"""`edge-agent quantize`: a float model to int8, with a report on what that costs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.cli.boxes import box_map, holds_boxes, load_boxes
from edge_agent.cli.datasets import Reader, Tensors, load_labelled, load_unlabelled
from edge_agent.cli.options import positive, read_mapping
from edge_agent.cli.output import print_json, progress
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.modelfile.labels import load_labels
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.reading import read_program
from edge_agent.errors import ModelError, UsageError
from edge_agent.model import TensorSpec
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures, PreprocessOptions
from edge_agent.quantize import Model, Options, Quantized, quantize
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.quantize.arrays_file import load_layers
from edge_agent.quantize.calibrate import runs_needed
from edge_agent.quantize.evaluate import classify, milliseconds
from edge_agent.quantize.onnx import read_onnx
from edge_agent.quantize.options import INPUT_TYPES, OUTPUT_TYPES
from edge_agent.quantize.prepare import check
from edge_agent.quantize.ranges import OBSERVERS, Range
from edge_agent.sources.arrays import BadNumbers, load_arrays

EXAMPLES = """\
  edge-agent quantize float.tflite --calibrate pictures/ -o int8.tflite int8.npz
  edge-agent quantize float.tflite --calibrate pictures/ --evaluate test/ -o int8.tflite
  edge-agent quantize float.tflite --calibrate x.npy --observer mse --keep-float SOFTMAX -o m.npz
  edge-agent quantize --from-arrays layers.npz --calibrate x.npy -o model.npz

Calibration data are some hundred inputs as they come in use: pictures, films, .npy, .npz, .csv,
.wav, or folders of them. --evaluate takes a folder with a folder for each class, a .csv of
file,label, or an .npz with an array `labels` beside the inputs; for a detector a .csv that begins
with the line file,label,x1,y1,x2,y2. docs/quantize.md tells more.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("model", type=Path, nargs="?", metavar="IN", help="float32 model (.tflite, .onnx or .npz)")
    add("--from-arrays", type=Path, metavar="FILE.npz", help="layers as arrays instead of IN")
    add("--calibrate", type=Path, nargs="+", required=True, metavar="DATA", help="typical inputs")
    add("-o", "--out", type=Path, nargs="+", required=True, metavar="OUT", help=".npz, .tflite")
    add("--limit", type=positive, default=200, metavar="N", help="samples used (default: 200)")
    add(
        "--evaluate",
        type=Path,
        metavar="DATA",
        help="labelled data: how good both are",
    )
    add("--observer", choices=tuple(OBSERVERS), default="minmax", help="how ranges are taken")
    add("--equalize", action="store_true", help="even out channels between layers")
    add("--correct-bias", action="store_true", help="take the mean error out of the biases")
    add("--keep-float", nargs="+", default=[], metavar="NAME", help="operators left in float32")
    add("--input-type", choices=INPUT_TYPES, default="int8", help="default: int8")
    add("--output-type", choices=OUTPUT_TYPES, default="int8", help="default: int8")
    add("--labels", type=Path, metavar="FILE", help="names of the classes, if not inside")
    add("--preprocess", default="{}", metavar="OPTIONS", help="of pictures, as `infer` has it")
    add("--json", action="store_true", help="one JSON object instead of text")


def run(arguments: argparse.Namespace) -> int:
    """Quantise, measure, write; nothing is written where anything is wrong."""
    bad = [path for path in arguments.out if path.suffix not in (".npz", ".tflite")]
    if bad:
        raise UsageError(f"{bad[0]} must end in .npz or .tflite")
    options = Options(
        observer=arguments.observer,
        equalize=arguments.equalize,
        correct_bias=arguments.correct_bias,
        keep_float=tuple(arguments.keep_float),
        input_type=arguments.input_type,
        output_type=arguments.output_type,
    )
    source = open_float(arguments)
    samples = load_unlabelled(source.reader, arguments.calibrate, arguments.limit)
    judge = _judge(arguments, source)
    with progress("calibrating", len(samples) * runs_needed(options.observer)) as bar:
        result = quantize(source.model, samples, options, bar.step, source.spans())
    measured = _times(result, samples[0]) | judge(result)
    for path in arguments.out:
        result.save(path)
    _print(result, measured, arguments)
    return 0


@dataclass(frozen=True, slots=True)
class Source:
    """A float model with what reads its inputs."""

    model: Model
    reader: Reader

    def spans(self) -> list[Range]:
        """What a picture may hold, from black to white; nothing of models that take none."""
        first = self.reader.specs[0]
        if isinstance(self.reader.preprocessor, NoPictures):
            return []
        tensor = np.zeros(first.shape, first.dtype)
        ends = []
        for value in (0, 255):
            self.reader.preprocessor.write(np.full((8, 8, 3), value, np.uint8), tensor)
            ends += [float(tensor.min()), float(tensor.max())]
        return [Range(min(ends), max(ends))]


def open_float(arguments: argparse.Namespace) -> Source:
    """The float model of the command line; raises UsageError, ModelError."""
    if (arguments.model is None) == (arguments.from_arrays is None):
        raise UsageError("give either a model or --from-arrays FILE.npz")
    model = _of_arrays(arguments) if arguments.from_arrays else _of_file(arguments.model)
    check(model.program)
    notes = model.notes
    if arguments.labels:
        notes = Notes(notes.description, load_labels(arguments.labels), notes.metadata)
    given = read_mapping(arguments.preprocess, "--preprocess")
    notes = _with_normalisation(notes, given)
    main = model.program.main
    specs = tuple(main.tensors[index].spec() for index in main.inputs)
    return Source(Model(model.program, notes), Reader(specs, _pictures(specs, notes, given)))


def _of_file(path: Path) -> Model:
    if path.suffix.lower() == ".onnx":
        return Model(read_onnx(path), Notes("", None, {}))
    info = read_model_info(path)
    for spec in info.inputs:
        if any(side < 1 for side in spec.shape):
            shape = "x".join("?" if side < 0 else str(side) for side in spec.shape)
            raise ModelError(
                f"{path}: input {spec.name!r} has no fixed shape ({shape})",
                "export it with a fixed input shape",
            )
    return Model(read_program(path), Notes(info.description, info.labels, info.metadata))


def _of_arrays(arguments: argparse.Namespace) -> Model:
    """The layers of the file, for samples as the first calibration file has them."""
    try:
        layers = load_layers(load_arrays(arguments.from_arrays))
        given = load_arrays(arguments.calibrate[0])
    except BadNumbers as error:
        raise UsageError(f"the arrays cannot be used: {error}") from error
    first = next((array for name, array in given.items() if name != "labels"), np.zeros(0))
    name = arguments.from_arrays.stem
    return Model(program_of_layers(layers, first.shape[1:], name), Notes("", None, {}))


def _with_normalisation(notes: Notes, given: Any) -> Notes:
    """Mean and std of the command line go into the file, so that the agent takes them, too."""
    said = {key: given[key] for key in ("mean", "std") if key in given}
    return Notes(notes.description, notes.labels, {**notes.metadata, **said})


def _pictures(
    specs: Sequence[TensorSpec], notes: Notes, given: Any
) -> ImagePreprocessor | NoPictures:
    try:
        options = PreprocessOptions(**given)
        return ImagePreprocessor(specs[0], notes.metadata, options)
    except ModelError as error:
        return NoPictures(error)
    except (TypeError, ValueError) as error:
        raise UsageError(f"--preprocess: {error}") from error


def _judge(arguments: argparse.Namespace, source: Source) -> Callable[[Quantized], dict[str, Any]]:
    """What tells how good a model is on labelled data, which are read now."""
    path, labels = arguments.evaluate, source.model.notes.labels
    if path is None:
        return lambda _: {}
    if holds_boxes(path):
        truth = load_boxes(path, labels)
        return lambda result: {
            "box_map": {
                "samples": len(truth),
                "float": round(box_map(result.original, truth, arguments), 4),
                "int8": round(box_map(result, truth, arguments), 4),
            }
        }
    inputs, classes = load_labelled(source.reader, path, labels)
    return lambda result: {"accuracy": _accuracy(result, inputs, classes)}


def _times(result: Quantized, sample: Tensors) -> dict[str, float]:
    """Milliseconds of a run before and after."""
    return {
        "float_ms": round(milliseconds(result.original.program, sample), 3),
        "int8_ms": round(milliseconds(result.program, sample), 3),
    }


def _accuracy(
    result: Quantized, inputs: Sequence[Tensors], classes: Sequence[int]
) -> dict[str, float]:
    with progress("evaluating", 2 * len(inputs)) as bar:
        theirs, ours = (
            classify(model.program, inputs, bar.step) for model in (result.original, result)
        )
    return {
        "samples": len(classes),
        "float": round(float((theirs == classes).mean()), 4),
        "int8": round(float((ours == classes).mean()), 4),
        "agreement": round(float((ours == theirs).mean()), 4),
    }


def _print(result: Quantized, measured: dict[str, Any], arguments: argparse.Namespace) -> None:
    files = {str(path): path.stat().st_size for path in arguments.out}
    if arguments.json:
        print_json({"files": files, **result.report.as_json(), **measured})
        return
    for name, size in files.items():
        print(f"{name}: {size:,} bytes")
    print(result.report.text())
    print(f"time       {measured['float_ms']:.2f} -> {measured['int8_ms']:.2f} ms, numpy engine")
    if "accuracy" in measured:
        found = measured["accuracy"]
        print(
            f"accuracy   {found['float']:.2%} -> {found['int8']:.2%} of {found['samples']:,} "
            f"samples; the same class in {found['agreement']:.2%}"
        )
    if "box_map" in measured:
        found = measured["box_map"]
        print(
            f"box mAP    {found['float']:.4f} -> {found['int8']:.4f} at IoU 0.5 of "
            f"{found['samples']:,} pictures"
        )
