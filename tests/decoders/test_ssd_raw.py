"""Detections from encoded boxes and their priors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.priors import FAMILIES, load_priors
from edge_agent.decoders.ssd_boxes import BoxForm
from edge_agent.decoders.ssd_raw import SsdRawDecoder, SsdRawOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping, iou
from edge_agent.model import Origin
from tests.decoders.ssd_raw_models import SIZE, ssd_raw_model, tables
from tests.decoders.yolo_models import Truth, assert_found, truths
from tests.support.data import data_file
from tests.support.models import LoadedModel, load_model, make_info, make_spec

_LABELS = ("a", "b", "c")
_CAT = Truth(1, 0.9, (0.25, 0.25, 0.5, 0.75))
_DOG = Truth(2, 0.8, (0.6, 0.1, 0.9, 0.4))


def _of_one_class(name: str, objects: list[Truth]) -> tuple[list[Truth], int]:
    """The objects with the classes that the family has, and the number of these."""
    labels = FAMILIES[name].labels
    if labels is None:
        return objects, len(_LABELS)
    return [dataclasses.replace(each, index=0) for each in objects], len(labels)


@pytest.mark.parametrize("name", FAMILIES)
@given(objects=truths())
@settings(max_examples=15, deadline=None)
def test_finds_what_was_encoded(name: str, objects: list[Truth]) -> None:
    """The objects come out of the encodings of every family as they were put in."""
    objects, classes = _of_one_class(name, objects)
    info, outputs = ssd_raw_model(name, objects, classes)
    options = SsdRawOptions(priors=name)  # type: ignore[arg-type]
    decoder = SsdRawDecoder(info, _LABELS[:classes], options)
    assert_found(decoder.decode(outputs, BoxMapping(), 0.3), objects, box=1e-3, score=1e-3)


@pytest.mark.parametrize("name", ["ssd_mobilenet", "ultraface", "blazeface-back"])
@pytest.mark.parametrize("activated", [False, True])
def test_scores_that_are_probabilities(name: str, activated: bool) -> None:
    """Scores that the model itself makes 0..1 are taken as they are."""
    objects, classes = _of_one_class(name, [_CAT, _DOG])
    info, outputs = ssd_raw_model(name, objects, classes, activated=activated)
    decoder, why = choose_decoder(info, None if classes == 1 else _LABELS)
    assert f"for the priors of {name}: ssd_raw" in why
    assert_found(decoder.decode(outputs, BoxMapping(), 0.3), objects, box=1e-3, score=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["auto", "corners", "centres"])
@pytest.mark.parametrize("side", [1, SIZE])
@given(objects=truths())
@settings(max_examples=15, deadline=None)
def test_boxes_that_the_model_decodes(form: BoxForm, side: int, objects: list[Truth]) -> None:
    """Corners in any unit are known by their order; for a model of no family the form is named."""
    known = form == "auto"
    count = len(FAMILIES["ultraface"].generate((SIZE, SIZE))) if known else 500
    objects = [dataclasses.replace(each, index=0) for each in objects] if known else objects
    boxes = np.sort(np.random.default_rng(0).random((count, 2, 2)), axis=1).reshape(-1, 4)
    scores = np.zeros((count, 2 if known else 3), np.float32)
    for number, each in enumerate(objects):
        boxes[9 * number], scores[9 * number, each.index + known] = each.box, each.score
    if form == "centres":
        boxes = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    outputs = [scores[None], (side * boxes)[None].astype(np.float32)]
    info = make_info(
        [make_spec(o.shape) for o in outputs],
        [Origin("SOFTMAX", 0), None],
        inputs=[make_spec((1, SIZE, SIZE, 3))],
    )
    decoder = SsdRawDecoder(info, None, SsdRawOptions(boxes=form))
    assert_found(decoder.decode(outputs, BoxMapping(), 0.3), objects, box=1e-5)


@pytest.mark.parametrize("background", [False, True])
def test_background(background: bool) -> None:
    """Whether class 0 means nothing is told by the number of labels, or by the option."""
    info, outputs = ssd_raw_model("ssd_mobilenet", [_CAT, _DOG], background=background)
    told = SsdRawOptions(background="first" if background else "none")
    for labels, options in ((_LABELS, SsdRawOptions()), (None, told)):
        decoder = SsdRawDecoder(info, labels, options)
        found = decoder.decode(outputs, BoxMapping(), 0.3)
        assert_found(found, [_CAT, _DOG], box=1e-3, score=1e-3)


def test_labels_with_a_background_row() -> None:
    """A row for the background names the class that means nothing, and is left out with it."""
    info, outputs = ssd_raw_model("ssd_mobilenet", [_CAT])
    decoder = SsdRawDecoder(info, ("background", *_LABELS), SsdRawOptions())
    (found,) = decoder.decode(outputs, BoxMapping(), 0.3)
    assert found.label == "b"


@pytest.mark.parametrize("channels_first", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_pair_of_outputs_for_each_grid(reverse: bool, channels_first: bool) -> None:
    """Grids in any order are read as one row of priors, with the channels behind or in front."""
    objects = [_CAT, _DOG]
    priors = FAMILIES["ssd_mobilenet"].generate((300, 300))
    numbers, scores = tables("ssd_mobilenet", objects, priors)
    outputs, start = [], 0
    for side, shapes in ((19, 3), (10, 6), (5, 6), (3, 6), (2, 6), (1, 6)):
        part = slice(start, start + side * side * shapes)
        start = part.stop
        outputs += [each[part].reshape(1, side, side, -1) for each in (numbers, scores)]
    if channels_first:
        outputs = [np.ascontiguousarray(each.transpose(0, 3, 1, 2)) for each in outputs]
    names = ["box", "cls"] * 6
    if reverse:
        outputs.reverse()
        names.reverse()
    specs = [make_spec(o.shape, name=n) for o, n in zip(outputs, names, strict=True)]
    info = make_info(specs, inputs=[make_spec((1, 300, 300, 3))])
    decoder, _ = choose_decoder(info, _LABELS)
    assert decoder.name == "ssd_raw"
    found = decoder.decode(outputs, BoxMapping(), 0.3)
    assert_found(found, objects, box=1e-3, score=1e-3)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_priors_that_are_given(tmp_path: Path, suffix: str) -> None:
    """Priors of a file take the place of generated ones, coded as the options say."""
    priors = np.random.default_rng(0).uniform(0.1, 0.9, (50, 4)).astype(np.float32)
    path = tmp_path / f"priors{suffix}"
    if suffix == ".npy":
        np.save(path, priors)
    else:
        np.savetxt(path, priors, delimiter=",")
    numbers, scores = tables("ultraface", [_CAT], priors)
    info = make_info(
        [make_spec((1, 50, 4), name="loc"), make_spec((1, 50, 4), name="conf")],
        inputs=[make_spec((1, SIZE, SIZE, 3))],
    )
    named = [
        dataclasses.replace(s, name=n) for s, n in zip(info.outputs, ("loc", "conf"), strict=True)
    ]
    info = dataclasses.replace(info, outputs=tuple(named))
    options = SsdRawOptions(
        priors_file=path, order="xy", variances=(0.1, 0.2), activation="softmax"
    )
    found = SsdRawDecoder(info, _LABELS, options).decode(
        [numbers[None], scores[None]], BoxMapping(), 0.3
    )
    assert_found(found, [_CAT], box=1e-3, score=1e-3)
    wrong = make_info([make_spec((1, 60, 4)), make_spec((1, 60, 3))])
    with pytest.raises(ModelError, match="50 priors for 60 boxes"):
        SsdRawDecoder(wrong, None, options)


@pytest.mark.parametrize("content", [b"", b"1,2,3\n", b"a,b,c,d\n", b"nan,1,1,1\n"])
def test_priors_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    """A file without priors is an error with the form that is wanted."""
    for name in ("priors.csv", "priors.npy"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError) as caught:
            load_priors(tmp_path / name)
        assert "centre x, centre y, width, height" in caught.value.cure
    with pytest.raises(ModelError):
        load_priors(tmp_path / "absent.csv")


def test_quantised() -> None:
    """Only candidates are made real: the result is that of the real numbers."""
    info, outputs = ssd_raw_model("ssd_mobilenet", [_CAT, _DOG])
    steps = (0.08, 0.1)
    whole = [
        np.clip(np.rint(o / step) + 128, 0, 255).astype(np.uint8)
        for o, step in zip(outputs, steps, strict=True)
    ]
    specs = [
        make_spec(o.shape, "uint8", s, 128, n)
        for o, s, n in zip(whole, steps, ("box", "cls"), strict=True)
    ]
    rounded = dataclasses.replace(info, outputs=tuple(specs))
    real = [(w.astype(np.float32) - 128) * np.float32(s) for w, s in zip(whole, steps, strict=True)]
    found = SsdRawDecoder(rounded, _LABELS, SsdRawOptions()).decode(whole, BoxMapping(), 0.3)
    expected = SsdRawDecoder(info, _LABELS, SsdRawOptions()).decode(real, BoxMapping(), 0.3)
    assert [d.index for d in found] == [d.index for d in expected] == [1, 2]
    for one, other in zip(found, expected, strict=True):
        assert one.box == pytest.approx(other.box, abs=1e-5)
        assert one.score == pytest.approx(other.score, abs=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 1.0])
@pytest.mark.parametrize("name", ["ssd_mobilenet", "ultraface"])
def test_ends_of_the_threshold(name: str, threshold: float) -> None:
    """At 0 every prior is a candidate, at 1 none is."""
    info, outputs = ssd_raw_model(name, [_CAT])
    options = SsdRawOptions(priors=name, iou=1.0)  # type: ignore[arg-type]
    found = SsdRawDecoder(info, _LABELS, options).decode(outputs, BoxMapping(), threshold)
    assert len(found) == 0 if threshold else len(found) > 1000


def test_unknown_priors_are_asked_for() -> None:
    """Boxes and scores without known priors are shown raw, and the option is named."""
    info = make_info(
        [make_spec((1, 77, 4)), make_spec((1, 77, 3))], inputs=[make_spec((1, SIZE, SIZE, 3))]
    )
    decoder, why = choose_decoder(info, None)
    assert decoder.name == "raw"
    assert "set task: {name: ssd_raw, priors_file: ...}, or priors, or boxes: corners or" in why
    with pytest.raises(ModelError, match="priors of 77 boxes are not known"):
        choose_decoder(info, None, "ssd_raw")


@pytest.mark.parametrize(
    ("name", "size", "count"),
    [
        ("ssd_mobilenet", (300, 300), 1917),
        ("ssd_mobilenet", (320, 320), 2034),
        ("ultraface", (320, 240), 4420),
        ("efficientdet-lite", (320, 320), 19206),
        ("efficientdet", (512, 512), 49104),
        ("blazeface", (128, 128), 896),
        ("blazeface-back", (256, 256), 896),
        ("blazeface-full", (192, 192), 2304),
        ("blazepalm", (192, 192), 2016),
    ],
)
def test_number_of_priors(name: str, size: tuple[int, int], count: int) -> None:
    """As many as the published models have."""
    assert len(FAMILIES[name].generate(size)) == count


@pytest.mark.parametrize("size", [(320, 320), (448, 448), (512, 512), (640, 640)])
def test_efficientdet_is_told_by_its_input(size: tuple[int, int]) -> None:
    """The lite models up to 448 px have smaller anchors than the others."""
    name = "efficientdet-lite" if size[0] < 512 else "efficientdet"
    count = len(FAMILIES[name].generate(size))
    specs = [make_spec((1, count, 4)), make_spec((1, count, 90))]
    info = make_info(specs, [None, Origin("RESHAPE", 0)], inputs=[make_spec((1, *size, 3))])
    assert f"for the priors of {name}: ssd_raw" in choose_decoder(info, None)[1]


_HEADS = "models/coral_ssd_coco_head_layers_postprocess_only.tflite"


def _anchors(loaded: LoadedModel) -> tuple[NDArray[np.float64], float]:
    """The anchors inside the model as centre x, centre y, width, height, and their step."""
    details = loaded.interpreter.get_tensor_details()
    (anchors,) = (d for d in details if list(d["shape"]) == [1917, 4] and d["name"] == "anchors")
    step, zero = anchors["quantization"]
    real = (loaded.interpreter.get_tensor(anchors["index"]).astype(np.float64) - zero) * step
    return real[:, [1, 0, 3, 2]], step


@pytest.mark.data
def test_priors_of_a_real_model() -> None:
    """The anchors inside a published SSD are those that are generated, within half a step."""
    real, step = _anchors(load_model(data_file(_HEADS)))
    assert np.abs(real - FAMILIES["ssd_mobilenet"].generate((300, 300))).max() < 0.51 * step


@pytest.mark.data
def test_same_as_the_operator(tmp_path: Path) -> None:
    """From its heads a real model's operator makes the same, but for the steps between them."""
    loaded = load_model(data_file(_HEADS))
    noise, heads = np.random.default_rng(1), []
    for number, spec in enumerate(loaded.info.inputs):
        values = noise.integers(100, 156, spec.shape).astype(np.uint8)
        if number >= 6:  # scores: low everywhere but for a class of some priors
            values[:] = 40
            values.reshape(-1, 91)[::197, 1 + number] = 255
        loaded.input(number)[:] = values
        heads.append(values)
    *rows, count = loaded.run()
    boxes, classes, scores = (each[0, : int(count[0])] for each in rows)
    assert 10 < len(scores) < 20  # less than the operator has places for
    np.save(tmp_path / "anchors.npy", _anchors(loaded)[0])
    info = make_info(loaded.info.inputs, inputs=[make_spec((1, 300, 300, 3))])
    options = SsdRawOptions(priors_file=tmp_path / "anchors.npy", iou=0.6, agnostic=True)
    found = SsdRawDecoder(info, None, options).decode(heads, BoxMapping(), 0.3)
    assert [d.index for d in found] == classes.tolist()
    assert [d.score for d in found] == pytest.approx(scores.tolist(), abs=2 / 256)
    for index in set(classes.tolist()):
        theirs = [np.clip(box[[1, 0, 3, 2]], 0, 1) for box in boxes[classes == index]]
        for each in (d for d in found if d.index == index):
            assert max(iou(each.box, tuple(box)) for box in theirs) > 0.9
