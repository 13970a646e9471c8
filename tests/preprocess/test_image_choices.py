"""Which models and options fit, and what is chosen where the user says nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_agent.errors import ModelError
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions
from tests.preprocess.oracle import solid, write
from tests.support.models import make_spec


@pytest.mark.parametrize(
    ("shape", "dtype", "reason"),
    [
        ((), "uint8", "shape empty takes no picture"),
        ((1, 4), "float32", "shape 1x4 takes no picture"),
        ((2, 32, 32, 3), "uint8", "takes no picture"),
        ((1, 1, 32, 32, 3), "uint8", "takes no picture"),
        ((1, -1, -1, 3), "uint8", "shape 1x[?]x[?]x3 takes no picture"),
        ((1, 0, 32, 3), "uint8", "takes no picture"),
        ((1, 32, 32, 2), "uint8", "takes no picture"),
        ((3, 32, 32), "uint8", "takes no picture"),
        ((1, 32, 32, 3), "int64", "int64: pixels cannot be written"),
        ((1, 32, 32, 3), "bool", "bool: pixels cannot be written"),
    ],
)
def test_no_image_model(shape: tuple[int, ...], dtype: str, reason: str) -> None:
    """A model that takes no picture is refused with its shape or type, and a cure."""
    with pytest.raises(ModelError, match=reason) as error:
        ImagePreprocessor(make_spec(shape, dtype, name="x"), {}, PreprocessOptions())
    assert "'x'" in str(error.value)
    assert error.value.cure


def test_free_batch() -> None:
    """A batch that is not fixed counts as one."""
    spec = make_spec((-1, 4, 4, 3), "uint8")
    tensor = np.zeros((1, 4, 4, 3), np.uint8)
    ImagePreprocessor(spec, {}, PreprocessOptions()).write(solid((4, 4)), tensor)
    assert (tensor == (30, 20, 10)).all()


@pytest.mark.parametrize(
    ("options", "channels", "reason"),
    [
        (PreprocessOptions(color="gray"), 3, "'gray' does not fit .* use rgb or bgr"),
        (PreprocessOptions(color="rgb"), 1, "'rgb' does not fit .* use gray"),
        (PreprocessOptions(color="gray"), 4, "'gray' does not fit .* use rgb or bgr"),
        (PreprocessOptions(mean=(1.0, 2.0)), 3, "mean has 2 numbers; the model has 3 channels"),
        (PreprocessOptions(std=(50.0, 50.0, 50.0)), 1, "std has 3 numbers"),
        (PreprocessOptions(mean=()), 3, "mean must be a number or a list"),
        (PreprocessOptions(mean=float("nan")), 3, "mean must be a number"),
        (PreprocessOptions(std=float("inf")), 3, "std must be a number"),
        (PreprocessOptions(std=0.0), 3, "std must be above 0, not 0"),
        (PreprocessOptions(std=(60.0, -1.0, 60.0)), 3, "std must be above 0"),
        (PreprocessOptions(mean=0.485, std=0.229), 3, "multiply fractions by 255"),
        (PreprocessOptions(std=(60.0, 0.5, 60.0)), 3, "multiply fractions by 255"),
    ],
)
def test_options_that_do_not_fit(options: PreprocessOptions, channels: int, reason: str) -> None:
    """Options that contradict the model or themselves are refused with what would fit."""
    with pytest.raises(ValueError, match=reason):
        ImagePreprocessor(make_spec((1, 8, 8, channels)), {}, options)


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((1, 8, 8, 3), np.int8),
        np.zeros((1, 8, 9, 3), np.uint8),
        np.zeros((1, 8, 16, 3), np.uint8)[:, :, ::2],
        np.zeros((1, 8, 8, 3), np.uint8, order="F"),
    ],
)
def test_wrong_tensor(tensor: Any) -> None:
    """A tensor that could not be filled in place is refused instead of left as it is."""
    preprocessor = ImagePreprocessor(make_spec((1, 8, 8, 3), "uint8"), {}, PreprocessOptions())
    with pytest.raises(ValueError, match="tensor"):
        preprocessor.write(solid((8, 8)), tensor)


ULTRALYTICS = {"task": "detect", "stride": 32, "imgsz": [32, 32]}


@pytest.mark.parametrize(
    ("metadata", "fit"),
    [
        ({}, "stretch"),
        ({"imgsz": [32, 32]}, "stretch"),
        ({"task": "detect", "stride": 32}, "stretch"),
        (ULTRALYTICS, "letterbox"),
        ({"imgsz": [32, 32], "stride": 32}, "letterbox"),
        ({**ULTRALYTICS, "task": "segment"}, "letterbox"),
        ({**ULTRALYTICS, "task": "classify"}, "crop"),
    ],
)
def test_auto_fit(metadata: dict[str, Any], fit: str) -> None:
    """A model by Ultralytics gets what it was trained with, any other one is stretched."""
    spec = make_spec((1, 32, 32, 3), "uint8")
    preprocessor = ImagePreprocessor(spec, metadata, PreprocessOptions())
    assert preprocessor.describe().startswith(fit)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (PreprocessOptions(), "letterbox (pad 150) to"),
        (PreprocessOptions(pad=0), "letterbox (pad 0) to"),
        (PreprocessOptions(fit="stretch"), "stretch to"),
        (PreprocessOptions(fit="crop"), "crop to"),
    ],
)
def test_letterbox_of_the_family(options: PreprocessOptions, text: str) -> None:
    """A model whose family is trained with a letterbox gets it, its grey too, unless told else."""
    spec = make_spec((1, 32, 32, 3), "uint8")
    assert ImagePreprocessor(spec, {"pad": 150}, options).describe().startswith(text)


@pytest.mark.parametrize("pad", [-1, 256, "114", None, 0.5])
def test_letterbox_of_no_grey(pad: Any) -> None:
    """What is no grey value, in notes that anybody may write, counts as nothing."""
    spec = make_spec((1, 32, 32, 3), "uint8")
    preprocessor = ImagePreprocessor(spec, {"pad": pad}, PreprocessOptions())
    assert preprocessor.describe().startswith("stretch")


@pytest.mark.parametrize(("color", "text"), [("auto", "BGR"), ("rgb", "RGB")])
def test_colors_of_the_family(color: Any, text: str) -> None:
    """A family that is trained on BGR gets it, unless told else; one channel stays grey."""
    notes, options = {"color": "bgr"}, PreprocessOptions(color=color)
    preprocessor = ImagePreprocessor(make_spec((1, 32, 32, 3), "uint8"), notes, options)
    assert f" {text}, " in preprocessor.describe()
    grey = ImagePreprocessor(make_spec((1, 32, 32, 1), "uint8"), notes, PreprocessOptions())
    assert " GRAY, " in grey.describe()


def test_the_user_overrides_the_metadata() -> None:
    """A fit that is set wins over what the model says."""
    spec = make_spec((1, 32, 32, 3), "uint8")
    options = PreprocessOptions(fit="stretch", color="bgr")
    tensor, _ = write(spec, solid((64, 32)), options, ULTRALYTICS)
    assert (tensor == (10, 20, 30)).all()


@pytest.mark.parametrize(
    ("spec", "options", "text"),
    [
        (
            make_spec((1, 24, 32, 3), "uint8"),
            PreprocessOptions(fit="letterbox", pad=7),
            "letterbox (pad 7) to 32x24 RGB, uint8 = px",
        ),
        (
            make_spec((1, 3, 24, 32)),
            PreprocessOptions(color="bgr", mean=127.5, std=127.5),
            "stretch to 32x24 BGR, channels first, float32 = (px - 127.5) / 127.5",
        ),
        (
            make_spec((1, 24, 32, 1), "int8"),
            PreprocessOptions(fit="crop"),
            "crop to 32x24 GRAY, int8 = px - 128",
        ),
    ],
)
def test_describe(spec: Any, options: PreprocessOptions, text: str) -> None:
    """One line says what happens to a frame."""
    assert ImagePreprocessor(spec, {}, options).describe() == text
