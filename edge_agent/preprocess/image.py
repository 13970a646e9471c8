"""From a picture to an image model's input tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.errors import InferenceError, ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import TensorSpec
from edge_agent.options import Doc, Options
from edge_agent.preprocess.placement import Fit, Placement, place
from edge_agent.preprocess.values import Normalisation, pixel_values

_CHANNELS = (1, 3, 4)
_PAD = 114  # the grey of Ultralytics
_CONVERSIONS: Mapping[tuple[str, int], int | None] = {
    ("gray", 1): None,  # done before
    ("rgb", 3): cv2.COLOR_BGR2RGB,
    ("bgr", 3): None,
    ("rgb", 4): cv2.COLOR_BGR2RGBA,
    ("bgr", 4): cv2.COLOR_BGR2BGRA,
}


@dataclass(frozen=True, slots=True)
class PreprocessOptions(Options):
    """How a frame becomes the model's input; the defaults come from the model itself."""

    fit: Annotated[
        Literal["auto", "stretch", "letterbox", "crop"],
        Doc(
            "stretch to the model's shape, letterbox (whole frame, borders added), or crop (middle "
            "of the frame). auto: as the model says or its family is trained, else stretch."
        ),
    ] = "auto"
    color: Annotated[
        Literal["auto", "rgb", "bgr", "gray"],
        Doc(
            "Channel order of the model. auto: gray with one channel, else its family's, else rgb."
        ),
    ] = "auto"
    mean: Annotated[
        float | tuple[float, ...] | None,
        Doc(
            "Subtracted from each pixel value 0..255; one number, or one for each channel in the "
            "model's order. Instead of what the model says; 0 where only std is given."
        ),
    ] = None
    std: Annotated[
        float | tuple[float, ...] | None,
        Doc("Divides the pixel value after mean is subtracted; 1 where only mean is given."),
    ] = None
    pad: Annotated[
        int | None,
        Ge(0),
        Le(255),
        Doc("Grey value of a letterbox's borders; default: that of the model's family, else 114."),
    ] = None


