"""What holds for every registered decoder."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.decoders import DECODERS
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, Origin
from edge_agent.options import Options
from edge_agent.result import ClassArea, ClassScore, Detection, Kind, RawOutput, Result
from tests.decoders.head_models import (
    fastestdet_model,
    nanodet_model,
    nxp_face_model,
    yolox_model,
)
from tests.decoders.segment_models import segment_model
from tests.decoders.split_models import decoded_model
from tests.decoders.ssd_models import ssd_info, ssd_values
from tests.decoders.ssd_raw_models import ssd_raw_model
from tests.decoders.test_posenet import one_person as posenet_model
from tests.decoders.yolo_models import Truth, pose_model, yolo_model
from tests.support.models import make_info, make_spec

_VECTOR = make_info([make_spec((1, 3))], [Origin("SOFTMAX", 0)])
_LISTENER = dataclasses.replace(
    make_info([make_spec((1, 1))], [Origin("LOGISTIC", 0)]), operators=("VAR_HANDLE", "LOGISTIC")
)
_GRID = make_info([make_spec((1, 14, 14, 6), "int8", 0.1, 3)])
_TRUTH = Truth(0, 0.9, (0.25, 0.25, 0.5, 0.75))


def _with_labels(info: ModelInfo, outputs: list[Any]) -> tuple[ModelInfo, list[Any]]:
    return dataclasses.replace(info, labels=("a", "b", "c")), outputs


def _body() -> Any:
    """A person whose keypoints lie on a line, all sure."""
    return np.linspace((0.1, 0.2, 0.9), (0.9, 0.4, 0.9), 17, dtype=np.float32)[None, None]


def _middle() -> list[Any]:
    """An object in the middle of a grid of 8 x 8."""
    heat = np.zeros((1, 8, 8, 1), np.float32)
    heat[0, 4, 4] = 0.9
    pair = np.ones((1, 8, 8, 2), np.float32)
    return [heat, 3 * pair, 0.5 * pair]


_FITTING: dict[str, tuple[ModelInfo, list[Any]]] = {
    "ssd": (ssd_info(), ssd_values([(0.9, 0, (0.0, 0.0, 0.5, 0.5))])),
    "ssd_raw": ssd_raw_model("ultraface", [Truth(0, 0.9, _TRUTH.box)], classes=1),
    "yolo_pose": pose_model([_TRUTH]),
    "yolo_segment": segment_model(
        "v8", [_TRUTH], np.ones((24, 40, 2), np.float32), np.ones((1, 2), np.float32)
    ),
    "yolo": yolo_model("v8", [Truth(0, 0.9, (0.0, 0.0, 0.5, 0.5))]),
    "yolo_split": decoded_model(
        [(0.9 if n == 7 else 0.0, 0, _TRUTH.box) for n in range(315)], "corners", pixels=False
    ),
    "yolo_anchors": nxp_face_model(_TRUTH),
    "yolox": _with_labels(*yolox_model([_TRUTH])),
    "nanodet": _with_labels(*nanodet_model([_TRUTH])),
    "fastestdet": fastestdet_model([_TRUTH]),
    "centernet": (
        make_info(
            [make_spec((1, 8, 8, count)) for count in (1, 2, 2)], inputs=[make_spec((1, 32, 32, 3))]
        ),
        _middle(),
    ),
    "posenet": posenet_model(),
    "movenet": (make_info([make_spec((1, 1, 17, 3))]), [_body()]),
    "segmentation": (
        make_info([make_spec((1, 8, 8, 2))], inputs=[make_spec((1, 8, 8, 3))], labels=("a", "b")),
        [np.stack([np.ones((1, 8, 8)), np.zeros((1, 8, 8))], axis=-1).astype(np.float32)],
    ),
    "embedding": (
        make_info([make_spec((1, 3))], [Origin("L2_NORMALIZATION", 0)]),
        [np.array([[0.6, 0.0, 0.8]], np.float32)],
    ),
    "keyword": (_LISTENER, [np.array([[0.7]], np.float32)]),
    "classification": (_VECTOR, [np.array([[0.1, 0.7, 0.2]], np.float32)]),
    "raw": (_GRID, [np.zeros((1, 14, 14, 6), np.int8)]),
}
_RESULTS: dict[Kind, type[Result]] = {
    "object": Detection,
    "keypoints": Detection,
    "segmentation": ClassArea,
    "class": ClassScore,
    "keyword": ClassScore,
    "raw": RawOutput,
}


def _build(kind: str, info: ModelInfo) -> Any:
    decoder: Any = DECODERS.load(kind)
    return decoder(info, None, decoder.Options())


@pytest.mark.parametrize("kind", DECODERS.names())
def test_gives_results_of_its_kind(kind: str) -> None:
    """A decoder is called as it is registered, and its results are of the kind that it says."""
    info, outputs = _FITTING[kind]
    decoder = _build(kind, info)
    assert decoder.name == kind
    assert decoder.kind in get_args(Kind)
    assert decoder.note == ""
    (result,) = decoder.decode(outputs, BoxMapping(), 0.5)
    assert type(result) is _RESULTS[decoder.kind]


@pytest.mark.parametrize("kind", DECODERS.names())
def test_options_have_a_schema(kind: str) -> None:
    """Options are frozen, have defaults, and each has a help text in the schema."""
    options: Any = DECODERS.load(kind).Options
    assert issubclass(options, Options)
    assert hash(options()) == hash(options())
    pydantic = pytest.importorskip("pydantic")
    schema = pydantic.TypeAdapter(options).json_schema()["properties"]
    assert set(schema) == {field.name for field in dataclasses.fields(options)}
    for name, field in schema.items():
        assert field.get("description"), name


@pytest.mark.parametrize("kind", [name for name in DECODERS.names() if name != "raw"])
@pytest.mark.parametrize("info", [_GRID, make_info([])], ids=["grid", "no outputs"])
def test_model_that_does_not_fit(kind: str, info: ModelInfo) -> None:
    """A decoder does not match a model that is not its own; told to take it, it says the cure."""
    assert DECODERS.load(kind).match(info) is None
    with pytest.raises(ModelError) as caught:
        _build(kind, info)
    assert "task: raw" in caught.value.cure


@pytest.mark.parametrize("kind", DECODERS.names())
def test_match_says_why(kind: str) -> None:
    """A decoder that fits says why in one line."""
    why = DECODERS.load(kind).match(_FITTING[kind][0])
    assert why
    assert "\n" not in why


@pytest.mark.parametrize("kind", DECODERS.names())
def test_results_outlive_the_outputs(kind: str) -> None:
    """What a decoder gave does not change when the engine writes over its tensors."""
    info, outputs = _FITTING[kind]
    outputs = [values.copy() for values in outputs]
    (result,) = _build(kind, info).decode(outputs, BoxMapping(), 0.5)
    before = repr(result)
    for values in outputs:
        values[:] = 1
    assert repr(result) == before


_EXTREMES = np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-40, 0.0, 0.5, 1.0, 300.0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [name for name in DECODERS.names() if name != "raw"])
@given(seed=st.integers(0, 2**32), threshold=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=8, deadline=None)
def test_any_numbers(kind: str, seed: int, threshold: float) -> None:
    """Whatever a model gives, nothing is raised or warned of, and what is told makes sense."""
    info, outputs = _FITTING[kind]
    noise = np.random.default_rng(seed)
    wild = [noise.choice(_EXTREMES, values.shape).astype(values.dtype) for values in outputs]
    found = _build(kind, info).decode(wild, BoxMapping(), threshold)
    scores = [result.score for result in found if not isinstance(result, RawOutput)]
    assert scores == sorted(scores, reverse=True)
    assert all(threshold <= score < np.inf for score in scores)
    for x1, y1, x2, y2 in (result.box for result in found if isinstance(result, Detection)):
        assert 0.0 <= x1 < x2 <= 1.0
        assert 0.0 <= y1 < y2 <= 1.0


def test_raw_gives_real_numbers() -> None:
    """Quantised outputs become real numbers; whole numbers that mean themselves stay so."""
    specs = [make_spec((2,), "int8", 0.5, 2, "scores"), make_spec((2,), "int64", name="classes")]
    outputs = [np.array([4, 0], np.int8), np.array([7, 2**40], np.int64)]
    scores, classes = _build("raw", make_info(specs)).decode(outputs, BoxMapping(), 1.0)
    assert (scores.name, scores.values.tolist()) == ("scores", [1.0, -1.0])
    assert (classes.name, classes.values.tolist()) == ("classes", [7, 2**40])
    assert classes.values.dtype == np.int64
