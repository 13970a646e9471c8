"""Our quantisation beside that of TensorFlow's converter, on the same float networks and samples.

    pip install tensorflow-cpu==2.21.0 ai-edge-litert opencv-python-headless
    python -m scripts.train_demo_model --out FOLDER/belt_tf.tflite --work FOLDER
    python -m benchmarks.quantize_nets --work FOLDER
    python -m benchmarks.quantize --work FOLDER             # prints the table
    python -m benchmarks.quantize --work FOLDER --prune     # what fewer channels cost and save
    python -m benchmarks.quantize --work FOLDER --bytes     # TFLite's kernels against our engine

The first two train the networks and need TensorFlow; the others need none, but --bytes any TFLite
runtime. FOLDER then holds float.tflite (the detector), belt_tf.tflite, and the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.cli.output import table
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.npz import Notes
from edge_agent.engines.numpy.program import Program
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.quantize import Model, Options, quantize
from edge_agent.quantize.evaluate import classify, milliseconds
from edge_agent.quantize.measure import native_inputs
from edge_agent.quantize.prepare import simplify
from edge_agent.quantize.prune import prune_channels
from edge_agent.quantize.ranges import Range
from scripts.train_demo_model import HELD_OUT, evaluate, render
from tests.support.reference import RUNTIME, run_reference

Array = NDArray[Any]

_ROUNDS = 7

CHOICES: Mapping[str, Options] = {
    "ours": Options(),
    "ours, percentile": Options("percentile"),
    "ours, mse": Options("mse"),
    "ours, equalised": Options(equalize=True),
    "ours, bias corrected": Options(correct_bias=True),
}


@dataclass(frozen=True, slots=True)
class Task:
    """A float network with samples to calibrate it, and what judges a file, from 0 to 1."""

    name: str
    network: Path
    theirs: Path
    samples: Sequence[tuple[Array, ...]]
    judge: Callable[[Path], float]
    tests: Sequence[tuple[Array, ...]]
    measure: str
    input_type: str = "int8"
    spans: Sequence[Range] = ()


def classifier(name: str, work: Path) -> Task:
    """A network of `quantize_nets`."""
    with np.load(work / f"{name}.npz") as stored:
        calibration, x, y = (stored[key] for key in ("calibration", "x", "y"))
    tests = [(sample[np.newaxis],) for sample in x]

    def judge(path: Path) -> float:
        return float((classify(read_tflite(path), tests) == y).mean())

    samples = [(sample[np.newaxis],) for sample in calibration]
    network, theirs = work / f"{name}.tflite", work / f"{name}_tf.tflite"
    return Task(name, network, theirs, samples, judge, tests, f"top 1 of {len(y):,}")


def detector(work: Path, pictures: int) -> Task:
    """The demo's, judged by its script, with the samples that its script calibrates with."""
    (trained,) = (p for p in work.glob("scenes-0-*.npz"))
    with np.load(trained) as stored:
        shown = stored["images"][:300]
    scenes = render(600, HELD_OUT, work)
    samples, tests = (
        [(image[np.newaxis].astype(np.float32) / 255.0,) for image in images]
        for images in (shown, scenes.images[:pictures])
    )

    def judge(path: Path) -> float:
        return evaluate(path, scenes)["mAP@0.5"]

    network, theirs = work / "float.tflite", work / "belt_tf.tflite"
    spans = [Range(0.0, 1.0)]
    measure = "mAP@0.5 of 600 pictures"
    return Task("detector", network, theirs, samples, judge, tests, measure, "uint8", spans)


def ours(task: Task, options: Options, path: Path) -> Path:
    """Our int8 file of a network."""
    model = Model(read_tflite(task.network), Notes("", None, {}))
    options = replace(options, input_type=task.input_type)
    return quantize(model, task.samples, options, spans=task.spans).save(path)


def rows(task: Task, work: Path) -> Iterator[list[str]]:
    """One for each way of making the network."""
    files = {"float": task.network, "TensorFlow": task.theirs}
    for name, options in CHOICES.items():
        files[name] = ours(task, options, work / f"{task.name}_{len(files)}.tflite")
    theirs = task.judge(task.theirs)
    for name, path in files.items():
        score = task.judge(path)
        time = milliseconds(read_tflite(path), task.tests[0])
        points = f"{100 * (score - theirs):+.2f}"
        yield [task.name, name, f"{score:.4f}", points, f"{path.stat().st_size:,}", f"{time:.2f}"]


def pruned_rows(task: Task, work: Path) -> Iterator[list[str]]:
    """One for each part of the channels that goes: int8, timed in turn with the whole model."""
    program = simplify(read_tflite(task.network))
    options = Options(input_type=task.input_type)
    whole: Program | None = None
    for part in (0.0, 0.25, 0.5, 0.75):
        smaller = prune_channels(program, part, task.samples) if part else program
        made = quantize(Model(smaller), task.samples, options, spans=task.spans)
        path = made.save(work / f"{task.name}_pruned.tflite")
        whole = whole or made.program
        pairs = [
            (milliseconds(whole, task.tests[0]), milliseconds(made.program, task.tests[0]))
            for _ in range(_ROUNDS)
        ]
        faster = np.median([before / after for before, after in pairs])
        time = np.median([after for _, after in pairs])
        yield [task.name, f"{part:.0%}", f"{path.stat().st_size:,}", f"{time:.2f}",
               f"{faster:.2f}", f"{task.judge(path):.4f}"]  # fmt: skip


def compare_bytes(task: Task, work: Path) -> str:
    """How many numbers of our file's outputs are not those of TFLite's reference kernels."""
    path = ours(task, Options(), work / f"{task.name}_bytes.tflite")
    engine, program, content = NumpyEngine(path), read_tflite(path), path.read_bytes()
    different = total = 0
    for sample in task.tests[:200]:
        inputs = native_inputs(program, sample)
        answers = _counted(engine.run(*inputs)), _counted(run_reference(content, inputs))
        for mine, reference in zip(*answers, strict=True):
            different += int((mine != reference).sum())
            total += mine.size
    return f"{task.name}: {different} of {total:,} numbers differ"


def _counted(outputs: Sequence[Array]) -> Sequence[Array]:
    """Of a detector the rows that it counts: TFLite leaves those behind them as they were."""
    if len(outputs) != 4:
        return outputs
    count = int(outputs[3][0])
    return [*(each[:, :count] for each in outputs[:3]), outputs[3]]


def main() -> None:
    """Print the table, or compare bytes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--bytes", action="store_true")
    parser.add_argument("--prune", action="store_true")
    parser.add_argument("--only", nargs="+", default=["kws", "mobilenet", "detector"])
    given = parser.parse_args()
    tasks = [
        detector(given.work, 100) if name == "detector" else classifier(name, given.work)
        for name in given.only
    ]
    if given.bytes:
        print(f"against the reference kernels of {RUNTIME.__name__}")
        for task in tasks:
            print(compare_bytes(task, given.work), flush=True)
        return
    if given.prune:
        header = ["network", "channels gone", "bytes", "ms", "times as fast", "score"]
        print(table(header, [row for task in tasks for row in pruned_rows(task, given.work)]))
        return
    header = ["network", "made by", "score", "points", "bytes", "ms"]
    found = [row for task in tasks for row in rows(task, given.work)]
    print(table(header, found))
    for task in tasks:
        print(f"{task.name}: {task.measure}, calibrated with {len(task.samples)}")


if __name__ == "__main__":
    main()
