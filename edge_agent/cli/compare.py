"""`edge-agent compare`: two models, or one model in two engines, on the same data."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.cli.datasets import files_of, is_film, pictures_of
from edge_agent.cli.inputs import is_picture, load_samples
from edge_agent.cli.options import fraction, model_config, positive
from edge_agent.cli.output import print_json, progress, table
from edge_agent.engines.base import Rounding
from edge_agent.errors import InferenceError, UsageError
from edge_agent.model import dequantize
from edge_agent.quantize.agreement import Agreement, OutputError, mean_average_precision
from edge_agent.result import Result
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.opening import open_inference, trials_of
from edge_agent.sources.arrays import BadNumbers
from edge_agent.sources.pictures import BadPicture

Array = NDArray[Any]

EXAMPLES = """\
  edge-agent compare float.tflite int8.tflite -d pictures/
  edge-agent compare int8.tflite int8.tflite --engines tflite numpy --rounding reference -d x.npy
  edge-agent compare old.tflite new.tflite -d pictures/ --threshold 0.4 --json

A is taken as the truth. Outputs are compared as real numbers, by their order; the class with the
highest score where the first output is a row of scores; boxes where both find objects: those of A
from --threshold on are what B should find (mAP at IoU 0.5).
"""

_LEAST = 0.01  # score from which boxes of B count, so that precision is known at every recall


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("first", metavar="A", help="model file, the truth")
    add("second", metavar="B", help="model file")
    add("-d", "--data", type=Path, nargs="+", required=True, metavar="DATA",
        help="pictures, films, .npy, .npz, .csv, .wav, or folders of them")  # fmt: skip
    add("--engines", nargs=2, default=["auto", "auto"], metavar=("A", "B"),
        help="auto, tflite or numpy, of either model")  # fmt: skip
    add("--rounding", choices=get_args(Rounding), help="kernels, as `infer` has them")
    add("--threads", type=positive, default=1, metavar="N", help="CPU threads")
    add("--threshold", type=fraction, default=0.5, metavar="T", help="least score of A's boxes")
    add("--preprocess", default="{}", metavar="OPTIONS", help="of pictures, as `infer` has it")
    add("--model-labels", metavar="FILE", help="names of the classes, if not inside")
    add("--limit", type=positive, default=1000, metavar="N", help="most files (default: 1000)")
    add("--json", action="store_true", help="one JSON object instead of a table")
    parser.set_defaults(task="auto", state=None, delegate=None)


def run(arguments: argparse.Namespace) -> int:
    """Run both on everything and tell where they differ."""
    files = files_of(arguments.data)[: arguments.limit]
    first, second = (_open(arguments, place) for place in (0, 1))
    told = _Told(first, second, arguments.threshold)
    with progress("comparing", len(files)) as bar:
        for path in files:
            try:
                told.add(path)
            except (BadPicture, BadNumbers, InferenceError) as error:
                raise UsageError(f"{path} cannot be used: {error}") from error
            bar.step()
    first.close()
    second.close()
    if arguments.json:
        print_json(told.as_json())
    else:
        print(told.text())
    return 0


def _open(arguments: argparse.Namespace, place: int) -> Inference:
    given = {
        **vars(arguments),
        "model": (arguments.first, arguments.second)[place],
        "engine": arguments.engines[place],
    }
    name, model = model_config(argparse.Namespace(**given))
    return open_inference(name, model, arguments.rounding, any_input=True, trials=trials_of(None))


class _Told:
    """Collects what two models say."""

    def __init__(self, first: Inference, second: Inference, threshold: float) -> None:
        self._both = (first, second)
        self._threshold = threshold
        self._times: tuple[list[float], list[float]] = ([], [])
        self._agreement = Agreement()
        specs = zip(first.engine.outputs, second.engine.outputs, strict=False)
        self._agreement.outputs = [OutputError(spec.name) for spec, _ in specs]
        self._count = 0

    def add(self, path: Path) -> None:
        """Run both on all samples of a file."""
        runs = [_runs(inference, path) for inference in self._both]
        for a, b in zip(*runs, strict=True):
            self._note(a, b)

    def _note(self, a: _Run, b: _Run) -> None:
        self._count += 1
        for times, run in zip(self._times, (a, b), strict=True):
            times.append(run.milliseconds)
        self._agreement.add(a.outputs, b.outputs)
        kinds = {inference.decoder.kind for inference in self._both}
        if kinds <= {"class", "raw"}:
            self._agreement.add_scores(a.outputs[0], b.outputs[0])
        if kinds == {"object"}:
            sure = [r for r in a.results if getattr(r, "score", 0.0) >= self._threshold]
            self._agreement.add_boxes(sure, b.results)

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values; what does not apply is null."""
        agreement = self._agreement
        medians = [float(np.median(times)) for times in self._times]
        same = agreement.same_class
        return {
            "samples": self._count,
            "models": [
                {"name": each.ref.name, "sha256": each.ref.sha256, "engine": each.ref.engine,
                 "p50_ms": round(median, 3)}
                for each, median in zip(self._both, medians, strict=True)
            ],
            "outputs": [
                {"name": each.name, "max_error": each.largest, "mean_error": each.mean,
                 "different": each.different, "numbers": each.count}
                for each in agreement.outputs
            ],
            "top1_agreement": round(sum(same) / len(same), 4) if same else None,
            "box_map": round(mean_average_precision(agreement.boxes), 4)
            if agreement.boxes
            else None,
        }  # fmt: skip

    def text(self) -> str:
        """The same for people."""
        found = self.as_json()
        header = ("output", "max error", "mean error", "different", "numbers")
        rows = [
            (each["name"], f"{each['max_error']:.5g}", f"{each['mean_error']:.5g}",
             str(each["different"]), str(each["numbers"]))
            for each in found["outputs"]
        ]  # fmt: skip
        lines = [table(header, rows), ""]
        for letter, model in zip("AB", found["models"], strict=True):
            lines.append(
                f"{letter}  {model['p50_ms']:8.3f} ms  {model['name']} ({model['engine']})"
            )
        if found["top1_agreement"] is not None:
            lines.append(f"the same class in {found['top1_agreement']:.2%}")
        if found["box_map"] is not None:
            lines.append(f"boxes of B against those of A: mAP {found['box_map']:.4f} at IoU 0.5")
        lines.append(f"{found['samples']:,} samples")
        return "\n".join(lines)


