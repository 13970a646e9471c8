"""YOLO models whose boxes and scores come apart, in the forms that exporters have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.yolo_split import YoloSplitDecoder, YoloSplitOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import Origin
from tests.decoders.split_models import (
    FORMS,
    Heads,
    decoded_model,
    quantised,
    slow_boxes,
    slow_nms,
    split_model,
)
from tests.decoders.yolo_models import CLASSES, HEIGHT, WIDTH
from tests.support.models import make_info, make_spec

_NAMES = tuple("abc")
_THRESHOLD = 0.5


def decode(info: Any, outputs: Any, mapping: BoxMapping | None = None, **options: Any) -> Any:
    """What a model on paper gives."""
    decoder = YoloSplitDecoder(info, _NAMES, YoloSplitOptions(**options))
    return decoder.decode(outputs, mapping or BoxMapping(), _THRESHOLD)


def assert_same(found: Any, wanted: Any, box: float = 1e-4, score: float = 1e-5) -> None:
    """The detections are those of the slow way, clipped to the picture, best first."""
    assert [d.index for d in found] == [index for _, index, _ in wanted]
    for detection, (chance, _, sides) in zip(found, wanted, strict=True):
        assert abs(detection.score - chance) <= score
        assert np.abs(np.clip(sides, 0, 1) - detection.box).max() <= box


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(FORMS),
    st.booleans(),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_every_form_is_read(
    seed: int, form: str, channels_first: bool, probabilities: bool, shuffle: Any
) -> None:
    """Boxes, scores and classes as worked out cell by cell, in any order of the outputs."""
    heads = Heads.random(seed)
    count = {"sums": 9, "joined grids": 3, "whole": 2, "joined whole": 1}.get(form, 6)
    order = shuffle.sample(range(count), count)
    info, outputs = split_model(heads, form, channels_first, probabilities, order)
    activation = "none" if probabilities and "joined" in form else "auto"
    assert_same(
        decode(info, outputs, activation=activation), slow_nms(slow_boxes(heads), _THRESHOLD)
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
@pytest.mark.parametrize("probabilities", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_whole_numbers(dtype: str, probabilities: bool, seed: int) -> None:
    """Quantised outputs mean what their real numbers do, logits and probabilities alike."""
    model = split_model(Heads.random(seed), "grids", probabilities=probabilities)
    info, outputs, real = quantised(model, dtype)
    boxes, scores = [each[0] for each in real[::2]], [each[0] for each in real[1::2]]
    if probabilities:
        scores = [np.log(np.maximum(each, 1e-9) / np.maximum(1 - each, 1e-9)) for each in scores]
    found = decode(info, outputs)
    wanted = slow_nms(slow_boxes(Heads(boxes, scores)), _THRESHOLD)
    # Of equal scores either box may stay, so that only scores and classes are compared then.
    assert [d.index for d in found] == pytest.approx([index for _, index, _ in wanted])
    assert [d.score for d in found] == pytest.approx([s for s, _, _ in wanted], abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000), st.sampled_from(["corners", "centres"]), st.booleans(), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_boxes_that_the_model_made(
    seed: int, form: str, pixels: bool, best: bool, channels_first: bool
) -> None:
    """Corners or centres, in pixels or fractions, are told from the numbers."""
    cells = slow_boxes(Heads.random(seed))
    info, outputs = decoded_model(cells, form, pixels, best, channels_first)
    assert_same(decode(info, outputs), slow_nms(cells, _THRESHOLD))


def test_the_letterbox_is_taken_off() -> None:
    """As everywhere."""
    heads = Heads.random(3)
    mapping = BoxMapping.for_placement((WIDTH, HEIGHT), (0.0, 12.0, WIDTH, 72.0))
    plain = decode(*split_model(heads, "grids"))
    mapped = decode(*split_model(heads, "grids"), mapping)
    assert len(plain) > 2
    for each in mapped:
        assert any(each.box == pytest.approx(mapping.box(old.box), abs=1e-5) for old in plain)


@pytest.mark.parametrize("channels_first", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_recognised_by_shapes(form: str, channels_first: bool) -> None:
    """With the labels, or with COCO's number of classes, and said in words."""
    info, _ = split_model(Heads.random(0), form, channels_first)
    decoder, why = choose_decoder(info, _NAMES)
    assert (decoder.name, "sides as distributions" in why) == ("yolo_split", True)
    info, _ = split_model(Heads.random(0, 80), form, channels_first)
    decoder, why = choose_decoder(info, None)
    assert (decoder.name, "80 class scores" in why) == ("yolo_split", True)


