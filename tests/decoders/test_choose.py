"""Which decoder a model gets, and why."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import edge_agent.decoders.choose as room
from edge_agent.decoders import DECODERS
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import ModelError
from edge_agent.model import ModelInfo, Origin
from edge_agent.registry import Registry
from tests.decoders.ssd_models import WAYS, ssd_info
from tests.support.data import data_file
from tests.support.models import make_info, make_spec

_LOGITS = make_info([make_spec((1, 3))], [Origin("FULLY_CONNECTED", 0)])
_OPERATOR = "output 0 comes from TFLite_Detection_PostProcess"


class BrokenDecoder:
    """A plug-in that cannot even say whether it fits."""

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """Fail."""
        raise RuntimeError("nobody expected this")


@pytest.mark.parametrize("way", WAYS)
def test_ssd_by_itself(way: str) -> None:
    """An SSD model is known by its operator, its names or its shapes."""
    decoder, why = choose_decoder(ssd_info(way=way), None)
    assert decoder.name == "ssd"
    assert why.endswith(": ssd")
    assert {"origin": "comes from", "content": "shapes"}.get(way, "named as") in why


def test_labels_decide_over_a_vector() -> None:
    """A vector without a softmax is class scores only where there is a label for each number."""
    assert choose_decoder(_LOGITS, None)[0].name == "raw"
    decoder, why = choose_decoder(_LOGITS, ("a", "b", "c"))
    assert (decoder.name, why) == (
        "classification",
        "output 0 has 3 values, one for each label: classification",
    )
    assert choose_decoder(_LOGITS, ("a", "b"))[0].name == "raw"


def test_single_number_is_raw_whatever_the_labels() -> None:
    """One number that is no probability is a reading, even with one label."""
    info = make_info([make_spec((1, 1))], [Origin("FULLY_CONNECTED", 0)])
    assert choose_decoder(info, ("value",))[0].name == "raw"


def test_raw_is_last_and_says_what_was_tried() -> None:
    """A model that nothing else fits gets the raw numbers, and the others are named."""
    decoder, why = choose_decoder(make_info([make_spec((1, 9, 9))]), None, "auto")
    assert decoder.name == "raw"
    tried = ", ".join(name for name in DECODERS.names() if name != "raw")
    assert why == f"no other decoder ({tried}) fits the outputs: raw"


def test_task_is_obeyed() -> None:
    """A decoder that is named is taken without asking, and its options with it."""
    decoder, why = choose_decoder(_LOGITS, None, "classification", {"top": 2})
    assert (decoder.name, why) == ("classification", "as the task says: classification")
    assert choose_decoder(ssd_info(), None, "raw")[0].name == "raw"


def test_note_is_told() -> None:
    """What the decoder decided on its own is part of the reason."""
    _, why = choose_decoder(_LOGITS, ("background", "a", "b", "c"))
    assert why.endswith("; the first label 'background' is left out: the model has no such class")


def test_unknown_task_lists_the_known() -> None:
    """A name that is no decoder is an error with the likely one and the cure."""
    with pytest.raises(ModelError, match=r"'sdd' is not known \(did you mean 'ssd'") as caught:
        choose_decoder(_LOGITS, None, "sdd")
    assert "auto" in caught.value.cure


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("classification", r"'topp' is not known \(did you mean 'top'\? known: top, activation"),
        ("raw", r"'topp' is not known \(known: none\)"),
    ],
)
def test_unknown_option_lists_the_known(task: str, said: str) -> None:
    """An option that the decoder has not is an error that lists those it has."""
    with pytest.raises(ValueError, match=said):
        choose_decoder(_LOGITS, None, task, {"topp": 2})


def test_model_or_labels_that_do_not_fit() -> None:
    """A named decoder still checks the model and its labels."""
    with pytest.raises(ModelError, match="needs one output"):
        choose_decoder(ssd_info(), None, "classification")
    with pytest.raises(ModelError, match="2 labels do not fit"):
        choose_decoder(ssd_info(classes=90), ("a", "b"))


def test_broken_plugin_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A decoder that fails when asked is logged, and the next one gets the model."""
    monkeypatch.setattr(room, "BrokenDecoder", BrokenDecoder, raising=False)
    broken, missing = f"{room.__name__}:BrokenDecoder", f"{room.__name__}:Missing"
    known = {name: _target(DECODERS.load(name)) for name in DECODERS.names()}
    registry: Registry[Any] = Registry("none", {"broken": broken, "missing": missing, **known})
    monkeypatch.setattr(room, "DECODERS", registry)
    with caplog.at_level(logging.ERROR):
        assert choose_decoder(ssd_info(), None)[0].name == "ssd"
    assert "nobody expected this" in caplog.text
    assert "'missing'" in caplog.text


def _target(decoder: type[Any]) -> str:
    return f"{decoder.__module__}:{decoder.__name__}"


@pytest.mark.data
@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("coco_ssd_mobilenet_v1_1.0_quant", f"{_OPERATOR}: ssd"),
        ("coral_ssd_coco_head_layers_postprocess_only", f"{_OPERATOR}: ssd"),
        ("automl_traffic_model", f"{_OPERATOR}: ssd"),
        ("coral_mobilenet_v1_0.25_128_quant", "has 1001 values and comes from SOFTMAX: classifi"),
        ("coral_mobilenet_v2_1.0_224_inat_bird_quant", "has 965 values and comes from SOFTMAX"),
        ("coral_keras_lstm_mnist_ptq", "has 10 values and comes from SOFTMAX: classification"),
        ("mlperf_vww_96_int8", "output 0 has 2 values and comes from SOFTMAX: classification"),
        ("mlperf_kws_ref_int8", "output 0 has 12 values and comes from SOFTMAX: classification"),
        (
            "mww_alexa",
            "output 0 is one probability, and the model remembers its stream: keyword",
        ),
        (
            "yamnet_wavin_quantized_mel_relu6",
            "521 values and comes from LOGISTIC (each class for itself)",
        ),
        ("tflm_hello_world_int8", "fits the outputs: raw"),
        ("mlperf_ad01_int8", "fits the outputs: raw"),
        (
            "emza_ssd_slim_120x160x1_int8",
            "1118 boxes with 2 scores for the priors of ultraface",
        ),
        ("nxp_yolo_face_detect", "NXP's eIQ Model Zoo: yolo_anchors"),
        ("nxp_fastestdet_person", "joins a sigmoid, boxes and a softmax of 1 in one grid: fastest"),
        ("agpl/yolov5n_axis_relu_uint8_640", "80 class scores of 25200 places (layout v5): yolo"),
        ("agpl/yolov8n_full_integer_quant_224", "80 class scores of 1029 places (layout v8): yolo"),
        ("coral_movenet_single_pose_lightning_ptq", "keypoints of one person: movenet"),
        ("coral_deeplabv3_mnv2_dm05_pascal_quant", "a class for each of 513x513 places: segm"),
        ("coral_posenet_mobilenet_v1_075_353_481_16_quant_decoder", "fits the outputs: raw"),
        ("coral_split_concat", "fits the outputs: raw"),
    ],
)
def test_real_models(model: str, reason: str) -> None:
    """Each real model gets the decoder that reads it, from its file alone, and the reason."""
    info = read_model_info(data_file(f"models/{model}.tflite"))
    decoder, why = choose_decoder(info, info.labels)
    assert reason in why
    assert f": {decoder.name}" in why
