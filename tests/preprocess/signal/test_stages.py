"""What every stage promises: shapes, rates, blocks that make no difference, errors that help."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.options import Options
from edge_agent.preprocess.signal import STREAM_STAGES, WINDOW_STAGES, StreamStage, WindowStage
from tests.preprocess.signal import sounds

SMALL = {"n_fft": 64, "hop_length": 24, "n_mels": 8}
# Name, options, rate, channels and how many rows come out of 300; NaN where the rate is the same.
STREAMS: list[tuple[str, Mapping[str, Any], float, int, int]] = [
    ("z_score", {"mean": [1.0, -2.0], "std": 0.5}, 100.0, 2, 300),
    ("min_max", {"min": -1.0, "max": [1.0, 3.0]}, 100.0, 2, 300),
    ("difference", {}, 100.0, 2, 299),
    ("difference", {"order": 3}, 100.0, 2, 297),
    ("resample", {"rate": 100.0}, 100.0, 2, 300),
    ("resample", {"rate": 250.0}, 100.0, 2, 750),
    ("resample", {"rate": 33.0}, 100.0, 2, 99),
    ("resample", {"rate": 25.0}, 100.0, 2, 75),
    ("band_pass", {"low": 10.0, "high": 20.0}, 100.0, 2, 300),
    ("log_mel", SMALL, 1000.0, 1, 12),
    ("log_mel", {**SMALL, "center": False, "win_length": 30}, 1000.0, 1, 10),
    ("log_mel", {**SMALL, "hop_length": 90, "center": False}, 1000.0, 1, 3),
    ("log_mel", {**SMALL, "preset": "mlperf_sww"}, 16000.0, 1, 10),
    ("mfcc", {**SMALL, "preset": "tensorflow", "n_mfcc": 4}, 1000.0, 1, 10),
    ("micro_frontend", {"step": 0.001}, 16000.0, 1, 0),
]
WINDOWS: list[tuple[str, Mapping[str, Any], float, int]] = [
    ("z_score", {"mean": 1.0, "std": [0.5, 2.0]}, 100.0, 2),
    ("min_max", {"min": -1.0, "max": 1.0, "range": (-1.0, 1.0)}, 100.0, 2),
    ("standardize", {}, 100.0, 2),
    ("detrend", {}, 100.0, 2),
    ("difference", {"order": 2}, 100.0, 2),
    ("statistics", {}, 100.0, 2),
    ("fft", {}, 100.0, 2),
    ("welch", {"nperseg": 64}, 100.0, 2),
    ("band_power", {"bands": [(0, 10), (10, 50)]}, 100.0, 2),
    ("envelope_spectrum", {"band": (10, 40), "fmax": 20}, 100.0, 2),
    ("log_mel", SMALL, 1000.0, 1),
    ("mfcc", SMALL | {"n_mfcc": 4}, 1000.0, 1),
    ("micro_frontend", {}, 16000.0, 1),
]


def stream_stage(name: str, options: Mapping[str, Any], rate: float, channels: int) -> StreamStage:
    """A stage along a stream, by its name."""
    stage = STREAM_STAGES.load(name)
    return stage(stage.Options(**options), rate, channels)


def window_stage(
    name: str, options: Mapping[str, Any], rate: float, shape: tuple[int, int]
) -> WindowStage:
    """A stage on windows, by its name."""
    stage = WINDOW_STAGES.load(name)
    return stage(stage.Options(**options), rate, shape)


def rows(count: int, channels: int) -> NDArray[np.float32]:
    """Noise from -1 to 1."""
    values = sounds.noise(count * channels) / np.float32(2**15)
    return values.astype(np.float32).reshape(count, channels)


def test_all_are_tried() -> None:
    """The tables here name every stage there is."""
    assert {name for name, *_ in STREAMS} == set(STREAM_STAGES.names())
    assert {name for name, *_ in WINDOWS} == set(WINDOW_STAGES.names())


@pytest.mark.parametrize(("name", "options", "rate", "channels", "count"), STREAMS)
def test_rows_of_a_stream(
    name: str, options: Mapping[str, Any], rate: float, channels: int, count: int
) -> None:
    """As many as the rates say, with the columns that the stage tells, as float32."""
    stage = stream_stage(name, options, rate, channels)
    found = stage.push(rows(300, channels))
    assert found.shape == (count, stage.channels)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    stage.push(rows(1000, channels))
    longer = stage.push(rows(3000, channels))
    assert len(longer) == pytest.approx(3000 * stage.rate / rate, abs=1)


@pytest.mark.parametrize(("name", "options", "rate", "channels", "count"), STREAMS)
@settings(max_examples=25)
@given(sizes=st.lists(st.integers(0, 120), max_size=7))
def test_blocks_make_no_difference(
    name: str,
    options: Mapping[str, Any],
    rate: float,
    channels: int,
    count: int,
    sizes: list[int],
) -> None:
    """However the stream is cut, the same rows come out; also after a reset."""
    whole = rows(600, channels)
    stage = stream_stage(name, options, rate, channels)
    expected = stage.push(whole.copy())
    stage.reset()
    cut = np.minimum(np.cumsum(sizes), len(whole)).astype(int)
    parts = []
    for part in np.split(whole, cut):
        block = part.copy()
        found = stage.push(block)
        parts.append(found.copy())
        if found is not block:
            block[:] = np.nan  # the source's buffer is its own again
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("name", "options", "rate", "channels"), WINDOWS)
def test_result_of_a_window(
    name: str, options: Mapping[str, Any], rate: float, channels: int
) -> None:
    """It has the shape that the stage tells, is float32, and the window stays as it is."""
    window = rows(600, channels)
    before = window.copy()
    stage = window_stage(name, options, rate, (600, channels))
    found = stage.apply(window)
    assert found.shape == stage.shape
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(window, before)
    kept = found.copy()
    stage.apply(rows(600, channels)[::-1])
    np.testing.assert_array_equal(found, kept)
    np.testing.assert_array_equal(stage.apply(window), kept)


@pytest.mark.parametrize(("name", "options", "rate", "channels"), WINDOWS)
def test_silence(name: str, options: Mapping[str, Any], rate: float, channels: int) -> None:
    """A channel that does not move breaks nothing."""
    stage = window_stage(name, options, rate, (600, channels))
    with np.errstate(all="raise", under="ignore"):
        assert np.isfinite(stage.apply(np.zeros((600, channels), np.float32))).all()


BAD: list[tuple[str, Mapping[str, Any], str]] = [
    ("z_score", {"mean": 0.0, "std": 0.0}, "std"),
    ("z_score", {"mean": [0.0, 1.0, 2.0], "std": 1.0}, "mean"),
    ("z_score", {"mean": float("nan"), "std": 1.0}, "mean"),
    ("min_max", {"min": 1.0, "max": 1.0}, "max"),
    ("min_max", {"min": 0.0, "max": 1.0, "range": (1.0, 0.0)}, "range"),
    ("difference", {"order": 8}, "order"),
    ("statistics", {"features": ["mode"]}, "features"),
    ("welch", {"nperseg": 9}, "nperseg"),
    ("welch", {"nperseg": 8, "noverlap": 8}, "noverlap"),
    ("band_power", {"bands": [(1.0, 2.0)]}, "bands"),
    ("envelope_spectrum", {"band": (30.0, 60.0)}, "band"),
    ("envelope_spectrum", {"band": (1.0, 2.0)}, "band"),
    ("envelope_spectrum", {"fmax": 60.0}, "fmax"),
    ("log_mel", {}, "log_mel"),
    ("mfcc", {}, "log_mel"),
    ("micro_frontend", {}, "micro_frontend"),
]


@pytest.mark.parametrize(("name", "options", "option"), BAD)
def test_bad_options_of_windows(name: str, options: Mapping[str, Any], option: str) -> None:
    """The error names the option, and says in brackets what to do."""
    with pytest.raises(ValueError, match=rf"^{option}: .* \(.+\)$"):
        window_stage(name, options, 100.0, (8, 2))


BAD_SOUND: list[tuple[str, Mapping[str, Any], float, str]] = [
    ("log_mel", {"n_fft": 512, "win_length": 513}, 16000.0, "win_length"),
    ("log_mel", {"n_fft": 511}, 16000.0, "n_fft"),
    ("log_mel", {"fmax": 8001.0}, 16000.0, "fmax"),
    ("log_mel", {"fmin": 4000.0, "fmax": 3000.0}, 16000.0, "fmin"),
    ("log_mel", {"top_db": 80.0}, 16000.0, "top_db"),
    ("log_mel", {"preset": "tensorflow", "htk": True}, 16000.0, "htk"),
    ("log_mel", {"preset": "mlperf_ad"}, 8000.0, "preset"),
    ("mfcc", {"preset": "mlperf_kws"}, 16000.0, "preset"),
    ("mfcc", {"preset": "mlperf_ad"}, 16000.0, "preset"),
    ("mfcc", {"n_mels": 8, "n_mfcc": 9}, 16000.0, "n_mfcc"),
    ("micro_frontend", {}, 44100.0, "micro_frontend"),
    ("micro_frontend", {"step": 0.00001}, 16000.0, "step"),
    ("resample", {"rate": 3.14159265}, 16000.0, "rate"),
    ("resample", {"rate": 0.5}, 16000.0, "rate"),
    ("band_pass", {}, 16000.0, "low"),
    ("band_pass", {"low": 200.0, "high": 100.0}, 16000.0, "high"),
    ("band_pass", {"high": 8000.0}, 16000.0, "high"),
    ("band_pass", {"low": 1.0}, 16000.0, "transition"),
]


@pytest.mark.parametrize(("name", "options", "rate", "option"), BAD_SOUND)
def test_bad_options_of_streams(
    name: str, options: Mapping[str, Any], rate: float, option: str
) -> None:
    """The error names the option, and says in brackets what to do."""
    with pytest.raises(ValueError, match=rf"^{option}: .* \(.+\)$"):
        stream_stage(name, options, rate, 1)


@pytest.mark.parametrize("name", ["log_mel", "mfcc"])
def test_windows_that_are_too_short(name: str) -> None:
    """A window must hold one frame."""
    with pytest.raises(ValueError, match=r"^n_fft: "):
        window_stage(name, {"center": False}, 16000.0, (2047, 1))
    assert window_stage(name, {"center": False}, 16000.0, (2048, 1)).shape[0] == 1


@pytest.mark.parametrize("name", [*STREAM_STAGES.names(), *WINDOW_STAGES.names()])
def test_options_are_options(name: str) -> None:
    """Each stage has an options class that a schema can be made of."""
    pydantic = pytest.importorskip("pydantic")
    for registry in (STREAM_STAGES, WINDOW_STAGES):
        if name in registry.names():
            options = registry.load(name).Options
            assert issubclass(options, Options)
            schema = pydantic.TypeAdapter(options).json_schema()
            assert all("description" in field for field in schema["properties"].values())
            assert schema["additionalProperties"] is False
