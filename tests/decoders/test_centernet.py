"""Objects as peaks of a heatmap, against a version that looks at every place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.decoders.centernet import CenternetDecoder, CenternetOptions
from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.peaks import peaks
from edge_agent.geometry import BoxMapping
from tests.decoders.split_models import quantised
from tests.decoders.yolo_models import CLASSES, HEIGHT, WIDTH
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]
_ROWS, _COLUMNS = HEIGHT // 4, WIDTH // 4
_NAMES = tuple("abc")


def slow_peaks(heat: NDArray[Any], least: float) -> list[tuple[int, int, int]]:
    """Places that no neighbour exceeds; of equal ones the first, row by row."""
    rows, columns, channels = heat.shape
    found = []
    for row, column, channel in np.ndindex(rows, columns, channels):
        own = heat[row, column, channel]
        around = [
            (r, c)
            for r in range(max(0, row - 1), min(rows, row + 2))
            for c in range(max(0, column - 1), min(columns, column + 2))
            if (r, c) != (row, column)
        ]
        above = any(heat[r, c, channel] > own for r, c in around)
        tied = any(heat[r, c, channel] == own for r, c in around if (r, c) < (row, column))
        if own >= least and not above and not tied:
            found.append((row, column, channel))
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3),
    st.integers(2, 9),
)  # fmt: skip
def test_peaks(seed: int, rows: int, columns: int, channels: int, levels: int) -> None:
    """The same places as one by one, with many ties and at every border."""
    heat = np.random.default_rng(seed).integers(0, levels, (rows, columns, channels))
    found = sorted(zip(*(each.tolist() for each in peaks(heat, 1)), strict=True))
    assert found == slow_peaks(heat, 1)


def heads(seed: int) -> tuple[Floats, Floats, Floats]:
    """Logits of a heatmap with a few peaks, sizes and offsets (x first), in cells."""
    noise = np.random.default_rng(seed)
    heat = noise.normal(-6, 1, (_ROWS, _COLUMNS, CLASSES)).astype(np.float32)
    for _ in range(int(noise.integers(0, 9))):
        place = noise.integers(_ROWS), noise.integers(_COLUMNS), noise.integers(CLASSES)
        heat[place] = noise.uniform(0.5, 4)
    sizes = noise.uniform(2, 12, (_ROWS, _COLUMNS, 2)).astype(np.float32)
    offsets = noise.uniform(0, 1, (_ROWS, _COLUMNS, 2)).astype(np.float32)
    return heat, sizes, offsets


def model(
    outputs: Any, order: Any = (0, 1, 2), channels_first: bool = False, names: Any = None
) -> Any:
    """Those heads as outputs, in that order."""
    tables = [np.moveaxis(each, -1, 0) if channels_first else each for each in outputs]
    named = names or ("a", "b", "c")
    values = [np.ascontiguousarray(tables[n][None]) for n in order]
    specs = [make_spec(values[i].shape, name=named[n]) for i, n in enumerate(order)]
    return make_info(specs, inputs=[make_spec((1, HEIGHT, WIDTH, 3))]), values


def wanted(heat: Floats, sizes: Floats, offsets: Floats) -> list[tuple[float, int, Any]]:
    """Score, class and box of each peak by the definition, best first."""
    chances = 1 / (1 + np.exp(-heat.astype(np.float64)))
    found = []
    for row, column, index in slow_peaks(chances, 0.5):
        x, y = column + offsets[row, column, 0], row + offsets[row, column, 1]
        width, height = sizes[row, column]
        box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]) * 4
        box = np.clip(box / (WIDTH, HEIGHT, WIDTH, HEIGHT), 0, 1)
        found.append((chances[row, column, index], index, box))
    return sorted(found, key=lambda each: -each[0])


def assert_same(found: Any, expected: Any, score: float = 1e-5) -> None:
    """The detections are those of the slow way."""
    assert [d.index for d in found] == [index for _, index, _ in expected]
    for detection, (chance, _, box) in zip(found, expected, strict=True):
        assert abs(detection.score - chance) <= score
        assert detection.box == pytest.approx(box, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.permutations(range(3)), st.booleans(), st.booleans(), st.booleans()
)
def test_every_form_is_read(
    seed: int, order: Any, channels_first: bool, probabilities: bool, named: bool
) -> None:
    """Outputs in any order, channels first or last, logits or not, with names or without."""
    heat, sizes, offsets = heads(seed)
    given_heat = (1 / (1 + np.exp(-heat))).astype(np.float32) if probabilities else heat
    names = ("hm", "wh", "reg") if named else None
    info, outputs = model((given_heat, sizes, offsets), order, channels_first, names)
    decoder: Any = choose_decoder(info, _NAMES)[0]
    assert decoder.name == "centernet"
    assert_same(decoder.decode(outputs, BoxMapping(), 0.5), wanted(heat, sizes, offsets))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("seed", range(3))
def test_whole_numbers(dtype: str, seed: int) -> None:
    """Quantised heads mean what their real numbers do."""
    info, outputs, real = quantised(model(heads(seed)), dtype)
    decoder: Any = choose_decoder(info, _NAMES)[0]
    heat, sizes, offsets = (each[0] for each in real)
    found = decoder.decode(outputs, BoxMapping(), 0.5)
    assert len(found) == len(wanted(heat, sizes, offsets))
    assert [d.score for d in found] == pytest.approx(
        [chance for chance, _, _ in wanted(heat, sizes, offsets)], abs=1e-5
    )


def test_the_other_order() -> None:
    """TensorFlow's models have y before x, which the option says."""
    heat, sizes, offsets = heads(4)
    info, outputs = model((heat, sizes[..., ::-1].copy(), offsets[..., ::-1].copy()))
    decoder = CenternetDecoder(info, _NAMES, CenternetOptions(order="yx"))
    assert_same(decoder.decode(outputs, BoxMapping(), 0.5), wanted(heat, sizes, offsets))


def test_boxes_that_cover_each_other_stay() -> None:
    """There is no NMS, unless the option says so."""
    heat = np.full((_ROWS, _COLUMNS, CLASSES), -9, np.float32)
    heat[5, 5, 1], heat[5, 7, 1] = 3, 2
    sizes = np.full((_ROWS, _COLUMNS, 2), 8, np.float32)
    info, outputs = model((heat, sizes, np.zeros_like(sizes)))
    counts = [
        len(
            CenternetDecoder(info, _NAMES, CenternetOptions(iou=iou)).decode(
                outputs, BoxMapping(), 0.5
            )
        )
        for iou in (1.0, 0.3)
    ]
    assert counts == [2, 1]


def test_two_classes_need_names() -> None:
    """Three outputs of two channels are told apart by their names alone."""
    heat, sizes, offsets = heads(1)
    two = np.ascontiguousarray(heat[..., :2])
    info, _ = model((two, sizes, offsets), names=("hm", "wh", "reg"))
    assert choose_decoder(info, ("a", "b"))[0].name == "centernet"
    info, _ = model((two, sizes, offsets))
    assert choose_decoder(info, ("a", "b"))[0].name == "raw"
