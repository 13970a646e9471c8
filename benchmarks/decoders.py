"""`python -m benchmarks.decoders`: what a decoder takes for a frame, NMS included, on one core.

Outputs are synthetic: noise below the threshold everywhere, and thirty objects that five
neighbouring places see each, as real models give them. No model and no test data is needed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.nms import nms
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec

_OBJECTS, _SEEN_BY, _THRESHOLD = 30, 5, 0.3
_STEP, _ZERO = 1 / 200, -100
_NOISE = np.random.default_rng(0)

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A model on paper: its decoder and options, the side of its input, and its outputs."""

    what: str
    task: str
    options: dict[str, Any]
    side: int
    outputs: Sequence[Floats]
    target: str = ""


def main() -> None:
    """Measure all and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoders", description=__doc__)
    parser.add_argument("--runs", type=int, default=300)
    runs = parser.parse_args().runs
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"NumPy {np.__version__}, one core, {runs} runs")
    print(f"{'what':<44} {'found':>6} {'p50 ms':>7} {'p99 ms':>7}   target")
    for case in _cases():
        for dtype in (np.dtype(np.int8), np.dtype(np.float32)):
            _row(f"{case.what}, {dtype.name}", _decoding(case, dtype), runs, case.target)
    for count in (100, 1000):
        boxes, scores = _crowd(count)
        _row(f"NMS alone, {count} boxes", _suppressing(boxes, scores), runs)


def _cases() -> list[Case]:
    """The sizes that people have."""
    v8 = _dense(3549, 4, 80)
    encodings = _NOISE.normal(0.0, 0.1, (1917, 4)).astype(np.float32)
    softmax = _dense(1917, 0, 91)
    return [
        Case("SSD 1917 priors x 91 scores", "ssd_raw", {"activation": "none"}, 300,
             (encodings[None], softmax[None]), "at most 1 ms"),
        Case("YOLOv8 416, 84 x 3549", "yolo", {}, 416, (v8.T[None].copy(),), "at most 3 ms"),
        Case("YOLOv8 416, 3549 x 84", "yolo", {}, 416, (v8[None],), "at most 3 ms"),
        Case("YOLOv8 640, 84 x 8400", "yolo", {}, 640, (_dense(8400, 4, 80).T[None].copy(),)),
        Case("YOLOv5 640, 25200 x 85", "yolo", {}, 640, (_dense(25200, 5, 80)[None],)),
        Case("YOLOX 416, 3549 x 85", "yolox", {}, 416, (_dense(3549, 5, 80)[None],)),
        Case("YOLOv8 416, distributions of 3 grids", "yolo_split", {"activation": "none"}, 416,
             _grids(416), "at most 3 ms"),
        Case("YOLOv8-seg 416, 116 x 3549, 104 x 104 x 32", "yolo_segment", {}, 416,
             _with_masks(v8, 104), "at most 3 ms"),
        Case("CenterNet 320, 80 classes", "centernet", {"activation": "none"}, 320,
             _middles(80, 80)),
        Case("PoseNet 481 x 481, two displacements", "posenet", {"activation": "none"}, 481,
             _bodies(31)),
    ]  # fmt: skip


def _dense(places: int, first: int, classes: int) -> Floats:
    """Boxes (fractions), an objectness where `first` is 5, and scores, of objects and noise."""
    table = np.zeros((places, first + classes), np.float32)
    table[:, first:] = _NOISE.uniform(0.0, 0.2, (places, classes))
    table[:, :first] = _NOISE.uniform(0.05, 0.2, (places, first))
    for number in range(_OBJECTS):
        rows = places * number // _OBJECTS + np.arange(_SEEN_BY)
        centre = _NOISE.uniform(0.2, 0.8, 2)
        if first:
            table[rows, :2] = centre + _NOISE.normal(0.0, 0.005, (_SEEN_BY, 2))
            table[rows, 2:4] = 0.15
        table[rows, first + number % classes] = _NOISE.uniform(0.5, 0.9, _SEEN_BY)
        if first == 5:
            table[rows, 4] = 0.95
    return table


def _grids(side: int) -> tuple[Floats, ...]:
    """Distributions and scores of each grid, an object's places side by side."""
    outputs: list[Floats] = []
    for stride in (8, 16, 32):
        cells = side // stride
        scores = _dense(cells * cells, 0, 80).reshape(1, cells, cells, 80)
        outputs += [_NOISE.normal(0, 0.3, (1, cells, cells, 64)).astype(np.float32), scores]
    return tuple(outputs)


