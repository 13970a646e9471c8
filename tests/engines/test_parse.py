"""The checked graph: what it tells of good models and what it refuses in bad ones."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engines.modelfile import open_model, read_model_info
from edge_agent.engines.modelfile.graph import MAX_TENSOR_BYTES
from edge_agent.engines.modelfile.parse import parse_model
from edge_agent.errors import ModelError
from edge_agent.model import Origin
from tests.support import data as support
from tests.support.data import data_file
from tests.support.tflite_writer import (
    GraphDef,
    OpDef,
    TensorDef,
    add_graph,
    counter_graphs,
    custom_graph,
    int8_add_graph,
    model,
    write_model,
)

_ROOT = support.test_data()
_MODELS: dict[str, Any] = (
    json.loads((_ROOT / "MODELS.json").read_text(encoding="utf-8")) if _ROOT else {}
)
_GOOD = model(counter_graphs(), metadata={"note": b"abc"})


def _parse(data: bytes) -> Any:
    return parse_model(memoryview(data), "test.tflite")


def test_tensors_operators_and_origins(tmp_path: Path) -> None:
    """Shapes, types, quantisation, operators and where outputs come from are as written."""
    path = write_model(tmp_path / "add.tflite", int8_add_graph())
    info = read_model_info(path)
    first = info.inputs[0]
    assert (first.name, first.shape, first.dtype) == ("a", (1, 2, 3), np.dtype(np.int8))
    assert (first.scale, first.zero_point) == (0.5, 3)
    assert info.operators == ("ADD",)
    assert info.origins == (Origin("ADD", 0), None)
    assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (info.size, info.description) == (path.stat().st_size, "made for a test")


def test_constants_subgraphs_and_metadata(tmp_path: Path) -> None:
    """Constants are views of the file; every subgraph's operators are listed."""
    graph = open_model(write_model(tmp_path / "add.tflite", add_graph())).main
    assert graph.tensors[1].constant().tolist() == [1.0]
    counter = _parse(_GOOD)
    assert len(counter.subgraphs) == 2
    assert [operator.name for operator in counter.operators()][-1] == "ASSIGN_VARIABLE"
    assert bytes(counter.metadata["note"]) == b"abc"


def test_quantisation_per_channel() -> None:
    """One scale for each index of the stated dimension; one zero point serves them all."""
    weights = np.zeros((2, 3), np.int8)
    tensor = TensorDef("w", (2, 3), "INT8", weights, [1, 2, 3], [4], dimension=1)
    parsed = _parse(model(GraphDef([tensor], [], (), (0,))))
    spec = parsed.main.tensors[0].spec()
    assert spec.scale.tolist() == [1, 2, 3]
    assert spec.zero_point.tolist() == [4, 4, 4]


def test_free_batch_is_one_and_other_free_sizes_stay() -> None:
    """The first of several dimensions is the batch; a lone one is a length."""
    tensors = [
        TensorDef("a", (1, 1, 3), signature=(-1, -1, 3)),
        TensorDef("b", (1,), signature=(-1,)),
    ]
    parsed = _parse(model(GraphDef(tensors, [], (0, 1), ())))
    assert [tensor.spec().shape for tensor in parsed.main.tensors] == [(1, -1, 3), (-1,)]


def test_custom_operators_have_their_own_name() -> None:
    """A custom operator is named by its code, and options that are no map are left alone."""
    parsed = _parse(model(custom_graph("MyOp", options=b"\x01\x02\x03")))
    operator = parsed.main.operators[0]
    assert (operator.name, operator.is_custom) == ("MyOp", True)
    assert bytes(operator.custom_options) == b"\x01\x02\x03"


def _change(**changes: Any) -> GraphDef:
    """add_graph with its first tensor changed."""
    graph = add_graph()
    return replace(graph, tensors=[replace(graph.tensors[0], **changes), *graph.tensors[1:]])


