"""The inside of a real YOLOv8, read as exports that end there have it."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.decoders.choose import choose_decoder
from edge_agent.geometry import BoxMapping, iou
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.result import Detection
from tests.support.data import data_file
from tests.support.models import load_model, make_info

pytestmark = pytest.mark.data

_MODEL = "models/agpl/yolov8n_full_integer_quant_224.tflite"
_SIDES = (28, 14, 7)


@cache
def _run(picture: str) -> tuple[ModelInfo, dict[tuple[int, ...], Any], NDArray[Any]]:
    """The model's description, its last tensor of each shape with its numbers, and its output."""
    path = data_file(_MODEL)
    try:
        module: Any = import_module("ai_edge_litert.interpreter")
    except ImportError:
        module = import_module("tflite_runtime.interpreter")
    interpreter = module.Interpreter(
        str(path),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    image = cv2.imread(str(data_file(f"images/{picture}")))
    assert image is not None
    image = cv2.cvtColor(cv2.resize(image, (224, 224)), cv2.COLOR_BGR2RGB)
    where = interpreter.get_input_details()[0]["index"]
    interpreter.set_tensor(where, (image.astype(np.int16) - 128).astype(np.int8)[None])
    interpreter.invoke()
    info = load_model(path).info
    output = interpreter.get_output_details()[0]["index"]
    last = {tuple(d["shape"]): d for d in interpreter.get_tensor_details() if d["name"]}
    wanted = {shape: d for shape, d in last.items() if len(shape) in (3, 4)}
    found = {shape: (_spec(d), interpreter.get_tensor(d["index"])) for shape, d in wanted.items()}
    return info, found, interpreter.get_tensor(output)


def _spec(detail: dict[str, Any]) -> TensorSpec:
    scale, zero = detail["quantization"]
    return TensorSpec(
        detail["name"], tuple(detail["shape"]), np.dtype(detail["dtype"]), scale, zero
    )


@pytest.mark.parametrize("picture", ["cats_and_dogs.jpg", "coco_000000373353.jpg"])
@pytest.mark.parametrize(
    "shapes",
    [
        [(1, side, side, channels) for side in _SIDES for channels in (64, 80)],
        [(1, side, side, 144) for side in _SIDES],
        [(1, 144, side, side) for side in _SIDES],
        [(1, 144, side * side) for side in _SIDES],
        [(1, 144, 1029)],
    ],
    ids=["grids", "joined", "channels first", "flat", "whole"],
)
def test_the_same_objects(shapes: list[tuple[int, ...]], picture: str) -> None:
    """What the model's own last steps make of its grids is what is read from them."""
    info, tensors, output = _run(picture)
    decoder: Any = choose_decoder(info, info.labels)[0]
    wanted = decoder.decode([output], BoxMapping(), 0.5)
    specs, values = zip(*(tensors[shape] for shape in shapes), strict=True)
    cut = make_info(specs, inputs=info.inputs, labels=info.labels)
    split: Any
    split, why = choose_decoder(cut, info.labels)
    assert split.name == "yolo_split", why
    found = split.decode(values, BoxMapping(), 0.5)
    assert wanted
    assert sorted(d.label for d in found) == sorted(d.label for d in wanted)
    for each in wanted:
        assert max(_agreement(each, other) for other in found) > 0.8


def _agreement(one: Detection, other: Detection) -> float:
    """Overlap of two boxes of the same label and score, within two steps of the scores."""
    same = one.label == other.label and abs(one.score - other.score) < 0.012
    return iou(one.box, other.box) if same else 0.0
