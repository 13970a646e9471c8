"""Samples for a model from films."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.cli import datasets
from edge_agent.cli.datasets import Reader, load_unlabelled, pictures_of
from edge_agent.clip import SUFFIX
from edge_agent.errors import UsageError
from edge_agent.model import TensorSpec
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions
from tests.support.cli import CLIP
from tests.support.pictures import encode

SPEC = TensorSpec("picture", (1, 4, 4, 3), np.dtype(np.uint8), 1.0, 0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip as the agent records it, of 20 pictures that grow brighter."""
    path = tmp_path / f"door{SUFFIX}"
    greys = (np.full((16, 16, 3), 10 * number, np.uint8) for number in range(20))
    path.write_bytes(b"".join(encode(grey, ".jpg") for grey in greys))
    return path


def brightness(pictures: Sequence[NDArray[Any]]) -> list[int]:
    """Of each, to the next ten."""
    return [round(float(each.mean()) / 10) for each in pictures]


def test_pictures_of_a_recorded_clip(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a short one, some of a long one, evenly spread."""
    assert brightness(list(pictures_of(clip))) == list(range(20))
    monkeypatch.setattr(datasets, "_MOST_OF_A_FILM", 3)
    assert brightness(list(pictures_of(clip))) == [0, 9, 19]


def test_a_folder_of_films(clip: Path) -> None:
    """They are made ready as pictures are, and no more than was asked for."""
    reader = Reader((SPEC,), ImagePreprocessor(SPEC, {}, PreprocessOptions()))
    samples = load_unlabelled(reader, [clip.parent], 5)
    assert [each[0].shape for each in samples] == [SPEC.shape] * 5
    assert brightness([each[0] for each in samples]) == [0, 4, 9, 14, 19]


def test_a_film_of_a_player() -> None:
    """Whatever FFmpeg reads."""
    assert next(pictures_of(Path(CLIP))).shape == (360, 640, 3)


def test_what_is_no_film(tmp_path: Path) -> None:
    """It is named."""
    (tmp_path / "x.mp4").write_bytes(b"no film")
    reader = Reader((SPEC,), ImagePreprocessor(SPEC, {}, PreprocessOptions()))
    with pytest.raises(UsageError, match=r"x\.mp4 holds no picture that can be read"):
        list(reader.samples(tmp_path / "x.mp4"))
