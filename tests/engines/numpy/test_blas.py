"""Without a tuned BLAS the engine multiplies matrices itself, with the same results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy import blas
from edge_agent.engines.numpy.engine import NumpyEngine
from tests.support.agent import ASSETS
from tests.support.data import data_file

_NETS = ("mlperf_kws_ref_int8", "mlperf_ad01_int8", "tflm_hello_world_int8")


@pytest.fixture
def untuned(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with Debian's own NumPy and `libblas3`."""
    monkeypatch.setattr(blas, "is_tuned", lambda: False)


@pytest.mark.parametrize(
    ("libraries", "wanted"),
    [([], False), ([{"user_api": "openmp"}], False), ([{"user_api": "blas"}], True)],
)
def test_what_counts_as_tuned(
    monkeypatch: pytest.MonkeyPatch, libraries: list[Any], wanted: bool
) -> None:
    """A library whose threads can be told: the reference BLAS has none."""
    monkeypatch.setattr(blas, "threadpool_info", lambda: libraries)
    assert blas.is_tuned.__wrapped__() is wanted


@pytest.mark.usefixtures("untuned")
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(("pixels", "numbers", "filters"), [(5, 9, 4), (7, 4, 9), (1, 6, 6)])
def test_products(kind: Any, pixels: int, numbers: int, filters: int) -> None:
    """Whole numbers, along whichever axis is longer."""
    random = np.random.default_rng(numbers)
    a = random.integers(-128, 128, (pixels, numbers))
    b = random.integers(-128, 128, (numbers, filters))
    sums = np.zeros((pixels, filters), kind)
    function, *arguments = blas.Weights(b.astype(kind)).call(a.astype(kind), sums)
    function(*arguments)
    assert function is not np.matmul
    np.testing.assert_array_equal(sums, a @ b)


def _outputs(path: Path) -> list[bytes]:
    """Of the model for noise."""
    engine = NumpyEngine(path)
    random = np.random.default_rng(0)
    inputs = [
        random.integers(-128, 128, spec.shape).astype(np.int8).view(spec.dtype)
        for spec in engine.inputs
    ]
    return [output.tobytes() for output in engine.run(*inputs)]


def _hold_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for is_tuned in (True, False):
        monkeypatch.setattr(blas, "is_tuned", lambda answer=is_tuned: answer)
        found.append(_outputs(path))
    assert found[0] == found[1]


def test_the_bundled_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes whichever way its products are made."""
    _hold_together(ASSETS / "belt.tflite", monkeypatch)


@pytest.mark.data
@pytest.mark.parametrize("name", _NETS)
def test_real_models(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Convolutions and dense layers."""
    _hold_together(data_file(f"models/{name}.tflite"), monkeypatch)
