"""`python -m benchmarks.tiles`: what crops of a frame are worth for small objects, and their price.

Pictures of the test data are made small and laid on a large grey one; the truth is what coco_ssd
itself finds in them at their own size. Then a clip with one person at a time, as small, is seen
through the real motion gate; its truth is the time in which someone is in the picture. What is
moving in the still pictures is taken from their truth.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.config.schema import ModelConfig
from edge_agent.frame import Frame
from edge_agent.gates.motion import MotionGate, MotionOptions
from edge_agent.geometry import Box, iou
from edge_agent.preprocess.tiles import TileOptions
from edge_agent.result import Detection
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.opening import open_inference
from edge_agent.runtime.tiling import Tiles, Tiling, Whole
from scripts.real_inputs import DATA

Image = NDArray[np.uint8]
_CANVAS = (1920, 1080)
_PICTURES = (
    "cats_and_dogs.jpg", "coco_000000373353.jpg", "coco_000000038829.jpg",
    "coco_000000574315.jpg", "coral_cat.bmp", "multi_objects.jpg",
)  # fmt: skip
_SHARES = (2, 3, 4, 6)  # a picture is so many times narrower than the canvas
_PLACES = 5
_THRESHOLD = 0.5
_VISITS = ((6.4, 19.2), (22.8, 44.0), (50.8, 69.2), (74.8, 86.0), (93.2, 119.2), (123.6, 135.6))
_RATE = 10.0  # frames a second of the clip
_EDGE = 1.0  # seconds at both ends of a visit in which the person is only partly in the picture
_WAYS: dict[str, Callable[[], Tiling]] = {
    "whole frame": Whole,
    "2x2 and whole": lambda: Tiles(TileOptions((2, 2))),
    "3x3 and whole": lambda: Tiles(TileOptions((3, 3))),
    "4x4 and whole": lambda: Tiles(TileOptions((4, 4))),
    "motion, as 4x4": lambda: Tiles(TileOptions((4, 4), full=False, region="motion")),
}


def main() -> None:
    """Measure and print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tiles", description=__doc__)
    parser.add_argument(
        "--every", type=int, default=10, help="of the clip one frame of so many is inferred"
    )
    every = parser.parse_args().every
    model = DATA / "models" / "coco_ssd_mobilenet_v1_1.0_quant.tflite"
    if not model.exists():
        sys.exit("the test data is not here (EDGE_AGENT_TEST_DATA)")
    inference = open_inference("coco", ModelConfig(file=model))
    _pictures(inference)
    _clip(inference, every)
    inference.close()


def _pictures(inference: Inference) -> None:
    scenes = [(share, *scene) for share in _SHARES for scene in _scenes(inference, share)]
    print(f"pictures on {_CANVAS[0]}x{_CANVAS[1]}: found of the objects (label, IoU 0.5), and")
    print("others, among them true ones that are not found at full size, where ten are the most")
    print(f"{'':<16}" + "".join(f"{'1/' + str(share):>12}" for share in _SHARES) + "    ms p50")
    for way, build in _WAYS.items():
        tiling = build()
        cells, times = [], []
        for share in _SHARES:
            hits = total = others = 0
            for image, truth in ((i, t) for s, i, t in scenes if s == share):
                moving = [box for _, box in truth]
                outcome = tiling.run(inference, image, moving, _THRESHOLD)
                times.append(outcome.preprocess_ms + outcome.infer_ms + outcome.decode_ms)
                found = _detections(outcome.results)
                good = sum(any(_agrees(d, t) for d in found) for t in truth)
                hits, total = hits + good, total + len(truth)
                others += sum(not any(_agrees(d, t) for t in truth) for d in found)
            cells.append(f"{hits / total:>7.2f} {others:>4}")
        print(f"{way:<16}" + "".join(cells) + f"{statistics.median(times):>10.1f}", flush=True)


