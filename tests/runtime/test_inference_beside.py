"""Models that take a picture and numbers, in both engines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.config.schema import ModelConfig
from edge_agent.decoders.base import input_size
from edge_agent.decoders.choose import choose_decoder
from edge_agent.errors import ModelError, SignalMismatch
from edge_agent.model import ModelInfo
from edge_agent.preprocess.beside import ONLY
from edge_agent.preprocess.tiles import TileOptions
from edge_agent.result import ClassScore
from edge_agent.runtime.inference import Inference, Numbers
from edge_agent.runtime.opening import open_inference
from edge_agent.runtime.tiling import tiling
from tests.support.two_inputs import LABELS, SIDE, scores, write_two_inputs

RED = np.full((20, 30, 3), (0, 0, 255), np.uint8)
BLACK = np.zeros((20, 30, 3), np.uint8)


def _opened(path: Path, engine: str) -> Inference:
    config = ModelConfig.model_validate(
        {"file": path, "engine": engine, "labels": list(LABELS), "task": "classification"}
    )
    return open_inference("m", config, with_numbers=True)


@pytest.fixture(params=["tflite", "numpy"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine."""
    name: str = request.param
    return name


@pytest.fixture(params=[False, True], ids=["picture first", "picture last"])
def inference(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> Iterator[Inference]:
    """The model with one input for two numbers."""
    path = write_two_inputs(tmp_path / "m.tflite", numbers_first=request.param)
    with closing(_opened(path, engine)) as opened:
        yield opened


def _found(inference: Inference, image: np.ndarray, numbers: Numbers) -> dict[str, float]:
    results = inference.run(image, 0.0, numbers=numbers).results
    return {each.label: each.score for each in results if isinstance(each, ClassScore)}


@pytest.mark.parametrize("red", [0.0, 1.0])
@pytest.mark.parametrize(("distance", "heat"), [(0.5, 0.0), (-0.5, 0.0), (0.0, 2.0), (1.0, 1.0)])
def test_both_count(inference: Inference, red: float, distance: float, heat: float) -> None:
    """The scores are those of the real model, to the steps of its numbers."""
    numbers = {ONLY: np.array([distance, heat], np.float32)}
    found = _found(inference, RED if red else BLACK, numbers)
    expected = dict(zip(LABELS, scores(red, distance, heat), strict=True))
    assert found == pytest.approx(expected, abs=0.06)


def test_several_inputs_by_name(tmp_path: Path, engine: str) -> None:
    """Each gets its own number."""
    path = write_two_inputs(tmp_path / "m.tflite", apart=True)
    with closing(_opened(path, engine)) as inference:
        numbers = {"heat": np.array([2.0], np.float32), "distance": np.array([0.5], np.float32)}
        found = _found(inference, RED, numbers)
        assert found == pytest.approx(dict(zip(LABELS, scores(1, 0.5, 2), strict=True)), abs=0.06)
        with pytest.raises(SignalMismatch, match="several inputs for numbers"):
            inference.run(RED, 0.0, numbers={ONLY: np.zeros(2, np.float32)})


def test_a_picture_alone_is_refused(inference: Inference) -> None:
    """It is not inferred with zeros that nobody measured."""
    with pytest.raises(SignalMismatch, match=r"'numbers' .* gets no numbers"):
        inference.run(RED, 0.0)


def test_numbers_reach_the_model_through_tiles(inference: Inference) -> None:
    """A classifier gets no crops; what it is given has the numbers."""
    numbers = {ONLY: np.array([-1.0, 0.0], np.float32)}
    outcome = tiling(TileOptions()).run(inference, RED, (), 0.5, None, numbers)
    assert [each.label for each in outcome.results if isinstance(each, ClassScore)] == ["near"]


def test_without_numbers_it_does_not_open(tmp_path: Path) -> None:
    """The error names the key that is missing in the pipeline."""
    path = write_two_inputs(tmp_path / "m.tflite")
    with pytest.raises(ModelError, match="inputs of the pipeline"):
        open_inference("m", ModelConfig(file=path))


@pytest.mark.parametrize("numbers_first", [False, True])
def test_decoders_go_by_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, numbers_first: bool
) -> None:
    """The size that boxes in pixels are measured by is that of the picture's input."""
    sizes = []

    def chosen(info: ModelInfo, *rest: Any) -> Any:
        sizes.append(input_size(info))
        return choose_decoder(info, *rest)

    monkeypatch.setattr("edge_agent.runtime.opening.choose_decoder", chosen)
    _opened(write_two_inputs(tmp_path / "m.tflite", numbers_first), "numpy").close()
    assert sizes == [(SIDE, SIDE)]