class _Run:
    """What one model said of one sample: real outputs, results and the time of the engine."""

    def __init__(self, inference: Inference, write: Any) -> None:
        mapping = inference.engine.fill(write)
        began = time.perf_counter()
        outputs = inference.engine.run()
        self.milliseconds = 1e3 * (time.perf_counter() - began)
        specs = inference.engine.outputs
        real = [dequantize(o, spec) for o, spec in zip(outputs, specs, strict=True)]
        self.outputs = _counted(real) if _counts_rows(inference) else real
        self.results: tuple[Result, ...] = inference.decoder.decode(outputs, mapping, _LEAST)


def _counts_rows(inference: Inference) -> bool:
    """Whether the outputs are boxes, classes, scores and how many of them there are."""
    makers = [origin.operator for origin in inference.info.origins if origin is not None]
    return makers == ["TFLite_Detection_PostProcess"] * 4


def _counted(outputs: Sequence[Array]) -> Sequence[Array]:
    """The rows that are counted: what stands behind them means nothing."""
    count = int(outputs[3].reshape(-1)[0])
    return [*(each[:, :count] for each in outputs[:3]), outputs[3]]


def _runs(inference: Inference, path: Path) -> Iterator[_Run]:
    """A run for each sample of a file."""
    inference.engine.reset()
    if is_film(path) or is_picture(path):
        for image in pictures_of(path):
            yield _Run(inference, inference.writer(image, inference.beside.zeros()))
        return
    samples = load_samples(path, inference.engine.inputs)
    for number in range(len(samples)):
        yield _Run(inference, lambda *tensors, n=number: samples.write(n, *tensors))
