"""Layers to int8: near the float model, and the same bytes wherever the model runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import UsageError
from edge_agent.quantize import Dense, Options, Quantized, quantize_layers
from edge_agent.quantize.measure import LayerError, native_inputs
from edge_agent.quantize.report import Report
from tests.quantize.nets import NETS
from tests.support.reference import IS_HERE, RUNTIME, run_reference

CHOICES = {
    "plain": Options(),
    "all": Options("mse", correct_bias=True, input_type="uint8", output_type="float32"),
    "mixed": Options("percentile", keep_float=("FULLY_CONNECTED",), input_type="float32"),
}
OWN_DENSE_ROUNDING = IS_HERE and not RUNTIME.__name__.startswith("tflite_runtime")


def made(name: str, options: Options) -> tuple[Quantized, Any]:
    """One of the nets, quantised, and 20 samples that it has not seen."""
    rng = np.random.default_rng(3)
    layers, shape = NETS[name](rng)
    samples = rng.normal(0, 1, (60, *shape)).astype(np.float32)
    return quantize_layers(layers, samples[:40], options=options, labels=("a", "b")), samples[40:]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", NETS)
def test_near_the_float_model(name: str, choice: str) -> None:
    """Outputs from -1 to 1 are off by less than 0.03, on samples it was not made with."""
    quantized, samples = made(name, CHOICES[choice])
    difference = quantized.predict(samples) - quantized.original.predict(samples)
    assert 0 < np.abs(difference).max() < 0.03
    output = quantized.report.layers[-1]
    assert output.sqnr_db > 35


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("name", NETS)
def test_the_same_bytes_everywhere(name: str, choice: str, tmp_path: Path) -> None:
    """The .npz and .tflite files give the same; TFLite's reference kernels, where here, too."""
    quantized, samples = made(name, CHOICES[choice])
    npz = NumpyEngine(quantized.save(tmp_path / "model.npz"))
    tflite = quantized.save(tmp_path / "model.tflite")
    engine = NumpyEngine(tflite)
    for sample in samples:
        inputs = native_inputs(quantized.program, (sample[np.newaxis],))
        (ours,) = engine.run(*inputs)
        np.testing.assert_array_equal(npz.run(*inputs)[0], ours)
        if IS_HERE:
            (theirs,) = run_reference(tflite.read_bytes(), inputs)
            _compare(ours, theirs)


def _compare(ours: Any, theirs: Any) -> None:
    """Equal, but for LiteRT's own rounding of dense layers and the last bits of float32 sums."""
    assert ours.dtype == theirs.dtype
    if ours.dtype == np.float32:
        np.testing.assert_allclose(ours, theirs, atol=0.01 if OWN_DENSE_ROUNDING else 1e-5)
    else:
        off = np.abs(ours.astype(int) - theirs).max()
        assert off <= (2 if OWN_DENSE_ROUNDING else 0)


def test_types_of_input_and_output(tmp_path: Path) -> None:
    """They are those asked for; int8 and uint8 stand for the same real numbers."""
    found = {}
    for kind in ("int8", "uint8", "float32"):
        quantized, _ = made("mlp", Options(input_type=kind, output_type="float32"))
        info = read_model_info(quantized.save(tmp_path / f"{kind}.tflite"))
        found[kind] = info.inputs[0]
        assert info.inputs[0].dtype == kind
        assert info.outputs[0].dtype == np.float32
    assert found["int8"].scale == found["uint8"].scale
    assert found["uint8"].zero_point - found["int8"].zero_point == 128  # type: ignore[operator]


@pytest.mark.parametrize("ending", ["npz", "tflite"])
def test_notes_go_into_the_file(ending: str, tmp_path: Path) -> None:
    """Labels and metadata are read back from either format."""
    data = np.eye(3, dtype=np.float32)
    quantized = quantize_layers(
        [Dense(np.eye(3))], data, labels=["x", "y", "z"], metadata={"mean": [127.5], "task": "t"}
    )
    info = read_model_info(quantized.save(tmp_path / f"model.{ending}"))
    assert info.labels == ("x", "y", "z")
    assert info.metadata == {"mean": [127.5], "task": "t"}


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    """The ending says which format is meant."""
    quantized = quantize_layers([Dense(np.eye(3))], np.eye(3))
    with pytest.raises(UsageError, match=r"must end in \.npz or \.tflite"):
        quantized.save(tmp_path / "model.onnx")


def test_what_is_kept_in_float(tmp_path: Path) -> None:
    """Operators are kept by kind, place or name of output; a name that fits nothing is an error."""
    data = np.random.default_rng(0).normal(0, 1, (20, 3))
    layers = [Dense(np.eye(3), None, "relu"), Dense(np.ones((3, 2)), None, "softmax")]
    for name in ("SOFTMAX", "2", "1(Dense)/softmax"):
        quantized = quantize_layers(layers, data, options=Options(keep_float=(name,)))
        assert [layer.kind for layer in quantized.report.layers] == ["int8", "int8", "float32"]
        assert quantized.report.kept == {2: "SOFTMAX: asked for"}
    with pytest.raises(UsageError, match="no operator is called 'LSTM'"):
        quantize_layers(layers, data, options=Options(keep_float=("LSTM",)))


def test_unknown_options_are_refused() -> None:
    """A wrong word is answered by those that are known."""
    with pytest.raises(UsageError, match="observer is 'median', it must be one of minmax"):
        Options(observer="median")


def test_the_report_names_the_layer_that_hurts() -> None:
    """A layer whose outputs differ by a factor of 1000 loses the small ones' bits."""
    rng = np.random.default_rng(0)
    wild = rng.normal(0, 1, (8, 8)) * np.logspace(0, 3, 8)
    calm = rng.normal(0, 1, (8, 4)) / np.logspace(0, 3, 8)[:, np.newaxis]
    layers = [Dense(np.eye(8)), Dense(wild), Dense(calm)]
    report = quantize_layers(layers, rng.normal(0, 1, (50, 8))).report
    assert report.hurt[0].place == 2
    assert report.hurt[0].lost_db > 10
    assert "hurts      2 FULLY_CONNECTED 2(Dense)" in report.text()
    assert report.as_json()["hurt"][0] == 2


def test_long_names_are_shortened_for_people() -> None:
    """A converter's names, several in one, do not fill the screen; as JSON they are whole."""
    name = f"model/{'x' * 60};another"
    layer = LayerError(3, "ADD", name, "int8", 20.0, 9.0)
    report = Report(4, 1, 1, (layer,), {})
    (line,) = (line for line in report.text().splitlines() if "hurts" in line)
    assert line == f"hurts      3 ADD ...{'x' * 37}: 20.0 dB, 9.0 dB lost"
    assert report.as_json()["layers"][0]["output"] == name
