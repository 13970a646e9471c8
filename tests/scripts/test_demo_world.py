"""The demo's rendered world and the assets made from it."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from scripts.demo_world import CLIP_SEED, LABELS, SIZE, Belt, Part, render_still
from scripts.train_demo_model import describe

ASSETS = Path(__file__).parents[2] / "edge_agent" / "assets"


@pytest.fixture(scope="module")
def belt() -> Belt:
    """The belt of the demo clip."""
    return Belt(CLIP_SEED)


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    """The truth file that comes with the clip."""
    loaded: dict[str, Any] = json.loads((ASSETS / "belt.json").read_text("utf-8"))
    return loaded


def _check_boxes(parts: list[Part]) -> None:
    for part in parts:
        x1, y1, x2, y2 = part.box
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1
        assert 0 < part.visible <= 1
        assert part.label in LABELS


def test_a_still_depends_on_its_seed_only() -> None:
    """The same seed gives the same picture and truth, another seed another picture."""
    image, parts = render_still(np.random.default_rng(3))
    again, same_parts = render_still(np.random.default_rng(3))
    other, _ = render_still(np.random.default_rng(4))
    assert np.array_equal(image, again)
    assert parts == same_parts
    assert not np.array_equal(image, other)


def test_boxes_of_stills_lie_within_the_frame() -> None:
    """Every part of a still has a label and a box that is not empty and not outside."""
    for seed in range(12):
        image, parts = render_still(np.random.default_rng(seed))
        assert image.shape == (SIZE[1], SIZE[0], 3)
        _check_boxes(parts)


def test_a_belt_gives_the_same_frames_each_time(belt: Belt) -> None:
    """Two walks over the same belt, and one over its twin, begin with the same pictures."""
    for first, second, twin in zip(belt, belt, Belt(CLIP_SEED), strict=True):
        assert np.array_equal(first.image, second.image)
        assert np.array_equal(first.image, twin.image)
        assert first.parts == twin.parts
        if first.parts != belt.parts(0):
            break


def test_a_belt_can_have_another_size_and_rate() -> None:
    """A belt at half the size and another rate renders frames of that size."""
    frame = next(iter(Belt(1, size=(320, 180), fps=10)))
    assert frame.image.shape == (180, 320, 3)
    _check_boxes(frame.parts)


def test_every_part_of_the_clip_is_seen_entirely_and_leaves(belt: Belt) -> None:
    """Parts are in view at once, each is wholly visible at some time, none is left at the end."""
    views = [belt.parts(i) for i in range(0, len(belt), 3)]
    best: dict[int, float] = {}
    for view in views:
        _check_boxes(view)
        for part in view:
            best[part.ident] = max(part.visible, best.get(part.ident, 0.0))
    assert len(best) == len(belt.items)
    assert min(best.values()) > 0.98
    assert len(views[0]) >= 5
    assert belt.parts(len(belt) - 1) == []


def test_the_clip_stands_still_once_with_parts_and_once_empty(belt: Belt) -> None:
    """The belt halts for about 3 s with parts in view and for 2 s or more without any."""
    (busy_from, busy_to), (empty_from, empty_to) = belt.still
    assert busy_to - busy_from >= 3
    assert empty_to - empty_from >= 2
    assert belt.parts(round(busy_from * belt.fps)) != []
    assert belt.parts(round(empty_from * belt.fps)) == []


def test_parts_move_slowly_enough_to_be_tracked(belt: Belt) -> None:
    """No step of the belt exceeds a quarter of the longest side of the smallest part."""
    masks = [(item.alpha > 0.5).astype(np.uint8) for item in belt.items]
    sides = [max(cv2.boundingRect(mask)[2:]) for mask in masks]
    assert max(np.diff(belt.shifts)) <= min(sides) / 4


def test_the_truth_file_agrees_with_the_generator(belt: Belt, truth: dict[str, Any]) -> None:
    """The stored truth is what the generator tells today, and its totals count its parts."""
    assert truth == json.loads(json.dumps(describe(belt)))
    assert truth["totals"] == Counter(part["label"] for part in truth["parts"])


def test_the_clip_is_small_and_as_long_as_its_truth(truth: dict[str, Any]) -> None:
    """The clip opens, has the frames, size and rate that its truth names, and is 2 MB or less."""
    path = ASSETS / "belt.mp4"
    assert path.stat().st_size <= 2_000_000
    clip = cv2.VideoCapture(str(path))
    assert clip.get(cv2.CAP_PROP_FRAME_COUNT) == truth["frames"]
    assert clip.get(cv2.CAP_PROP_FPS) == truth["fps"]
    ok, image = clip.read()
    clip.release()
    assert ok
    assert [image.shape[1], image.shape[0]] == truth["size"]


def test_the_clip_shows_the_generators_pictures(belt: Belt) -> None:
    """The first decoded frame differs from the rendered one by coding losses only."""
    clip = cv2.VideoCapture(str(ASSETS / "belt.mp4"))
    image = np.asarray(clip.read()[1], np.float32)
    clip.release()
    assert np.abs(image - next(iter(belt)).image).mean() < 5


def test_the_model_is_small_and_carries_its_labels() -> None:
    """The model is 300 KB or less and the archive at its end holds the label file."""
    path = ASSETS / "belt.tflite"
    assert path.stat().st_size <= 300_000
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labelmap.txt").decode().split() == list(LABELS)
