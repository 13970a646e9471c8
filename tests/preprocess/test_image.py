"""What is written into the tensor, number by number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.errors import InferenceError
from edge_agent.preprocess.image import ImagePreprocessor, PreprocessOptions
from tests.preprocess.oracle import bilinear, every_value, expected, noise, solid, write
from tests.support.models import make_spec

Fit = Literal["stretch", "letterbox", "crop"]
FITS: tuple[Fit, ...] = ("stretch", "letterbox", "crop")
# dtype, scale, zero point, and the number that a pixel then becomes where nobody says otherwise
DEFAULTS: list[tuple[str, float | None, int | None, Callable[[int], float]]] = [
    ("uint8", None, None, lambda px: px),
    ("uint8", 1 / 128, 128, lambda px: px),  # as it is, whatever the scale
    ("int8", None, None, lambda px: px - 128),
    ("int8", 1 / 255, -128, lambda px: px - 128),
    ("int8", 2 / 255, 0, lambda px: px - 128),  # within one step of round((px / 127.5 - 1) / scale)
    ("int8", 2 / 240, 0, lambda px: min(max(round((px - 127.5) / 127.5 * 120), -128), 127)),
    ("int16", None, None, lambda px: px),
    ("int16", 1 / 32767, 0, lambda px: round(px / 255 * 32767)),
    ("int32", None, None, lambda px: px),
    ("float32", None, None, lambda px: px / 255),
]


def ordered(image: NDArray[np.uint8], color: str, channels: int) -> list[NDArray[Any]]:
    """The frame's channels in the model's order, with an opaque fourth."""
    blue, green, red = (image[..., channel] for channel in range(3))
    opaque = np.full(image.shape[:2], 255)
    first = [red, green, blue] if color == "rgb" else [blue, green, red]
    return [*first, opaque][:channels]


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("color", "channels"), [("rgb", 3), ("bgr", 3), ("rgb", 4), ("bgr", 4)])
@pytest.mark.parametrize(("dtype", "scale", "zero_point", "becomes"), DEFAULTS)
def test_the_defaults(
    dtype: str,
    scale: float | None,
    zero_point: int | None,
    becomes: Callable[[int], float],
    color: Literal["rgb", "bgr"],
    channels: int,
    planar: bool,
) -> None:
    """Each pixel becomes the number that the formula gives, in each dtype, order and layout."""
    shape = (1, channels, 16, 16) if planar else (1, 16, 16, channels)
    spec = make_spec(shape, dtype, scale, zero_point)
    tensor, _ = write(spec, every_value(), PreprocessOptions(color=color))
    table = np.array([becomes(px) for px in range(256)], dtype)
    right = table[np.stack(ordered(every_value(), color, channels), 0 if planar else -1)]
    assert np.array_equal(tensor[0], right)


@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [
        ("float32", None, None),
        ("uint8", 0.0173, 117),
        ("int8", 0.0187, -14),
        ("int8", None, None),
        ("int16", 1 / 8192, 0),
    ],
)
def test_mean_and_std(
    dtype: str, scale: float | None, zero_point: int | None, planar: bool
) -> None:
    """What the user sets for each channel is applied exactly, then quantised and clipped."""
    shape = (1, 3, 16, 16) if planar else (1, 16, 16, 3)
    spec = make_spec(shape, dtype, scale, zero_point)
    means, stds = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    tensor, _ = write(spec, every_value(), PreprocessOptions(mean=means, std=stds))
    right = expected(ordered(every_value(), "rgb", 3), spec, means, stds, planar=planar)
    assert np.array_equal(tensor, right)


@pytest.mark.parametrize(
    ("options", "mean", "std"),
    [
        (PreprocessOptions(mean=127.5), 127.5, 1.0),
        (PreprocessOptions(std=127.5), 0.0, 127.5),
        (PreprocessOptions(mean=(1.0,), std=(2.0,)), 1.0, 2.0),
    ],
)
def test_mean_or_std_alone(options: PreprocessOptions, mean: float, std: float) -> None:
    """The other one is 0 or 1, and one number serves all channels."""
    spec = make_spec((1, 16, 16, 3))
    tensor, _ = write(spec, every_value(), options, metadata={"mean": [9.0], "std": [7.0]})
    right = expected(ordered(every_value(), "rgb", 3), spec, [mean] * 3, [std] * 3, planar=False)
    assert np.array_equal(tensor, right)


@pytest.mark.parametrize(("dtype", "offset"), [("uint8", 0), ("int8", 128)])
@pytest.mark.parametrize("shape", [(1, 16, 16, 1), (1, 1, 16, 16), (16, 16, 1)])
def test_grey(shape: tuple[int, ...], dtype: str, offset: int) -> None:
    """One channel takes the brightness by ITU-R BT.601, and grey pixels exactly."""
    tensor, _ = write(make_spec(shape, dtype), every_value())
    brightness = every_value() @ np.array([0.114, 0.587, 0.299]) - offset
    assert np.abs(tensor.reshape(16, 16) - brightness).max() <= 0.51
    plain = np.repeat(every_value()[..., :1], 3, axis=2)
    tensor, _ = write(make_spec(shape, dtype), plain)
    assert np.array_equal(tensor.reshape(16, 16), plain[..., 0].astype(int) - offset)


@pytest.mark.parametrize("size", [(31, 17), (97, 64), (320, 5)])
def test_scaling_is_bilinear(size: tuple[int, int]) -> None:
    """A frame of another size is blended between pixel centres, to within rounding."""
    image = noise(1, size)
    tensor, _ = write(make_spec((1, 24, 40, 3), "uint8"), image, PreprocessOptions(color="bgr"))
    assert np.abs(tensor[0] - bilinear(image, (40, 24))).max() <= 1.0


@pytest.mark.parametrize("pad", [0, 114, 255])
@pytest.mark.parametrize(
    ("size", "inside"),
    [
        ((80, 20), np.s_[12:20, :]),
        ((20, 80), np.s_[:, 12:20]),
        ((6, 6), np.s_[:, :]),
        ((64, 63), np.s_[:, :]),
        ((64, 59), np.s_[1:31, :]),
    ],
)
def test_letterbox_borders(size: tuple[int, int], inside: Any, pad: int) -> None:
    """The frame's colour fills its place, in the middle, and the grey of `pad` all the rest."""
    options = PreprocessOptions(fit="letterbox", color="bgr", pad=pad)
    tensor, _ = write(make_spec((1, 32, 32, 3), "uint8"), solid(size), options)
    right = np.full((32, 32, 3), pad, np.uint8)
    right[inside] = (10, 20, 30)
    assert np.array_equal(tensor[0], right)