def _scenes(inference: Inference, share: int) -> Iterator[tuple[Image, list[tuple[str, Box]]]]:
    """Canvases with one small picture each, and what is in it."""
    noise = np.random.default_rng(share)
    for name in _PICTURES:
        picture: Any = cv2.imread(str(DATA / "images" / name))
        results = inference.run(picture, _THRESHOLD).results
        near = [(d.label, d.box) for d in _detections(results)]
        for _ in range(_PLACES if near else 0):
            yield _laid(picture, near, share, noise.random(2))


def _laid(
    picture: Image, near: Sequence[tuple[str, Box]], share: int, place: NDArray[Any]
) -> tuple[Image, list[tuple[str, Box]]]:
    height, width = picture.shape[:2]
    scale = min(_CANVAS[0] / share / width, _CANVAS[1] / share / height)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.full((_CANVAS[1], _CANVAS[0], 3), 128, np.uint8)
    x, y = (round(float(p) * (c - s)) for p, c, s in zip(place, _CANVAS, size, strict=True))
    canvas[y : y + size[1], x : x + size[0]] = small
    corner, part = np.array([x, y] * 2), np.array(size * 2)
    boxes = [(label, (np.array(box) * part + corner) / (_CANVAS * 2)) for label, box in near]
    return canvas, [(label, _as_box(box.tolist())) for label, box in boxes]


def _as_box(sides: list[float]) -> Box:
    x1, y1, x2, y2 = sides
    return x1, y1, x2, y2


def _agrees(found: Detection, truth: tuple[str, Box]) -> bool:
    return found.label == truth[0] and iou(found.box, truth[1]) >= 0.5


def _detections(results: Sequence[Any]) -> list[Detection]:
    return [each for each in results if isinstance(each, Detection)]


def _clip(inference: Inference, every: int) -> None:
    """Share of the frames with a person in which one is found, and of the others."""
    path = DATA / "video" / "one-by-one-person-detection.mp4"
    print("\nclip with one person at a time: frames with a person in which one is found; others")
    plain = _seen(inference, path, every, Whole(), lambda image: image)
    print(f"{'768x432 as it is':<32}{plain}", flush=True)
    for share in (3, 4):
        for way, build in _WAYS.items():
            row = _seen(inference, path, every, build(), partial(_small, share))
            print(f"{f'1/{share} of {_CANVAS[0]}x{_CANVAS[1]}, {way}':<32}{row}", flush=True)


def _small(share: int, image: Image) -> Image:
    return _laid(image, (), share, np.array([0.4, 0.6]))[0]


def _seen(
    inference: Inference, path: Path, every: int, tiling: Tiling, make: Callable[[Image], Image]
) -> str:
    gate = MotionGate(MotionOptions())
    counts: dict[bool, list[bool]] = {True: [], False: []}
    times = []
    for number, image in _frames(path):
        second = number / _RATE
        frame = _frame(make(image), number, second)
        verdict = gate.check(frame, True)
        if number % every:
            continue
        outcome = tiling.run(inference, frame.data, verdict.regions, _THRESHOLD)
        times.append(outcome.preprocess_ms + outcome.infer_ms + outcome.decode_ms)
        state = _truth(second)
        if state is not None:
            people = [d for d in _detections(outcome.results) if d.label == "person"]
            counts[state].append(bool(people))
    inside, outside = (sum(counts[state]) / len(counts[state]) for state in (True, False))
    return f"{inside:>6.2f} {outside:>6.2f} {statistics.median(times):>8.1f} ms p50"


def _truth(second: float) -> bool | None:
    """Whether someone is in the picture; None near the beginning and the end of a visit."""
    for start, end in _VISITS:
        if start + _EDGE <= second <= end - _EDGE:
            return True
        if start - _EDGE < second < end + _EDGE:
            return None
    return False


def _frames(path: Path) -> Iterator[tuple[int, Image]]:
    capture = cv2.VideoCapture(str(path))
    number = 0
    while (read := capture.read())[0]:
        yield number, np.asarray(read[1], np.uint8)
        number += 1
    capture.release()


def _frame(image: Image, number: int, second: float) -> Frame:
    nanoseconds = round(second * 1e9)
    return Frame("clip", number, image, 1.0 + second, nanoseconds, second)


if __name__ == "__main__":
    main()
