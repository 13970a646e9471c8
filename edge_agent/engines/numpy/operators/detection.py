"""TFLite_Detection_PostProcess: boxes from anchors, then non-maximum suppression.

Source: tensorflow/lite/kernels/detection_postprocess.cc of TFLite 2.14, in its order of operations
and with its order of equal scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.operators.partial_sort import largest
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor
from edge_agent.errors import InferenceError

Floats = NDArray[np.float32]

_DETECTIONS_PER_CLASS = 100  # kNumDetectionsPerClass
_BLOCK = 128  # boxes that are compared at a time
_FEW = 16  # columns
_FIRST = 512  # boxes that are sorted before all others


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator's FlexBuffer says."""

    detections: int
    classes_per_detection: int
    detections_per_class: int
    classes: int
    score: np.float32
    overlap: np.float32
    scales: tuple[float, float, float, float]
    by_class: bool

    @classmethod
    def of(cls, operator: Operator) -> Options:
        """From the operator."""
        given = operator.options

        def number(name: str, default: float = 0) -> Any:
            value = given.get(name, default)
            if not isinstance(value, int | float):
                raise Unsupported(f"option {name} is {value!r}")
            return value

        options = cls(
            int(number("max_detections")),
            int(number("max_classes_per_detection")),
            int(number("detections_per_class", _DETECTIONS_PER_CLASS)),
            int(number("num_classes")),
            np.float32(number("nms_score_threshold")),
            np.float32(number("nms_iou_threshold")),
            tuple(float(np.float32(number(f"{side}_scale"))) for side in "yxhw"),  # type: ignore[arg-type]
            bool(number("use_regular_nms")),
        )
        options.check()
        return options

    def check(self) -> None:
        """Refuse what TFLite refuses."""
        if not 0 < self.overlap <= 1:
            raise Unsupported(f"nms_iou_threshold {self.overlap}")
        if self.detections < 1 or self.classes < 1 or 0.0 in self.scales:
            raise Unsupported("no detections, no classes or a scale of 0")
        few = self.detections_per_class if self.by_class else self.classes_per_detection
        if few < 1:
            raise Unsupported(f"{few} detections or classes at most")


def plan_detection(operator: Operator, plan: Plan) -> None:
    """Decode, then suppress: in two calls, since both work on whole arrays."""
    encodings, predictions, anchors = (plan.input(operator, place) for place in range(3))
    options = Options.of(operator)
    count = encodings.shape[1]
    offset = predictions.shape[2] - options.classes
    if anchors.shape != (count, 4) or predictions.shape[:2] != (1, count) or offset not in (0, 1):
        raise Unsupported(f"anchors of shape {anchors.shape}, scores of {predictions.shape}")
    if encodings.shape[0] != 1 or encodings.shape[2] < 4:
        raise Unsupported(f"boxes of shape {encodings.shape}")
    boxes = np.zeros((4, count), np.float32)
    decode = _decoder(plan, encodings, anchors, options, boxes)
    plan.call(decode)
    scores = _real(plan, predictions)[0, :, offset:]
    outputs = [plan.array(plan.output(operator, place)) for place in range(4)]
    slots = options.detections * (1 if options.by_class else options.classes_per_detection)
    if outputs[0].shape[1] < slots:
        raise Unsupported(f"{outputs[0].shape[1]} places for {slots} detections")
    find = _by_class if options.by_class else _fast
    plan.call(_detect, find, boxes, scores, options, outputs)


def _real(plan: Plan, tensor: Tensor) -> Array:
    """Real numbers of a tensor, in float32."""
    source = plan.array(tensor)
    if tensor.dtype == np.float32:
        return source
    if tensor.dtype != np.uint8 or not tensor.is_quantized:
        raise Unsupported(f"an input of {tensor.dtype}")
    real: Array = np.zeros(tensor.shape, np.float32)
    plan.call(np.multiply, source, tensor.step, real)
    return real


def _decoder(
    plan: Plan, encodings: Tensor, anchors: Tensor, options: Options, boxes: Floats
) -> Callable[[], None]:
    """DecodeCenterSizeBoxes: in float64, each centre and half side rounded to float32."""
    if encodings.dtype != anchors.dtype:
        raise Unsupported(f"boxes of {encodings.dtype} with anchors of {anchors.dtype}")
    source = _real(plan, encodings)[0]
    places = _real(plan, anchors)
    scales = np.array(options.scales).reshape(4, 1)
    wide, anchor = np.zeros((4, len(places))), np.zeros((4, len(places)))
    centre, half = np.zeros((2, 2, len(places)), np.float32)
    table = _exponentials(encodings, options) if encodings.is_quantized else None

    def decode() -> None:
        wide[...] = source[:, :4].T
        anchor[...] = places.T
        np.divide(wide, scales, out=wide)
        if table is None:
            np.exp(wide[2:], out=wide[2:])
        else:
            wide[2:] = table(plan.array(encodings)[0])
        np.multiply(wide[:2], anchor[2:], out=wide[:2])
        np.add(wide[:2], anchor[:2], out=centre, casting="same_kind")
        np.multiply(wide[2:], 0.5, out=wide[2:])
        np.multiply(wide[2:], anchor[2:], out=half, casting="same_kind")
        np.subtract(centre, half, out=boxes[:2])
        np.add(centre, half, out=boxes[2:])

    return decode


