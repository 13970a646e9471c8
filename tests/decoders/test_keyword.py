"""Words that are listened for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_agent.decoders.choose import choose_decoder
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.result import ClassScore

INFO = ModelInfo(
    Path("okay_house.tflite"),
    "0" * 64,
    1,
    "",
    (TensorSpec("audio", (1, 3, 40), np.dtype(np.int8), 0.1, -128),),
    (TensorSpec("out", (1, 1), np.dtype(np.uint8), 1 / 256, 0),),
    (None,),
    ("VAR_HANDLE", "READ_VARIABLE", "CONV_2D", "LOGISTIC", "QUANTIZE"),
)


def test_a_model_that_remembers_its_stream() -> None:
    """One probability of a streaming model is a keyword, named by the file."""
    decoder, why = choose_decoder(INFO, None)
    assert why == "output 0 is one probability, and the model remembers its stream: keyword"
    assert decoder.kind == "keyword"
    found = decoder.decode([np.array([[240]], np.uint8)], BoxMapping(), 0.9)
    assert found == (ClassScore("okay_house", 0.9375, 0),)


def test_a_name_of_its_own() -> None:
    """Labels go before the file's name."""
    decoder, _ = choose_decoder(INFO, ("okay house",))
    (found,) = decoder.decode([np.array([[255]], np.uint8)], BoxMapping(), 0.9)
    assert isinstance(found, ClassScore)
    assert found.label == "okay house"


def test_without_a_memory_it_is_a_class() -> None:
    """A single probability alone may be anything."""
    decoder, _ = choose_decoder(replace(INFO, operators=("CONV_2D", "LOGISTIC")), None)
    assert decoder.name == "classification"


def test_a_keyword_by_choice() -> None:
    """A classifier of words is told what it is for."""
    words = replace(INFO, operators=("SOFTMAX",), outputs=(replace(INFO.outputs[0], shape=(1, 3)),))
    decoder, _ = choose_decoder(words, ("yes", "no", "go"), "keyword")
    found = decoder.decode([np.array([[20, 200, 36]], np.uint8)], BoxMapping(), 0.5)
    assert [each.label for each in found if isinstance(each, ClassScore)] == ["no"]
