"""`edge-agent infer`: a model on pictures, arrays, tables or sound, once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, get_args

from edge_agent.cli.inputs import is_picture, load_samples
from edge_agent.cli.options import add_model, fraction, model_config
from edge_agent.cli.output import print_json, progress
from edge_agent.drawing import (
    draw_area,
    draw_box,
    draw_keypoints,
    draw_lines,
    palette,
    save_picture,
)
from edge_agent.engines.base import Rounding
from edge_agent.errors import EdgeAgentError, InferenceError, UsageError
from edge_agent.geometry import Point
from edge_agent.model import ModelInfo
from edge_agent.preprocess.tiles import TileOptions
from edge_agent.result import (
    ClassArea,
    ClassScore,
    Detection,
    Keypoint,
    Kind,
    RawOutput,
    Result,
)
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.opening import open_inference, trials_of
from edge_agent.runtime.tiling import Tiles, Tiling, Whole
from edge_agent.sources.arrays import BadNumbers
from edge_agent.sources.base import Image
from edge_agent.sources.pictures import BadPicture, load_picture

EXAMPLES = """\
  edge-agent infer -m coco_ssd.tflite -i cat.jpg dog.jpg
  edge-agent infer -m coco_ssd.tflite -i cat.jpg --draw out.jpg
  edge-agent infer -m coco_ssd.tflite -i square.jpg --tiles 3x2
  edge-agent infer -m mobilenet.tflite -i *.jpg --json | jq .results
  edge-agent infer -m keywords.tflite -i features.npy
  edge-agent infer -m yamnet.tflite -i speech.wav --threshold 0.3

.npy and .npz hold arrays of the input's own type, or real numbers (float), which are quantised as
the input says; of the input's shape, or of one axis more in front for N samples, which give N
results. In a .npz each array has the name of its input, or arr_0, arr_1, ... A .csv holds real
numbers, which fill the input row by row. A .wav goes into a waveform input window by window, from
-1 to 1, its channels averaged, never resampled. Inputs that a file says nothing of are zero. What a
streaming model remembers lasts from the first to the last sample of one file; the pictures of one
command are one stream, in their order.
"""


_COUNTS = ("1", "2", "3", "4")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "-i", "--input", nargs="+", type=Path, required=True, metavar="FILE",
        help="pictures, .npy, .npz, .csv or .wav"
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=fraction, default=0.5, metavar="T", help="least score (default: 0.5)"
    )
    parser.add_argument(
        "--rounding", choices=get_args(Rounding),
        help="kernels: builtin (TFLite's own, the default), xnnpack (faster, as `run` and `bench` "
        "have them), reference (slow, the same bytes on every machine; the default for quantised "
        "segmentation)",
    )  # fmt: skip
    parser.add_argument(
        "--tiles", type=_tiles, default=Whole(), metavar="CxR",
        help="look at so many crops of each picture (columns x rows) beside the whole, for small "
        "objects",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object per picture or sample")
    parser.add_argument(
        "--draw", type=Path, metavar="OUT.jpg", help="draw what was found into a picture"
    )


def _tiles(text: str) -> Tiling:
    """The tiles that `2x2` stands for."""
    columns, _, rows = text.lower().partition("x")
    if columns not in _COUNTS or rows not in _COUNTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no grid such as 2x2, at most 4x4")
    return Tiles(TileOptions((int(columns), int(rows))))


def _faithful(info: ModelInfo, kind: Kind) -> Rounding:
    """Exact where a step of rounding decides between two classes of a pixel."""
    is_quantised = bool(info.inputs) and info.inputs[0].dtype.kind in "iu"
    return "reference" if kind == "segmentation" and is_quantised else "builtin"


def run(arguments: argparse.Namespace) -> int:
    """Infer every input; one that cannot be used is told, and the others go on."""
    targets = _targets(arguments.draw, arguments.input)
    rounding = arguments.rounding or _faithful
    trials = trials_of(None)
    inference = open_inference(*model_config(arguments), rounding, any_input=True, trials=trials)
    failed = 0
    with progress("inferring", len(arguments.input)) as bar:
        for path, target in zip(arguments.input, targets, strict=True):
            try:
                if is_picture(path):
                    _infer_picture(path, target, inference, arguments)
                else:
                    _infer_samples(path, inference, arguments)
            except (BadPicture, BadNumbers, EdgeAgentError) as error:
                failed += 1
                print(f"edge-agent: {_with_name(path, error)}", file=sys.stderr)
            bar.step()
    inference.close()
    return 1 if failed else 0


def _with_name(path: Path, error: Exception) -> str:
    is_input = isinstance(error, BadPicture | BadNumbers | InferenceError)
    return f"{path} cannot be used: {error}" if is_input else str(error)


def _infer_picture(
    path: Path, target: Path | None, inference: Inference, arguments: argparse.Namespace
) -> None:
    image = load_picture(path)
    zeros = inference.beside.zeros()
    _tell_zero(path, list(zeros))
    outcome = arguments.tiles.run(inference, image, (), arguments.threshold, None, zeros)
    if arguments.json:
        print_json(_as_json({"input": str(path)}, image.shape, inference, outcome))
    else:
        print(_as_text(str(path), outcome))
    if target is not None:
        _draw(image, outcome.results)
        save_picture(target, image)
        print(f"{target} drawn", file=sys.stderr)


def _infer_samples(path: Path, inference: Inference, arguments: argparse.Namespace) -> None:
    samples = load_samples(path, inference.engine.inputs)
    _tell_zero(path, samples.missing)
    inference.engine.reset()
    for number in range(len(samples)):
        outcome = inference.run_sample(samples, number, arguments.threshold)
        if arguments.json:
            source = {"input": str(path), "sample": number}
            print_json(_as_json(source, None, inference, outcome))
        else:
            print(_as_text(f"{path} [{number}]" if len(samples) > 1 else str(path), outcome))


def _tell_zero(path: Path, names: Sequence[str]) -> None:
    if names:
        print(f"edge-agent: {path} says nothing of {', '.join(names)}: zero", file=sys.stderr)


def _as_json(
    source: dict[str, Any], shape: tuple[int, ...] | None, inference: Inference, outcome: Outcome
) -> dict[str, Any]:
    """The object of one result; `shape` is that of the picture, None where there was none."""
    ref = inference.ref
    answer: dict[str, Any] = {
        **source,
        "model": {"name": ref.name, "sha256": ref.sha256, "engine": ref.engine},
        "kind": inference.decoder.kind,
    }
    if inference.decoder.kind == "raw":
        answer["outputs"] = [_raw(result) for result in outcome.results]
    elif inference.decoder.kind == "segmentation":
        answer["classes"] = [_area(result) for result in outcome.results]
    else:
        answer["results"] = [_result(result, shape) for result in outcome.results]
    answer["latency_ms"] = {
        "preprocess": round(outcome.preprocess_ms, 3),
        "infer": round(outcome.infer_ms, 3),
        "decode": round(outcome.decode_ms, 3),
    }
    return answer


def _result(result: Result, shape: tuple[int, ...] | None) -> dict[str, Any]:
    if isinstance(result, Detection):
        found: dict[str, Any] = {
            "label": result.label,
            "score": round(result.score, 6),
            "box": [round(side, 6) for side in result.box],
        }
        if shape is not None:
            sizes = (shape[1], shape[0]) * 2
            found["box_px"] = [round(s * n, 2) for s, n in zip(result.box, sizes, strict=True)]
        if result.keypoints:
            found["keypoints"] = [_keypoint(each) for each in result.keypoints]
        if result.polygons:
            found["polygons"] = _lines(result.polygons)
        return found
    assert isinstance(result, ClassScore)
    return {"label": result.label, "score": round(result.score, 6)}


def _keypoint(point: Keypoint) -> dict[str, Any]:
    x, y, score = (round(each, 6) for each in (point.x, point.y, point.score))
    return {"name": point.name, "x": x, "y": y, "score": score}


def _area(result: Result) -> dict[str, Any]:
    assert isinstance(result, ClassArea)
    return {
        "label": result.label,
        "area": round(result.area, 6),
        "polygons": _lines(result.polygons),
    }


def _lines(polygons: Sequence[Sequence[Point]]) -> list[list[list[float]]]:
    return [[[round(side, 5) for side in point] for point in line] for line in polygons]


def _raw(result: Result) -> dict[str, Any]:
    assert isinstance(result, RawOutput)
    return {"name": result.name, "values": _finite(result.values.tolist())}


def _finite(value: Any) -> Any:
    """JSON knows neither infinity nor NaN: they become null."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124