def _exponentials(encodings: Tensor, options: Options) -> Callable[[Array], Array]:
    """Exponentials of the scaled height and width for each of the 256 numbers, by the C library."""
    low, high = encodings.limits
    real = [float(np.float32(q) * encodings.step) for q in range(low, high + 1)]
    tables = np.array([[math.exp(value / scale) for value in real] for scale in options.scales[2:]])

    def look_up(numbers: Array) -> Array:
        index = (numbers[:, 2:4].T - low).astype(np.intp)
        return np.take_along_axis(tables, index, 1)

    return look_up


def _detect(
    find: Callable[..., list[tuple[int, int]]],
    boxes: Floats,
    scores: Floats,
    options: Options,
    outputs: list[Array],
) -> None:
    """Boxes, classes, scores and their number; zeros in the places that are left."""
    if (boxes[:2] > boxes[2:]).any():
        raise InferenceError("a detected box ends before it begins: an anchor has a negative side")
    found = find(boxes, scores, options)
    for output in outputs:
        output.fill(0)
    step = 1 if options.by_class else options.classes_per_detection
    width = 1 if options.by_class else min(step, options.classes)
    for number, (anchor, kind) in enumerate(found):
        place = number // width * step + number % width
        outputs[0][0, place] = boxes[:, anchor]
        outputs[1][0, place] = kind
        outputs[2][0, place] = scores[anchor, kind]
    outputs[3][...] = len(found) // width


def _fast(boxes: Floats, scores: Floats, options: Options) -> list[tuple[int, int]]:
    """Each anchor with its best classes; NonMaxSuppressionMultiClassFastHelper."""
    width = min(options.classes_per_detection, options.classes)
    chosen = _suppress(boxes, _highest(scores), options, options.detections)
    return [(anchor, kind) for anchor in chosen for kind in largest(scores[anchor], width)]


def _highest(scores: Floats) -> Floats:
    """The highest score of each anchor; column by column, which is faster while they are few."""
    if scores.shape[1] > _FEW:
        highest: Floats = scores.max(axis=1)
        return highest
    highest = scores[:, 0].copy()
    for column in scores.T[1:]:
        np.maximum(highest, column, out=highest)
    return highest


def _by_class(boxes: Floats, scores: Floats, options: Options) -> list[tuple[int, int]]:
    """Each class by itself, the best of all kept; NonMaxSuppressionMultiClassRegularHelper.

    Of equal scores those of the later class come first: InplaceMergeBoxInfo compares with >=.
    """
    kept: list[tuple[int, int]] = []
    ranked = np.empty(0, np.float32)
    for kind in range(options.classes):
        values = scores[:, kind]
        chosen = _suppress(boxes, values, options, options.detections_per_class)
        if not chosen:
            continue
        kept = [(anchor, kind) for anchor in chosen] + kept
        ranked = np.concatenate((values[chosen], ranked))
        order = np.argsort(-ranked, kind="stable")[: options.detections]
        kept, ranked = [kept[i] for i in order], ranked[order]
    return kept


def _suppress(boxes: Floats, values: Floats, options: Options, most: int) -> list[int]:
    """The best anchors that do not overlap too much: NonMaxSuppressionSingleClassHelper.

    Block by block, since most of the time the first few hundred anchors are enough.
    """
    chosen: list[int] = []
    for block in _best_first(values, np.flatnonzero(values >= options.score)):
        order, left = block, boxes[:, block]
        if chosen:
            over = _overlap(boxes[:, chosen, None], left[:, None, :], options.overlap)
            apart = ~over.any(axis=0)
            order, left = order[apart], left[:, apart]
        while order.size:
            chosen.append(int(order[0]))
            if len(chosen) == most:
                return chosen
            apart = ~_overlap(left[:, :1], left[:, 1:], options.overlap)
            order, left = order[1:][apart], left[:, 1:][:, apart]
    return chosen


def _best_first(values: Floats, kept: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Indices by falling value, equal ones in their order, in blocks."""
    if kept.size > 4 * _FIRST:
        limit = np.partition(values[kept], -_FIRST)[-_FIRST]
        is_high = values[kept] >= limit
        yield from _best_first_of_all(values, kept[is_high])
        kept = kept[~is_high]
    yield from _best_first_of_all(values, kept)


def _best_first_of_all(values: Floats, kept: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    order = kept[np.argsort(-values[kept], kind="stable")]
    return (order[first : first + _BLOCK] for first in range(0, len(order), _BLOCK))


def _overlap(one: Floats, other: Floats, limit: np.float32) -> NDArray[np.bool_]:
    """Whether boxes overlap by more than the limit; none does without an area."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    np.maximum(sides, np.float32(0), out=sides)
    shared = sides[0] * sides[1]
    area, other_area = _area(one), _area(other)
    with np.errstate(divide="ignore", invalid="ignore"):
        over: NDArray[np.bool_] = shared / ((area + other_area) - shared) > limit
    over &= (area > 0) & (other_area > 0)
    return over


def _area(boxes: Floats) -> Floats:
    area: Floats = (boxes[2] - boxes[0]) * (boxes[3] - boxes[1])
    return area


PLANNERS = {"TFLite_Detection_PostProcess": plan_detection}
