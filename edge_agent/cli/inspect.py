"""`edge-agent inspect`: what a model file holds and how it would be read."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.cli.output import print_json, table
from edge_agent.decoders.base import picture_notes
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines import engine_support
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.state import state_wires, without_state
from edge_agent.errors import ModelError
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.preprocess.beside import others
from edge_agent.preprocess.image import (
    ImagePreprocessor,
    PreprocessOptions,
    picture_area,
    picture_place,
)

EXAMPLES = """\
  edge-agent inspect coco_ssd.tflite
  edge-agent inspect coco_ssd.tflite --json
  edge-agent inspect coco_ssd.tflite --labels    all of them, a line each
"""

_SHOWN_LABELS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="model file (.tflite)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--labels", action="store_true", help="only the labels, a line each")


def run(arguments: argparse.Namespace) -> int:
    """Read the file, choose its decoder, and try it in every engine, each in its own process."""
    info = read_model_info(arguments.model)
    wires = state_wires(info)
    if arguments.labels:
        print("".join(f"{label}\n" for label in info.labels or ()), end="")
        return 0
    facts: dict[str, Any] = {
        "file": str(info.path),
        "size": info.size,
        "sha256": info.sha256,
        "description": info.description,
        "inputs": [_tensor(spec) for spec in info.inputs],
        "outputs": [_tensor(spec) for spec in info.outputs],
        "ops": dict(Counter(info.operators)),
        "labels": list(info.labels) if info.labels is not None else None,
        "state": {info.outputs[w.output].name: info.inputs[w.input].name for w in wires},
        **_reading(without_state(info, wires)),
        "engines": engine_support(info),
    }
    if arguments.json:
        print_json(facts)
    else:
        _print(facts)
    return 0


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "shape": list(spec.shape),
        "dtype": spec.dtype.name,
        "scale": _plain(spec.scale),
        "zero_point": _plain(spec.zero_point),
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _reading(info: ModelInfo) -> dict[str, Any]:
    """How pictures go in and results come out."""
    try:
        decoder, why = choose_decoder(info, info.labels)
    except ModelError as error:
        return {
            "preprocess": _preprocess(info, info.metadata),
            "decoder": {"name": None, "why": str(error)},
        }
    return {
        "preprocess": _preprocess(info, picture_notes(decoder, info)),
        "decoder": {"name": decoder.name, "why": why},
    }


def _preprocess(info: ModelInfo, notes: Mapping[str, Any]) -> str:
    try:
        takers = [spec for spec in info.inputs if picture_area(spec)]
        if len(info.inputs) != 1 and len(takers) != 1:
            return f"{len(info.inputs)} inputs: no picture"
        place = picture_place(info.inputs)
        text = ImagePreprocessor(info.inputs[place], notes, PreprocessOptions()).describe()
        beside = [spec.name for spec in others(info.inputs, place)]
        return f"{text}; beside it {', '.join(beside)} (inputs of a pipeline)" if beside else text
    except (ModelError, ValueError) as error:
        return str(error)


def _print(facts: dict[str, Any]) -> None:
    print(f"{facts['file']}: {facts['size']:,} bytes, sha256 {facts['sha256']}")
    if facts["description"]:
        print(f"made by: {facts['description']}")
    tensors = [("input", spec) for spec in facts["inputs"]]
    tensors += [("output", spec) for spec in facts["outputs"]]
    rows = [
        [kind, spec["name"], _shape(spec), spec["dtype"], _scale(spec)] for kind, spec in tensors
    ]
    print(f"\n{table(('', 'tensor', 'shape', 'type', 'real value'), rows)}")
    print(f"\noperators   {', '.join(f'{count} {name}' for name, count in facts['ops'].items())}")
    print(f"labels      {_labels(facts['labels'])}")
    for output, fed in facts["state"].items():
        print(f"state       {output} is {fed} of the next frame")
    print(f"picture     {facts['preprocess']}")
    print(f"decoder     {facts['decoder']['name'] or 'none'} ({facts['decoder']['why']})")
    for name, answer in facts["engines"].items():
        print(f"engine      {name}: {'runs it' if answer is True else answer}")


def _shape(spec: dict[str, Any]) -> str:
    return " x ".join("?" if side < 0 else str(side) for side in spec["shape"]) or "-"


def _scale(spec: dict[str, Any]) -> str:
    if spec["scale"] is None:
        return "-"
    if isinstance(spec["scale"], list):
        return f"per channel ({len(spec['scale'])})"
    return f"{spec['scale']:.6g} * (q - {spec['zero_point']})"


def _labels(labels: Sequence[str] | None) -> str:
    if labels is None:
        return "none inside"
    shown = ", ".join(labels[:_SHOWN_LABELS])
    return f"{len(labels)} inside: {shown}{', ...' if len(labels) > _SHOWN_LABELS else ''}"
