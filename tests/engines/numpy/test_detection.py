"""TFLite_Detection_PostProcess against TFLite's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile.flexbuffer_writing import flexbuffer_map
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.operators.partial_sort import largest
from edge_agent.errors import InferenceError, ModelError
from tests.engines.numpy.moves import Array
from tests.support.data import data_file
from tests.support.reference import IS_HERE, RUNTIME, run_reference
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, model, write_model

IS_2_14 = IS_HERE and RUNTIME.__name__.startswith("tflite_runtime")
needs_runtime = pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")

OPTIONS: dict[str, float] = {
    "max_detections": 10,
    "max_classes_per_detection": 1,
    "num_classes": 3,
    "nms_score_threshold": 0.3,
    "nms_iou_threshold": 0.5,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


@dataclass
class Tail:
    """The operator alone, with `options` that differ from the usual ones."""

    options: dict[str, float] = field(default_factory=dict)
    count: int = 60
    background: int = 1
    quantised: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        self.noise = np.random.default_rng(self.seed)
        self.options = {**OPTIONS, **self.options}
        self.columns = int(self.options["num_classes"]) + self.background
        self.anchors = self.noise.uniform(0.05, 0.95, (self.count, 4)).astype(np.float32)

    def graph(self) -> GraphDef:
        """Outputs have no shape in the file, as exporters write it."""
        anchors = self.anchors
        kind = "FLOAT32"
        if self.quantised:
            kind, anchors = "UINT8", np.round(anchors * 255).astype(np.uint8)
        tensors = [
            TensorDef("boxes", (1, self.count, 4), kind),
            TensorDef("scores", (1, self.count, self.columns), kind),
            TensorDef("anchors", anchors.shape, kind, anchors),
            *(TensorDef(name, ()) for name in ("places", "kinds", "found", "number")),
        ]
        if self.quantised:
            for each, scale, zero in zip(
                tensors[:3], (0.05, 1 / 256, 1 / 255), (120, 0, 0), strict=True
            ):
                each.scale, each.zero_point = [scale], [zero]
        options = flexbuffer_map(self.options)
        name = "TFLite_Detection_PostProcess"
        operator = OpDef(name, (0, 1, 2), (3, 4, 5, 6), custom_options=options)
        return GraphDef(tensors, [operator], (0, 1), (3, 4, 5, 6))

    def inputs(self, steps: int = 9) -> tuple[Array, Array]:
        """Boxes, and scores of few different values: many are equal."""
        boxes = self.noise.normal(0, 2, (1, self.count, 4))
        scores = self.noise.integers(0, steps, (1, self.count, self.columns)) / (steps - 1)
        if self.quantised:
            boxes = np.clip(np.round(boxes / 0.05 + 120), 0, 255)
            return boxes.astype(np.uint8), np.floor(scores * 255).astype(np.uint8)
        return boxes.astype(np.float32), scores.astype(np.float32)


def _used(outputs: Any, width: int) -> list[Array]:
    """What is written: TFLite leaves the places after the last detection as they were."""
    count = int(outputs[3][0]) * width
    return [outputs[0][0, :count], outputs[1][0, :count], outputs[2][0, :count], outputs[3]]


@needs_runtime
@pytest.mark.parametrize("quantised", [False, True])
@pytest.mark.parametrize("by_class", [False, True])
@pytest.mark.parametrize("width", [1, 2])
@pytest.mark.parametrize("seed", range(6))
def test_against_tflite(
    seed: int, width: int, by_class: bool, quantised: bool, tmp_path: Path
) -> None:
    """Boxes, classes and scores are those of TFLite to the last bit, equal scores in its order."""
    options = {
        "use_regular_nms": by_class,
        "max_classes_per_detection": width,
        "detections_per_class": 5 + seed,
        "nms_score_threshold": (0.3, -1.0)[seed % 2],
    }
    count = 60 if seed % 3 else 3000
    tail = Tail(options, count, background=seed % 2, quantised=quantised, seed=seed)
    # LiteRT 2.3 puts equal scores of several classes in another order than 2.14.
    if by_class and quantised and not IS_2_14:
        pytest.skip("eight-bit scores are often equal, and this is not tflite-runtime 2.14")
    inputs = tail.inputs(9 if IS_2_14 or not by_class else 100_003)
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", tail.graph()))
    assert engine.outputs[0].shape == (1, 10 * width, 4)
    taken = 1 if by_class else width
    ours = _used(engine.run(*inputs), taken)
    theirs = _used(run_reference(model(tail.graph()), inputs), taken)
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_places_after_the_last_detection_are_zero(tmp_path: Path) -> None:
    """What an earlier run found does not stay behind."""
    tail = Tail()
    boxes, scores = tail.inputs()
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", tail.graph()))
    assert engine.run(boxes, scores)[3][0] > 0
    for output in engine.run(boxes, np.zeros_like(scores)):
        assert not output.any()


def test_an_anchor_with_a_negative_side(tmp_path: Path) -> None:
    """A box that ends before it begins is an error, as in TFLite."""
    tail = Tail()
    tail.anchors[7, 2] = -0.1
    with pytest.raises((InferenceError, ModelError), match="negative side"):
        NumpyEngine(write_model(tmp_path / "m.tflite", tail.graph())).run(*tail.inputs())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nms_iou_threshold": 0.0}, "nms_iou_threshold"),
        ({"h_scale": 0.0}, "scale of 0"),
        ({"use_regular_nms": True, "detections_per_class": 0}, "at most"),
    ],
)
def test_options_that_are_refused(change: dict[str, float], reason: str, tmp_path: Path) -> None:
    """Options with which nothing can be found, or numbers cannot be divided."""
    tail = Tail(change)
    with pytest.raises(ModelError, match=reason):
        NumpyEngine(write_model(tmp_path / "m.tflite", tail.graph()))


def test_scores_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    """There may be one row for the background and no more."""
    tail = Tail(background=2)
    with pytest.raises(ModelError, match="scores of"):
        NumpyEngine(write_model(tmp_path / "m.tflite", tail.graph()))


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_the_largest_come_first(count: int) -> None:
    """With ties or without, the values fall and no index comes twice."""
    noise = np.random.default_rng(count)
    for steps in (3, 1000):
        values = noise.integers(0, steps, 12).astype(np.float32)
        found = largest(values, count)
        assert values[found].tolist() == sorted(values.tolist(), reverse=True)[:count]
        assert len(set(found)) == count


@needs_runtime
@pytest.mark.data
def test_a_real_tail() -> None:
    """The last layers of a real detector, with any numbers."""
    path = data_file("models/coral_ssd_coco_head_layers_postprocess_only.tflite")
    engine = NumpyEngine(path)
    noise = np.random.default_rng(3)
    for _ in range(5):
        inputs = [noise.integers(0, 256, spec.shape).astype(np.uint8) for spec in engine.inputs]
        theirs = run_reference(path.read_bytes(), inputs)
        for got, wanted in zip(engine.run(*inputs), theirs, strict=True):
            np.testing.assert_array_equal(got, wanted)