_HUGE = MAX_TENSOR_BYTES // 4 + 1
_TWO = [TensorDef("x", (2,)), TensorDef("y", (2,))]


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (_change(shape=(1, -7)), "tensor 0: shape .* negative dimension"),
        (_change(shape=(_HUGE,)), rf"tensor 0: \d+ bytes for shape .*at most {MAX_TENSOR_BYTES}"),
        (_change(shape=(2**30,) * 9), "tensor 0: .* bytes for shape"),
        (_change(shape=(1,) * 17), "17 dimensions"),
        (_change(signature=(1,)), "do not fit"),
        (_change(data=bytes(15)), "needs 16 bytes, it has 15"),
        (_change(scale=[1, 2], zero_point=[0, 0]), "2 scales for dimension 0"),
        (_change(scale=[1], zero_point=[0, 0]), "1 scales and 2 zero points"),
        (_change(scale=[float("nan")]), "not a number"),
        (replace(add_graph(), inputs=(3,)), "subgraph 0: inputs names tensor 3, there are 3"),
        (replace(add_graph(), outputs=(-1,)), "outputs names tensor -1"),
        (GraphDef(_TWO, [OpDef("ABS", (5,), (1,))], (0,), (1,)), "operator 0: inputs names"),
        (GraphDef(_TWO, [OpDef("ABS", (0,), (-2,))], (0,), (1,)), "operator 0: outputs names"),
        (GraphDef(_TWO, [OpDef("ABS", (1,), (0,))], (), (0,)), "ABS reads tensor 1 before"),
        (GraphDef(_TWO, [], (0,), (1,)), "nothing writes its output, tensor 1"),
        ([], "there is no graph in it"),
    ],
)
def test_bad_models_are_refused_with_the_place(graph: Any, said: str) -> None:
    """Each kind of mistake is told with the tensor or operator it is in."""
    with pytest.raises(ModelError, match=said):
        _parse(model(graph))


def test_other_schema_version_is_refused() -> None:
    """Only version 3 of the schema has ever been released for use."""
    with pytest.raises(ModelError, match="schema version 2"):
        _parse(model(add_graph(), version=2))


@given(st.data())
def test_damage_gives_a_model_or_a_model_error(data: st.DataObject) -> None:
    """Cut or flipped anywhere, a model is read or refused, never worse."""
    content = bytearray(_GOOD[: data.draw(st.integers(0, len(_GOOD)))] or b"\0")
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ModelError):
        _parse(bytes(content))


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(_MODELS))
def test_real_models_are_read_as_published(name: str) -> None:
    """Shapes, types, quantisation and operator counts agree with an independent reader's."""
    known = _MODELS[name]
    info = read_model_info(data_file(f"models/{name}"))
    assert Counter(info.operators) == known["ops"]
    for specs, entries in ((info.inputs, known["inputs"]), (info.outputs, known["outputs"])):
        assert len(specs) == len(entries)
        for spec, entry in zip(specs, entries, strict=True):
            assert (spec.name, list(spec.shape)) == (entry["name"], entry["shape"])
            assert spec.dtype.name == entry["dtype"]
            assert (spec.scale, spec.zero_point) == (entry.get("scale"), entry.get("zero_point"))


@pytest.mark.data
def test_real_odd_files_are_read_or_refused() -> None:
    """Every file of the robustness collection gives a ModelInfo or a ModelError of one line."""
    folder = data_file("models/robustness/tflite__testdata__add.bin").parent
    refused = []
    for path in sorted(folder.iterdir()):
        try:
            read_model_info(path)
        except ModelError as error:
            refused.append(str(error))
    assert 0 < len(refused) < 20
    assert not any("\n" in text for text in refused)


@pytest.mark.data
def test_real_model_cut_and_flipped(tmp_path: Path) -> None:
    """200 damaged copies of a real model are read or refused."""
    good = data_file("models/mlperf_kws_ref_int8.tflite").read_bytes()
    rng = random.Random(7)
    path = tmp_path / "damaged.tflite"
    refused = 0
    for turn in range(200):
        content = bytearray(good[: rng.randrange(1, len(good))] if turn % 2 else good)
        for _ in range(0 if turn % 2 else 20):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        try:
            read_model_info(path)
        except ModelError:
            refused += 1
    assert refused > 100
