"""Arrays, tables and sound become the inputs of a model, or one error says what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import InferenceError
from edge_agent.geometry import BoxMapping
from edge_agent.model import TensorSpec
from edge_agent.preprocess.samples import Samples, samples_of_rows, samples_of_sound

FEATURES = TensorSpec("features", (1, 2, 3, 1), np.dtype(np.int8), 0.5, 10)
STATE = TensorSpec("state", (1, 4), np.dtype(np.uint8), 0.1, 128)
NUMBER = TensorSpec("number", (1, 1), np.dtype(np.float32))
PIXELS = TensorSpec("pixels", (1, 2, 2, 1), np.dtype(np.uint8))
WAVE = TensorSpec("wave", (4,), np.dtype(np.float32))
NOTHING = TensorSpec("nothing", (0,), np.dtype(np.float32))
RAMP = np.arange(6, dtype=np.int8)


def written(samples: Samples, specs: Sequence[TensorSpec]) -> list[list[Any]]:
    """All inputs of all samples, as flat lists."""
    found = []
    for number in range(len(samples)):
        tensors = [np.full(spec.shape, 99, spec.dtype) for spec in specs]
        assert samples.write(number, *tensors) == BoxMapping()
        found.append([tensor.reshape(-1).tolist() for tensor in tensors])
    return found


@pytest.mark.parametrize("shape", [(1, 2, 3, 1), (2, 3, 1), (2, 3), (1, 2, 3)])
def test_one_sample(shape: tuple[int, ...]) -> None:
    """Axes of length one may be left out; native numbers go in as they are."""
    samples = Samples({"anything": RAMP.reshape(shape)}, [FEATURES])
    assert written(samples, [FEATURES]) == [[RAMP.tolist()]]


@pytest.mark.parametrize("shape", [(2, 2, 3, 1), (2, 2, 3), (2, 1, 2, 3, 1)])
def test_several_samples(shape: tuple[int, ...]) -> None:
    """One axis more in front counts them."""
    both = np.stack([RAMP, RAMP + 1]).reshape(shape)
    samples = Samples({"arr_0": both}, [FEATURES])
    assert written(samples, [FEATURES]) == [[RAMP.tolist()], [(RAMP + 1).tolist()]]


def test_samples_of_one_number() -> None:
    """A row of numbers is one sample each where the model takes a single one."""
    samples = Samples({"arr_0": np.array([0.25, -1.0, 3.0])}, [NUMBER])
    assert written(samples, [NUMBER]) == [[[0.25]], [[-1.0]], [[3.0]]]


def test_real_numbers_are_quantised() -> None:
    """With the input's scale and zero point, clipped to what its type holds."""
    values = np.array([[0.0, 0.5, -1.0], [0.24, 1e9, -np.inf]], np.float32)
    assert written(Samples({"x": values}, [FEATURES]), [FEATURES]) == [[[10, 11, 8, 10, 127, -128]]]


def test_whole_numbers_of_an_input_without_scale() -> None:
    """They are the numbers themselves."""
    samples = samples_of_rows(np.array([[0.0, 255.0], [1.0, 2.0]]), [PIXELS])
    assert written(samples, [PIXELS]) == [[[0, 255, 1, 2]]]


def test_several_inputs() -> None:
    """By name or by place; one that nothing is said of is the real number zero."""
    specs = [FEATURES, STATE]
    state = np.arange(4, dtype=np.uint8)
    for arrays in ({"features": RAMP.reshape(2, 3), "arr_1": state}, {"arr_0": RAMP.reshape(2, 3)}):
        samples = Samples(arrays, specs)
        given = "arr_1" in arrays
        assert samples.missing == (() if given else ("state",))
        wanted = state.tolist() if given else [128] * 4
        assert written(samples, specs) == [[RAMP.tolist(), wanted]]


def test_rows_fill_samples() -> None:
    """Row by row, the next sample begins where one is full, however wide a row is."""
    rows = np.arange(12.0).reshape(4, 3)
    wanted = [[[10 + 2 * value for value in part]] for part in (range(6), range(6, 12))]
    assert written(samples_of_rows(rows, [FEATURES]), [FEATURES]) == wanted
    assert written(samples_of_rows(rows.reshape(2, 6), [FEATURES]), [FEATURES]) == wanted


