"""`edge-agent infer`: a model on pictures, once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, get_args

from edge_agent.cli.options import add_model, fraction, model_config
from edge_agent.cli.output import print_json, progress
from edge_agent.drawing import draw_box, draw_lines, palette, save_picture
from edge_agent.engines.base import Rounding
from edge_agent.errors import EdgeAgentError, UsageError
from edge_agent.result import ClassScore, Detection, RawOutput, Result
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.wire import open_inference
from edge_agent.sources.base import Image
from edge_agent.sources.pictures import BadPicture, load_picture

EXAMPLES = """\
  edge-agent infer -m coco_ssd.tflite -i cat.jpg dog.jpg
  edge-agent infer -m coco_ssd.tflite -i cat.jpg --draw out.jpg
  edge-agent infer -m mobilenet.tflite -i *.jpg --json | jq .results
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_model(parser)
    parser.add_argument(
        "-i", "--input", nargs="+", type=Path, required=True, metavar="FILE", help="pictures"
    )
    parser.add_argument(
        "--threshold", type=fraction, default=0.5, metavar="T", help="least score (default: 0.5)"
    )
    parser.add_argument(
        "--rounding", choices=get_args(Rounding), default="builtin",
        help="kernels: builtin (TFLite's own, the default), xnnpack (faster, as `run` and `bench` "
        "have them), reference (slow, the same bytes on every machine)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object per picture")
    parser.add_argument(
        "--draw", type=Path, metavar="OUT.jpg", help="draw what was found into a picture"
    )


def run(arguments: argparse.Namespace) -> int:
    """Infer every picture; one that cannot be used is told, and the others go on."""
    targets = _targets(arguments.draw, arguments.input)
    inference = open_inference(*model_config(arguments), arguments.rounding)
    failed = 0
    with progress("inferring", len(arguments.input)) as bar:
        for path, target in zip(arguments.input, targets, strict=True):
            try:
                _infer(path, target, inference, arguments)
            except (BadPicture, EdgeAgentError) as error:
                failed += 1
                print(f"edge-agent: {_with_name(path, error)}", file=sys.stderr)
            bar.step()
    inference.close()
    return 1 if failed else 0


def _with_name(path: Path, error: Exception) -> str:
    return f"{path} cannot be used: {error}" if isinstance(error, BadPicture) else str(error)


def _infer(
    path: Path, target: Path | None, inference: Inference, arguments: argparse.Namespace
) -> None:
    image = load_picture(path)
    outcome = inference.run(image, arguments.threshold)
    if arguments.json:
        print_json(_as_json(path, image, inference, outcome))
    else:
        print(_as_text(path, outcome))
    if target is not None:
        _draw(image, outcome.results)
        save_picture(target, image)
        print(f"{target} drawn", file=sys.stderr)


def _as_json(path: Path, image: Image, inference: Inference, outcome: Outcome) -> dict[str, Any]:
    ref = inference.ref
    answer: dict[str, Any] = {
        "input": str(path),
        "model": {"name": ref.name, "sha256": ref.sha256, "engine": ref.engine},
        "kind": inference.decoder.kind,
    }
    if inference.decoder.kind == "raw":
        answer["outputs"] = [_raw(result) for result in outcome.results]
    else:
        answer["results"] = [_result(result, image) for result in outcome.results]
    answer["latency_ms"] = {
        "preprocess": round(outcome.preprocess_ms, 3),
        "infer": round(outcome.infer_ms, 3),
        "decode": round(outcome.decode_ms, 3),
    }
    return answer


def _result(result: Result, image: Image) -> dict[str, Any]:
    if isinstance(result, Detection):
        height, width = image.shape[:2]
        pixels = [side * size for side, size in zip(result.box, (width, height) * 2, strict=True)]
        return {
            "label": result.label,
            "score": round(result.score, 6),
            "box": [round(side, 6) for side in result.box],
            "box_px": [round(side, 2) for side in pixels],
        }
    assert isinstance(result, ClassScore)
    return {"label": result.label, "score": round(result.score, 6)}


def _raw(result: Result) -> dict[str, Any]:
    assert isinstance(result, RawOutput)
    return {"name": result.name, "values": _finite(result.values.tolist())}


def _finite(value: Any) -> Any:
    """JSON knows neither infinity nor NaN: they become null."""
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value if value == value and abs(value) != float("inf") else None  # noqa: PLR0124


def _as_text(path: Path, outcome: Outcome) -> str:
    lines = [f"{path}  ({outcome.infer_ms:.1f} ms)"]
    for result in outcome.results:
        if isinstance(result, RawOutput):
            values = result.values
            lines.append(f"  {result.name}  {'x'.join(map(str, values.shape))}  {values.dtype}")
        elif isinstance(result, Detection):
            box = " ".join(f"{side:.3f}" for side in result.box)
            lines.append(f"  {result.score:.3f}  {result.label:<16} at {box}")
        else:
            lines.append(f"  {result.score:.3f}  {result.label}")
    return "\n".join(lines if outcome.results else [*lines, "  nothing above the threshold"])


def _targets(draw: Path | None, inputs: Sequence[Path]) -> Sequence[Path | None]:
    """Where the pictures go: with several inputs each has its own name behind the given one."""
    if draw is None:
        return [None] * len(inputs)
    if not draw.name:
        raise UsageError("--draw needs the name of a picture, such as out.jpg")
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
        draw_box(image, found.box, f"{found.label} {found.score:.2f}", colours[found.label])
    classes = [f"{r.label} {r.score:.2f}" for r in results if isinstance(r, ClassScore)]
    if classes:
        draw_lines(image, classes)