def _as_text(source: str, outcome: Outcome) -> str:
    lines = [f"{source}  ({outcome.infer_ms:.1f} ms)"]
    for result in outcome.results:
        if isinstance(result, RawOutput):
            values = result.values
            lines.append(f"  {result.name}  {'x'.join(map(str, values.shape))}  {values.dtype}")
        elif isinstance(result, Detection):
            box = " ".join(f"{side:.3f}" for side in result.box)
            lines.append(f"  {result.score:.3f}  {result.label:<16} at {box}")
            lines += [
                f"    {p.score:.3f}  {p.name:<16} {p.x:.3f} {p.y:.3f}" for p in result.keypoints
            ]
        elif isinstance(result, ClassArea):
            lines.append(f"  {result.area:.1%}  {result.label}")
        else:
            lines.append(f"  {result.score:.3f}  {result.label}")
    return "\n".join(lines if outcome.results else [*lines, "  nothing above the threshold"])


def _targets(draw: Path | None, inputs: Sequence[Path]) -> Sequence[Path | None]:
    """Where the pictures go: with several inputs each has its own name behind the given one."""
    if draw is None:
        return [None] * len(inputs)
    if not draw.name:
        raise UsageError("--draw needs the name of a picture, such as out.jpg")
    for path in inputs:
        if not is_picture(path):
            raise UsageError(f"--draw draws into pictures, and {path} is none")
    if len(inputs) == 1:
        return [draw]
    targets: list[Path] = []
    for path in inputs:
        stem = f"{draw.stem}-{path.stem}"
        names = chain([stem], (f"{stem}-{number}" for number in count(2)))
        targets.append(next(t for t in map(draw.with_stem, names) if t not in targets))
    return targets


def _draw(image: Image, results: Sequence[Result]) -> None:
    detections = [result for result in results if isinstance(result, Detection)]
    colours = palette(detection.label for detection in detections)
    for found in reversed(detections):  # the best last, on top
        draw_area(image, found.polygons, "", colours[found.label])
        draw_box(image, found.box, f"{found.label} {found.score:.2f}", colours[found.label])
        draw_keypoints(image, found.keypoints, colours[found.label])
    areas = [result for result in results if isinstance(result, ClassArea)]
    tints = palette(area.label for area in areas)
    for area in areas:
        draw_area(image, area.polygons, f"{area.label} {area.area:.1%}", tints[area.label])
    classes = [f"{r.label} {r.score:.2f}" for r in results if isinstance(r, ClassScore)]
    if classes:
        draw_lines(image, classes)