class ImagePreprocessor:
    """Scales, orders and quantises a frame straight into the interpreter's input tensor.

    Everything that does not depend on the frame is worked out once. Scratch memory belongs to the
    object: use one for each thread.
    """

    def __init__(
        self, spec: TensorSpec, metadata: Mapping[str, Any], options: PreprocessOptions
    ) -> None:
        """`metadata` is what is known of the model's pictures, by its maker or its family.

        Raise ModelError where the input is no image, ValueError where the options do not fit.
        """
        height, width, channels, self._planar = _image_shape(spec)
        self._spec = spec
        self._size = (width, height)
        self._fit = _choose_fit(options.fit, metadata)
        self._color = _choose_color(options.color, channels, metadata)
        self._conversion = _CONVERSIONS[self._color, channels]
        self._values = pixel_values(spec, channels, metadata, _wanted(options, channels))
        greys = (options.pad, _grey_of(metadata), _PAD)
        self._pad = next(grey for grey in greys if grey is not None)
        flat = (height, width) if channels == 1 else (height, width, channels)
        self._shape = (channels, height, width) if self._planar and channels > 1 else flat
        self._canvas = np.full(flat if channels == 1 else (height, width, 3), self._pad, np.uint8)
        self._gray = np.empty((0, 0), np.uint8)
        self._colored = np.empty(flat, np.uint8)
        self._planes = np.empty(self._shape, np.uint8)
        self._frame_shape: tuple[int, ...] = ()
        self._placement = place("stretch", self._size, self._size)

    def describe(self) -> str:
        """One line that tells what happens to a frame."""
        fit = f"letterbox (pad {self._pad})" if self._fit == "letterbox" else self._fit
        layout = ", channels first" if self._planar else ""
        size = f"{self._size[0]}x{self._size[1]}"
        return f"{fit} to {size} {self._color.upper()}{layout}, {self._values.text}"

    def write(self, image: NDArray[np.uint8], tensor: NDArray[Any]) -> BoxMapping:
        """Fill the tensor from a frame (H x W x 3 uint8, BGR); returns the way back for boxes.

        `tensor` has the shape and dtype of the spec (batch 1) and is C-contiguous. Raises
        InferenceError for a frame that is no picture.
        """
        if image.shape != self._frame_shape or image.dtype != np.uint8:
            self._new_frame_shape(image)
        self._fill(self._resized(self._as_wanted(image)), self._flat(tensor))
        return self._placement.mapping

    def _new_frame_shape(self, image: NDArray[Any]) -> None:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise InferenceError(
                f"a frame of shape {image.shape} and type {image.dtype} is no picture",
                "the source must give height x width x 3 uint8 in BGR order",
            )
        height, width = image.shape[:2]
        self._placement = place(self._fit, (width, height), self._size)
        self._canvas.fill(self._pad)
        self._frame_shape = image.shape
        if self._color == "gray":
            self._gray = np.empty((height, width), np.uint8)

    def _as_wanted(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame, in grey where the model wants that: one channel is scaled, not three."""
        if self._color != "gray":
            return image
        cv2.cvtColor(image, cv2.COLOR_BGR2GRAY, dst=self._gray)
        return self._gray

    def _flat(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """The tensor without its batch of one. OpenCV would fill a copy if the shape were wrong."""
        if (
            tensor.dtype != self._spec.dtype
            or tensor.size != self._planes.size
            or not tensor.flags.c_contiguous
        ):
            raise ValueError(f"tensor {tensor.shape} {tensor.dtype} is not {self._spec.shape}")
        return tensor.reshape(self._shape)

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The frame at its place in the tensor's size, H x W x 3 or H x W."""
        placement: Placement = self._placement
        if image.shape == self._canvas.shape:
            return image
        source, target = image[placement.source.slices], self._canvas[placement.target.slices]
        # Linear: what the models are evaluated with. Area averaging costs up to 9 times as much.
        size = (placement.target.width, placement.target.height)
        cv2.resize(source, size, dst=target, interpolation=cv2.INTER_LINEAR)
        return self._canvas

    def _fill(self, pixels: NDArray[np.uint8], out: NDArray[Any]) -> None:
        """Order the channels, then turn pixels into the tensor's numbers."""
        unchanged = self._values.unchanged
        if out.ndim == 3 and self._planar:
            colored = self._ordered(pixels, self._colored)
            planes = out if unchanged else self._planes
            cv2.split(colored, list(planes))
            if not unchanged:
                self._values.planes(planes, out)
        elif unchanged:
            if self._ordered(pixels, out) is pixels:
                np.copyto(out, pixels)
        else:
            self._values.interleaved(self._ordered(pixels, self._colored), out)

    def _ordered(self, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The pixels in the model's channel order: in `out`, or themselves where they are so."""
        if self._conversion is None:
            return pixels
        cv2.cvtColor(pixels, self._conversion, dst=out)
        return out


class NoPictures:
    """Stands in for the preprocessor of a model that takes other things; says so when asked."""

    def __init__(self, reason: ModelError) -> None:
        self._reason = reason

    def write(self, image: NDArray[np.uint8], tensor: NDArray[Any]) -> BoxMapping:
        """Raise InferenceError with the reason."""
        del image, tensor  # a frame that the error keeps must not keep the interpreter's memory
        raise InferenceError(self._reason.message, self._reason.cure)


def picture_place(specs: Sequence[TensorSpec]) -> int:
    """Which of a model's inputs takes the picture: the largest that can; the first where none."""
    areas = [picture_area(spec) for spec in specs]
    return areas.index(max(areas)) if areas else 0


def picture_area(spec: TensorSpec) -> int:
    """Pixels of an input; zero for one that takes no picture."""
    try:
        height, width, *_ = _image_shape(spec)
    except ModelError:
        return 0
    return height * width


def _image_shape(spec: TensorSpec) -> tuple[int, int, int, bool]:
    """Height, width, channels, and whether the channels come first."""
    shape = spec.shape
    if len(shape) == 4 and shape[0] in (1, -1):  # a free batch is one until someone resizes it
        shape = shape[1:]
    elif len(shape) != 3:
        raise _no_image(spec, "use a model with an image input (1 x height x width x channels)")
    if min(shape) <= 0:
        raise _no_image(spec, "convert the model with a fixed input size, such as 1x320x320x3")
    if shape[2] in _CHANNELS:
        return shape[0], shape[1], shape[2], False
    if len(spec.shape) == 4 and shape[0] in _CHANNELS:
        return shape[1], shape[2], shape[0], True
    raise _no_image(spec, "use a model with 1 (grey), 3 or 4 colour channels")


def _no_image(spec: TensorSpec, cure: str) -> ModelError:
    shape = "x".join("?" if side < 0 else str(side) for side in spec.shape) or "empty"
    return ModelError(f"input {spec.name!r} of shape {shape} takes no picture", cure)


def _choose_fit(
    fit: Literal["auto", "stretch", "letterbox", "crop"], meta: Mapping[str, Any]
) -> Fit:
    """Ultralytics letterboxes, but crops for classification (its `classify_transforms`)."""
    if fit != "auto":
        return fit
    if _grey_of(meta) is not None:
        return "letterbox"
    if "imgsz" not in meta or not {"task", "stride"} & meta.keys():
        return "stretch"
    return "crop" if meta.get("task") == "classify" else "letterbox"


def _grey_of(meta: Mapping[str, Any]) -> int | None:
    """Grey of the letterbox that the model's family is trained with, None where it has none."""
    grey = meta.get("pad")
    return grey if isinstance(grey, int) and 0 <= grey <= 255 else None


def _choose_color(color: str, channels: int, meta: Mapping[str, Any]) -> str:
    if color == "auto":
        trained = "bgr" if meta.get("color") == "bgr" else "rgb"
        return "gray" if channels == 1 else trained
    if (color, channels) not in _CONVERSIONS:
        fitting = [name for name, count in _CONVERSIONS if count == channels]
        raise ValueError(
            f"color {color!r} does not fit a model with {channels} channels: use "
            f"{' or '.join(fitting)}"
        )
    return color


def _wanted(options: PreprocessOptions, channels: int) -> Normalisation | None:
    """What the user says in place of the model's metadata."""
    if options.mean is None and options.std is None:
        return None
    mean = 0.0 if options.mean is None else options.mean
    norm = Normalisation.read(mean, 1.0 if options.std is None else options.std, channels)
    if (norm.std < 1.0).any():
        raise ValueError("mean and std are in pixel units 0..255: multiply fractions by 255")
    return norm
