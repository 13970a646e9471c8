"""What a model must put out for its golden samples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_agent.config.schema import ModelConfig
from edge_agent.errors import ModelError
from edge_agent.runtime.golden import check_golden, has_outputs, make_golden
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.opening import open_inference
from edge_agent.sources.pictures import load_picture
from tests.support.classifiers import write_colour_classifier, write_colour_embedding
from tests.support.cli import MODEL, belt_frame
from tests.support.tflite_writer import counter_graphs, write_model
from tests.support.variants import write_other, write_same


def opened(path: Path | str, engine: str = "tflite") -> Inference:
    """A model of a file."""
    return open_inference("m", ModelConfig(file=Path(path), engine=engine), any_input=True)


@pytest.fixture
def detector() -> Iterator[Inference]:
    """The bundled detector."""
    inference = opened(MODEL)
    yield inference
    inference.close()


@pytest.fixture
def sample(tmp_path: Path, detector: Inference) -> Path:
    """A picture of parts and what the bundled detector makes of it."""
    target = tmp_path / "sample.npz"
    picture = load_picture(belt_frame(tmp_path / "belt.png"))
    make_golden(detector, detector.writer(picture), target)
    return target


def test_a_sample_has_inputs_and_outputs(sample: Path, detector: Inference) -> None:
    """The tensors as the model takes and gives them."""
    with np.load(sample) as arrays:
        assert {f"output_{number}" for number in range(4)} < set(arrays)
        assert arrays[detector.engine.inputs[0].name].shape == detector.engine.inputs[0].shape
    assert has_outputs(sample)


@pytest.mark.parametrize("engine", ["tflite", "numpy"])
def test_the_same_model_passes(tmp_path: Path, sample: Path, engine: str) -> None:
    """On either engine, whose bytes may differ: what is sure is the same."""
    inference = opened(write_same(tmp_path / "same.tflite"), engine)
    check_golden(inference, [sample])
    inference.close()


def test_another_model_does_not(tmp_path: Path, sample: Path) -> None:
    """The reason says what is expected and what is here."""
    inference = opened(write_other(tmp_path / "other.tflite"))
    with pytest.raises(ModelError, match=r"golden sample sample.npz: \w+ [01]\.\d\d is expected"):
        check_golden(inference, [sample])
    inference.close()


def test_where_nothing_is_sure_the_numbers_count(tmp_path: Path) -> None:
    """A sample that shows nothing still tells two models apart."""
    first = opened(write_colour_embedding(tmp_path / "first.tflite"))
    second = opened(write_colour_embedding(tmp_path / "second.tflite", -0.1))
    target = tmp_path / "dim.npz"
    make_golden(first, lambda tensor: tensor.fill(0.4), target)
    check_golden(first, [target])
    with pytest.raises(ModelError, match=r"numbers differs by \d+ %"):
        check_golden(second, [target])
    first.close()
    second.close()


def test_nothing_is_nothing(tmp_path: Path) -> None:
    """Where a detector finds nothing its outputs hold whatever was there before."""
    detector = opened(MODEL)
    black = np.zeros((144, 256, 3), np.uint8)
    assert not make_golden(detector, detector.writer(black), tmp_path / "black.npz")
    with np.load(tmp_path / "black.npz") as arrays:
        changed = {**arrays, "output_0": arrays["output_0"] + 1.0}
    np.savez(tmp_path / "black.npz", **changed)
    check_golden(detector, [tmp_path / "black.npz"])
    detector.close()


def test_outputs_of_another_shape(tmp_path: Path, sample: Path) -> None:
    """They are named."""
    with np.load(sample) as arrays:
        np.savez(tmp_path / "cut.npz", **{**arrays, "output_0": arrays["output_0"][:, :3]})
    inference = opened(MODEL)
    with pytest.raises(ModelError, match=r"float32 of shape \(1, \d+, 4\), not .* \(1, 3, 4\)"):
        check_golden(inference, [tmp_path / "cut.npz"])
    inference.close()


@pytest.mark.parametrize(("shift", "passes"), [(0.05, True), (0.4, False)])
def test_scores_may_differ_a_little(tmp_path: Path, shift: float, passes: bool) -> None:
    """As other kernels round; a class that is another one, or much less sure, is a difference."""
    inference = opened(write_colour_classifier(tmp_path / "colours.tflite"))
    grey = np.full((8, 8, 3), 0.5, np.float32)
    grey[..., 0] = 0.55
    arrays = {"picture": grey[None]}
    target = tmp_path / "s.npz"
    make_golden(inference, lambda tensor: np.copyto(tensor, arrays["picture"]), target)
    with np.load(target) as kept:
        scores = kept["output_0"].copy()
        assert scores[0, 0] > 0.7
        scores += np.array([[-shift, shift, 0.0]], np.float32)
        np.savez(target, **arrays, output_0=scores)  # type: ignore[arg-type]
    if passes:
        check_golden(inference, [target])
    else:
        with pytest.raises(ModelError, match="is expected"):
            check_golden(inference, [target])
    inference.close()


def test_what_a_model_remembers_is_forgotten(tmp_path: Path) -> None:
    """A sample is the first frame of its stream, and leaves no trace."""
    inference = opened(write_model(tmp_path / "counter.tflite", counter_graphs()))
    target = tmp_path / "s.npz"
    make_golden(inference, lambda *tensors: [each.fill(1) for each in tensors], target)
    for _ in range(3):
        check_golden(inference, [target])
    inference.close()


def test_damaged_samples(tmp_path: Path, detector: Inference) -> None:
    """What is no sample is named; one without outputs says nothing."""
    spec = detector.engine.inputs[0]
    file = tmp_path / "x.npz"
    np.save(tmp_path / "x.npy", np.zeros(spec.shape, spec.dtype))
    for content in (b"PK\x03\x04 damaged", b"text", b"", (tmp_path / "x.npy").read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ModelError, match=r"x\.npz cannot be read: it is no \.npz, or damaged"):
            check_golden(detector, [file])
    np.savez(tmp_path / "y.npz", np.zeros(spec.shape, spec.dtype))
    assert not has_outputs(tmp_path / "y.npz")
    check_golden(detector, [tmp_path / "y.npz"])


def test_an_output_is_missing(tmp_path: Path, detector: Inference) -> None:
    """Which one is told."""
    spec, output = detector.engine.inputs[0], detector.engine.outputs[0]
    file = tmp_path / "x.npz"
    np.savez(file, np.zeros(spec.shape, spec.dtype), output_0=np.zeros(output.shape, output.dtype))
    with pytest.raises(ModelError, match=r"x\.npz has no output_1, and the model has 4 outputs"):
        check_golden(detector, [file])
