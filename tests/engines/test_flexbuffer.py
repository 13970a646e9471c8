"""FlexBuffers, against bytes that Google's own writer made and against any bytes at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.modelfile.flexbuffer import MAX_DEPTH, decode_flexbuffer
from edge_agent.errors import ModelError
from tests.support.data import data_file

# flatbuffers.flexbuffers.Dumps of the values beside them (flatbuffers 25.12)
_KNOWN = {
    "050401": 5,
    "d4fe0502": -300,
    "000020400e04": 2.5,
    "016801": True,
    "000001": None,
    "047465787400051401": "text",
    "020102026401": bytearray(b"\x01\x02"),
    "0161000004000000010000000b000000000020400000000006140e6a142a01": [1, "a", 2.5, False],
    (
        "6d61785f646574656374696f6e73006e6d735f696f755f7468726573686f6c6400757365006e616d"
        "65730001610001620002060414140437132a19000500000001000000040000000a0000001a000000"
        "9a99193f0100000006280e6a142601"
    ): {
        "max_detections": 10,
        "names": ["a", "b"],
        "nms_iou_threshold": 0.6000000238418579,
        "use": True,
    },
    "6100620003010203040404010a0101010b2801130101010724022401": {"a": {"b": [1, 2, 3]}},
    "0200000070110100ffffffff06060a2a01": [70000, -1],
    "0178000179000206041414042801": ["x", "y"],
    "020000000000c03f000020400e0e0a2a01": [1.5, 2.5],
}


@pytest.mark.parametrize("encoded", _KNOWN)
def test_values_of_the_official_writer(encoded: str) -> None:
    """Every kind of value is read as it was written."""
    assert decode_flexbuffer(bytes.fromhex(encoded), "options") == _KNOWN[encoded]


def test_typed_and_fixed_vectors() -> None:
    """Vectors whose elements carry no type of their own: [1, 2, 3] as ints, as uint3, as bools."""
    assert decode_flexbuffer(bytes([3, 1, 2, 3, 3, 11 << 2, 1]), "options") == [1, 2, 3]
    assert decode_flexbuffer(bytes([1, 2, 3, 3, 20 << 2, 1]), "options") == [1, 2, 3]
    assert decode_flexbuffer(bytes([2, 1, 0, 2, 36 << 2, 1]), "options") == [True, False]


def test_a_vector_of_itself_is_refused() -> None:
    """Offsets of zero, which lead back to the place they stand at, end in an error."""
    nested = bytes([1, 0, 10 << 2, 2, 10 << 2, 1])
    with pytest.raises(ModelError, match=f"{MAX_DEPTH} levels"):
        decode_flexbuffer(nested, "options")


@given(st.binary(max_size=120))
def test_any_bytes_give_a_value_or_a_model_error(data: bytes) -> None:
    """No bytes whatever raise anything but ModelError."""
    with suppress(ModelError):
        decode_flexbuffer(data, "options")


@given(st.sampled_from(sorted(_KNOWN)), st.data())
def test_any_damage_gives_a_value_or_a_model_error(encoded: str, data: st.DataObject) -> None:
    """No change of one byte raises anything but ModelError."""
    good = bytearray.fromhex(encoded)
    good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ModelError):
        decode_flexbuffer(bytes(good), "options")


def test_options_of_a_real_detection_model() -> None:
    """The post-processing options of coco_ssd are those its maker published."""
    info = read_model_info(data_file("models/coco_ssd_mobilenet_v1_1.0_quant.tflite"))
    options = info.custom_options["TFLite_Detection_PostProcess"]
    assert options["max_detections"] == 10
    assert options["num_classes"] == 90
    assert options["nms_iou_threshold"] == pytest.approx(0.6)
    assert (options["y_scale"], options["w_scale"]) == (10.0, 5.0)