@pytest.mark.parametrize(
    ("count", "starts"), [(4, [0]), (8, [0, 4]), (10, [0, 4, 6]), (5, [0, 1]), (3, None)]
)
def test_windows_of_sound(count: int, starts: list[int] | None) -> None:
    """One after the other, the last one at the end; a short sound is filled up with silence."""
    sound = np.arange(1, count + 1).astype(np.float32)
    windows = [sound[start : start + 4] for start in starts or []] or [np.append(sound, 0)]
    found = written(samples_of_sound(sound, [WAVE]), [WAVE])
    assert found == [[window.tolist()] for window in windows]


def test_sound_into_a_quantised_waveform() -> None:
    """-1 to 1 are the ends of the type."""
    spec = TensorSpec("wave", (1, 4), np.dtype(np.int8), 1 / 128, 0)
    sound = np.array([-1.0, 0.0, 0.5, 1.0], np.float32)
    assert written(samples_of_sound(sound, [spec]), [spec]) == [[[-128, 0, 64, 127]]]


def _error(arrays: dict[str, NDArray[Any]], *specs: TensorSpec) -> str:
    with pytest.raises(InferenceError) as caught:
        written(Samples(arrays, specs), specs)
    return str(caught.value)


EXPECTED = "input 'features' (int8 1x2x3x1, real = 0.5 * (q - 10))"


def test_a_wrong_shape() -> None:
    """What is expected stands beside what was given, with the cure."""
    assert _error({"x": np.zeros((2, 4), np.int8)}, FEATURES) == (
        f"an array of shape 2x4 does not fit {EXPECTED} (give 1x2x3x1, or N x that for N samples)"
    )
    assert "shape 0x2x3 does not fit" in _error({"x": np.zeros((0, 2, 3), np.int8)}, FEATURES)
    assert "shape none does not fit" in _error({"x": np.array(3, np.int8)}, FEATURES)


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "U3"])
def test_a_wrong_type(dtype: str) -> None:
    """Other whole numbers might be pixels, steps or readings: nobody guesses."""
    message = _error({"x": np.zeros((2, 3), dtype)}, FEATURES)
    assert message.endswith(f"does not fit {EXPECTED} (give int8 or real numbers (float))")


def test_numbers_that_do_not_fit() -> None:
    """NaN has no place among eight bits, a fraction or 256 none where nothing is quantised."""
    nan = np.full((2, 3), np.nan)
    assert _error({"x": nan}, FEATURES) == (
        f"its numbers are not all int8, which {EXPECTED} takes (give numbers, not NaN)"
    )
    for wrong in (0.5, 256.0, -1.0, np.nan):
        message = _error({"x": np.full((2, 2), wrong)}, PIXELS)
        assert message.endswith("(give whole numbers in its range)")


def test_wrong_names_and_counts() -> None:
    """The names that are known are told, and how many samples each array has."""
    specs = (FEATURES, STATE)
    message = _error({"x": RAMP.reshape(2, 3), "arr_1": np.zeros(4, np.uint8)}, *specs)
    assert message.startswith(f"it holds 'x'; the model takes {EXPECTED}, input 'state' (uint8 1x4")
    assert message.endswith("(name each array as its input, or arr_0, arr_1, ... in their order)")
    counts = {"arr_0": np.zeros((2, 2, 3), np.int8), "arr_1": np.zeros((3, 4), np.uint8)}
    assert "its arrays hold 2 and 3 samples" in _error(counts, *specs)


def test_rows_that_leave_a_gap() -> None:
    """How many numbers there are, and how many a sample takes."""
    with pytest.raises(InferenceError, match="its 7 numbers do not fill input 'features'"):
        samples_of_rows(np.zeros((7, 1)), [FEATURES])
    with pytest.raises(InferenceError, match="its 7 numbers do not fill input 'nothing'"):
        samples_of_rows(np.zeros((7, 1)), [NOTHING])


@pytest.mark.parametrize("spec", [FEATURES, STATE, PIXELS, NOTHING])
def test_sound_for_a_model_of_something_else(spec: TensorSpec) -> None:
    """Features and states are no waveform, whatever their length."""
    with pytest.raises(InferenceError, match=f"input '{spec.name}' .* takes no waveform"):
        samples_of_sound(np.zeros(16, np.float32), [spec])