def _middles(side: int, classes: int) -> tuple[Floats, ...]:
    """A heatmap with as many peaks as objects, sizes and offsets."""
    heat = _NOISE.uniform(0.0, 0.2, (1, side, side, classes)).astype(np.float32)
    for number in range(_OBJECTS):
        heat[0, number % side, 2 * number % side, number % classes] = 0.9
    pair = np.full((1, side, side, 2), 0.5, np.float32)
    return heat, 2 * pair, pair


def _bodies(side: int) -> tuple[Floats, ...]:
    """People whose 17 keypoints lie in one cell, each of them sure."""
    heat = _NOISE.uniform(0.0, 0.3, (1, side, side, 17)).astype(np.float32)
    for number in range(_OBJECTS // 3):
        heat[0, 3 * number % side, 7 * number % side] = 0.9
    heads = [_NOISE.uniform(-0.6, 0.6, (1, side, side, n)).astype(np.float32) for n in (34, 32, 32)]
    return (heat, *heads)


def _with_masks(table: Floats, side: int) -> tuple[Floats, Floats]:
    """The same boxes, each with 32 coefficients, and smooth prototypes."""
    coefficients = _NOISE.normal(0.0, 0.2, (len(table), 32))
    coarse = _NOISE.normal(0.0, 0.2, (8, 8, 32)).astype(np.float32)
    prototypes = np.dstack([cv2.resize(coarse[..., k], (side, side)) for k in range(32)])
    whole = np.hstack([table, coefficients]).astype(np.float32)
    return whole.T[None].copy(), prototypes[None].astype(np.float32)


def _decoding(case: Case, dtype: np.dtype[Any]) -> Callable[[], int]:
    """Decode the outputs in that type; gives the number of detections."""
    outputs = [_typed(values, dtype) for values in case.outputs]
    whole = dtype.kind == "i"
    specs = [
        TensorSpec(name, o.shape, dtype, _STEP if whole else None, _ZERO if whole else None)
        for name, o in zip(("boxes", "scores") * 3, outputs, strict=False)
    ]
    picture = TensorSpec("picture", (1, case.side, case.side, 3), np.dtype(np.uint8))
    info = ModelInfo(
        Path("model.tflite"), "", 0, "", (picture,), tuple(specs), (None,) * len(specs), ()
    )
    decoder, _ = choose_decoder(info, None, case.task, case.options)
    mapping = BoxMapping()
    return lambda: len(decoder.decode(outputs, mapping, _THRESHOLD))


def _typed(values: Floats, dtype: np.dtype[Any]) -> NDArray[Any]:
    if dtype.kind == "f":
        return values
    whole: NDArray[Any] = np.clip(np.rint(values / _STEP) + _ZERO, -128, 127).astype(dtype)
    return whole


def _crowd(count: int) -> tuple[Floats, Floats]:
    """Boxes of which about one in five stays."""
    centres = np.repeat(_NOISE.uniform(0.1, 0.9, (-(-count // 5), 2)), 5, axis=0)[:count]
    centres = centres + _NOISE.normal(0.0, 0.002, centres.shape)
    boxes = np.hstack([centres - 0.05, centres + 0.05]).astype(np.float32)
    return boxes, _NOISE.uniform(0.3, 0.9, count).astype(np.float32)


def _suppressing(boxes: Floats, scores: Floats) -> Callable[[], int]:
    return lambda: len(nms(boxes, scores, None, 0.5))


def _row(what: str, work: Callable[[], int], runs: int, target: str = "") -> None:
    found = work()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{what:<44} {found:>6} {p50:>7.2f} {p99:>7.2f}   {target}", flush=True)


if __name__ == "__main__":
    main()