def test_eighty_of_everything() -> None:
    """At 640 px the scores of 80 classes on the 80 x 80 grid may lie either way: boxes tell."""
    shapes = [(1, 640 // s, 640 // s, c) for s in (8, 16, 32) for c in (80, 64)]
    for axes in ((0, 1, 2, 3), (0, 3, 1, 2)):
        outputs = [make_spec(tuple(shape[axis] for axis in axes)) for shape in shapes]
        info = make_info(outputs, inputs=[make_spec((1, 640, 640, 3))])
        assert choose_decoder(info, None)[0].name == "yolo_split"


def test_not_sure() -> None:
    """Four numbers for each grid may be distances or YOLOX's offsets; the option settles it."""
    outputs = [make_spec((1, HEIGHT // s, WIDTH // s, c)) for s in (8, 16, 32) for c in (4, 3)]
    info = make_info(outputs, inputs=[make_spec((1, HEIGHT, WIDTH, 3))], labels=_NAMES)
    decoder, why = choose_decoder(info, None)
    assert (decoder.name, "set task: yolo_split if" in why) == ("raw", True)
    assert choose_decoder(info, _NAMES, "yolo_split")[0].name == "yolo_split"


def test_distances() -> None:
    """Sides of whole strides from the middle of their cell, when the task is named."""
    tables = [
        np.zeros((HEIGHT // s, WIDTH // s, c), np.float32)
        for s in (8, 16, 32)
        for c in (4, CLASSES)
    ]
    tables[2][2, 3], tables[3][2, 3, 1] = (1, 0.5, 2, 1), 0.9
    outputs = [each[None] for each in tables]
    info = make_info(
        [make_spec(o.shape) for o in outputs], inputs=[make_spec((1, HEIGHT, WIDTH, 3))]
    )
    (found,) = decode(info, outputs)
    sides = np.array(found.box) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    assert sides == pytest.approx((56 - 16, 40 - 8, 56 + 32, 40 + 16), abs=1e-3)


def test_best_classes_by_their_names() -> None:
    """Boxes of all cells with score and class of the best are no SSD, however they are named."""
    cells = slow_boxes(Heads.random(5))
    info, outputs = decoded_model(cells, "corners", pixels=True, best=True)
    decoder: Any
    decoder, why = choose_decoder(info, _NAMES)
    assert (decoder.name, "the best class of 315 places" in why) == ("yolo_split", True)
    assert_same(decoder.decode(outputs, BoxMapping(), _THRESHOLD), slow_nms(cells, _THRESHOLD))


@pytest.mark.parametrize("scores", ["cls_scores", "tensor"])
def test_four_classes(scores: str) -> None:
    """Boxes and scores of four numbers each are told apart by a name or by the operator."""
    outputs = [make_spec((1, 315, 4), name=scores), make_spec((1, 315, 4))]
    origins = [Origin("LOGISTIC", 0), Origin("CONCATENATION", 0)] if scores == "tensor" else None
    info = make_info(outputs, origins, inputs=[make_spec((1, HEIGHT, WIDTH, 3))])
    decoder: Any = choose_decoder(info, ("a", "b", "c", "d"))[0]
    assert decoder.name == "yolo_split"
    values = [np.zeros((1, 315, 4), np.float32) for _ in outputs]
    values[1][:] = (0.25, 0.25, 0.5, 0.75)
    values[0][0, 3, 2] = 0.9
    (found,) = decoder.decode(values, BoxMapping(), _THRESHOLD)
    assert (found.label, found.box) == ("c", (0.25, 0.25, 0.5, 0.75))


def test_wrong_labels() -> None:
    """A number of labels that no reading fits is told."""
    info, _ = split_model(Heads.random(0), "grids")
    with pytest.raises(ModelError, match="2 labels do not fit a model with 3 classes"):
        choose_decoder(info, ("a", "b"))


def test_joined_without_labels() -> None:
    """The number of classes is open, so the option is named."""
    info, _ = split_model(Heads.random(0), "joined grids")
    decoder, why = choose_decoder(info, None)
    assert (decoder.name, "set task: yolo_split" in why) == ("raw", True)