def test_crop_takes_the_middle() -> None:
    """The sides of a wide frame, and nothing else, are left out."""
    image = solid((64, 32))
    image[:, 16:48] = noise(2, (32, 32))
    tensor, _ = write(
        make_spec((1, 32, 32, 3), "uint8"), image, PreprocessOptions(fit="crop", color="bgr")
    )
    assert np.array_equal(tensor[0], image[:, 16:48])


SIZES = st.tuples(st.integers(1, 70), st.integers(1, 70))


@settings(deadline=None)
@given(st.sampled_from(FITS), st.sampled_from(["uint8", "int8", "float32"]), st.lists(SIZES))
def test_frames_of_changing_shape(fit: Fit, dtype: str, sizes: list[tuple[int, int]]) -> None:
    """A frame gives the same numbers and mapping whatever frames came before it."""
    spec = make_spec((1, 3, 24, 32), dtype)
    options = PreprocessOptions(fit=fit)
    kept = ImagePreprocessor(spec, {}, options)
    for seed, size in enumerate(sizes):
        tensor = np.zeros(spec.shape, spec.dtype)
        mapping = kept.write(noise(seed, size), tensor)
        fresh, fresh_mapping = write(spec, noise(seed, size), options)
        assert np.array_equal(tensor, fresh)
        assert mapping == fresh_mapping


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (3000, 2), (2, 3000), (3, 1)])
@pytest.mark.parametrize("target", [(1, 1), (1, 20), (20, 1), (33, 17)])
def test_odd_shapes(fit: Fit, size: tuple[int, int], target: tuple[int, int]) -> None:
    """Even frames and tensors of one pixel are filled: with the frame's colour or the border's."""
    spec = make_spec((1, target[1], target[0], 3), "uint8")
    tensor, mapping = write(spec, solid(size), PreprocessOptions(fit=fit, color="bgr", pad=200))
    pixels = {tuple(pixel) for pixel in tensor.reshape(-1, 3).tolist()}
    assert (10, 20, 30) in pixels
    assert pixels <= ({(10, 20, 30), (200, 200, 200)} if fit == "letterbox" else {(10, 20, 30)})
    whole = mapping.boxes(np.array([[0, 0, 1, 1]], np.float32))
    assert (whole[0, 2:] > whole[0, :2]).all()


@pytest.mark.parametrize(
    "view",
    [np.s_[:, ::-1], np.s_[::-1], np.s_[..., ::-1], np.s_[3:20, 5:30], np.s_[::2, ::3]],
)
@pytest.mark.parametrize("fit", FITS)
def test_views(view: Any, fit: Fit) -> None:
    """A frame that is a view of another array is read as what it shows, and is not changed."""
    whole = noise(3, (48, 40))
    before = whole.copy()
    spec = make_spec((1, 20, 24, 3), "uint8")
    options = PreprocessOptions(fit=fit)
    tensor, _ = write(spec, whole[view], options)
    assert np.array_equal(tensor, write(spec, whole[view].copy(), options)[0])
    assert np.array_equal(whole, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 0, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 1), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((1, 10, 10, 3), np.uint8),
        np.zeros((16, 16, 3), np.float32),
        np.zeros((16, 16, 3), np.int8),
    ],
)
def test_no_picture(image: NDArray[Any]) -> None:
    """What is no picture is refused with a cure, before and after good frames, which still work."""
    spec = make_spec((1, 16, 16, 3), "uint8")
    preprocessor = ImagePreprocessor(spec, {}, PreprocessOptions(color="bgr"))
    tensor = np.zeros(spec.shape, np.uint8)
    for _ in range(2):
        with pytest.raises(InferenceError, match="is no picture") as error:
            preprocessor.write(image, tensor)
        assert "BGR" in error.value.cure
        preprocessor.write(every_value(), tensor)
        assert np.array_equal(tensor[0], every_value())
