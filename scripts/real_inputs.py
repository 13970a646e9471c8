"""What a model of the test data is made for, as its input tensors: pictures, speech, machine noise.

`real_inputs` picks the kind by the shapes of the inputs. Where the test data has the features of
another front end than the model's own (mlperf_sww) or none (tflm_hello_world), the numbers are
scaled to the range of the input: they are spread as real ones, and mean nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.reading import read_tflite
from edge_agent.model import TensorSpec, dequantize
from edge_agent.sources.arrays import load_arrays, load_sound

Array = NDArray[Any]
Arrays = tuple[Array, ...]

DATA = Path(
    os.environ.get("EDGE_AGENT_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")
).resolve()
"""The test data, whether it is there or not."""

_SPEECH_RATE = 16_000


def real_inputs(data: Path, specs: Sequence[TensorSpec]) -> Iterator[Arrays]:
    """Endless inputs in native dtypes from the test data in `data`, the same in each call."""
    shape = tuple(specs[0].shape)
    if len(specs) > 1 and len(shape) == 4 and shape[3] > 4:
        yield from _detector_heads(data, specs)
    elif shape in _MAKERS:
        while True:
            for values in _MAKERS[shape](data):
                yield (_native(values.reshape(shape), specs[0]),)
    else:
        yield from _pictures(data, specs)


def _native(values: Array, spec: TensorSpec) -> Array:
    """Real numbers quantised as the input says; numbers of its own dtype as they are."""
    if values.dtype == spec.dtype or not isinstance(spec.scale, float):
        return values.astype(spec.dtype)
    limits = np.iinfo(spec.dtype)
    steps = np.rint(values / spec.scale) + spec.zero_point
    return np.clip(steps, limits.min, limits.max).astype(spec.dtype)


def _mfcc(data: Path) -> Iterator[Array]:
    """The inputs of MLPerf's keyword spotter, which are int8 already."""
    yield from load_arrays(data / "audio" / "mlperf_kws01_mfcc_int8_1000.npz")["x"]


def _features(data: Path) -> Iterator[Array]:
    """Features of one wav after the other: frames x 40, 0..26, a frame every 10 ms."""
    features = load_arrays(data / "audio" / "micro_frontend_features.npz")
    yield from (features[name] for name in sorted(features))


def _streamed(data: Path) -> Iterator[Array]:
    """Three frames at a time, as microWakeWord takes them."""
    for frames in _features(data):
        yield from frames[: len(frames) // 3 * 3].reshape(-1, 3, 40)


def _windows(frames: int, every: int, factor: float) -> Callable[[Path], Iterator[Array]]:
    """Windows of so many frames, one frame of so many taken."""

    def make(data: Path) -> Iterator[Array]:
        for features in _features(data):
            thinned = features[::every] * factor
            for start in range(0, len(thinned) - frames + 1, 5):
                yield thinned[start : start + frames]

    return make


def _machine(data: Path) -> Iterator[Array]:
    """Five frames of 128 log-mel values of a machine, as MLPerf's anomaly detector takes them."""
    (file,) = (data / "audio").glob("toyadmos_*_logmel_f32_200x128.bin")
    frames = np.fromfile(file, np.float32).reshape(200, 128)
    for start in range(len(frames) - 4):
        yield frames[start : start + 5]


def _waveforms(data: Path) -> Iterator[Array]:
    """Windows of 15600 samples of all sounds of 16 kHz, from -1 to 1."""
    for file in sorted((data / "audio").glob("*.wav")):
        sound = load_sound(file)
        if sound.rate == _SPEECH_RATE:
            for start in range(0, len(sound.samples) - 15600 + 1, 4000):
                yield sound.samples[start : start + 15600]


def _measurements(data: Path) -> Iterator[Array]:
    """The temperature of a machine over months, spread over 0..2 pi."""
    file = data / "sensor" / "nab" / "machine_temperature_system_failure.csv"
    values = np.loadtxt(file, delimiter=",", skiprows=1, usecols=1)
    yield from (values - values.min()) / np.ptp(values) * 2.0 * np.pi


def _digits(data: Path) -> Iterator[Array]:
    """The written nine of the test data, moved about and scaled."""
    noise = np.random.default_rng(2)
    yield from (
        cut[..., 0] / np.float64(255.0) for cut in _cuts(data, (28, 28, 1), noise, "*nine*")
    )


_MAKERS: Mapping[tuple[int, ...], Callable[[Path], Iterator[Array]]] = {
    (1, 49, 10, 1): _mfcc,
    (1, 3, 40): _streamed,
    (1, 1960): _windows(49, 2, 1.0),
    (1, 30, 1, 40): _windows(30, 2, 0.94 / 26.0),
    (1, 640): _machine,
    (1, 28, 28): _digits,
    (1, 1): _measurements,
    (15600,): _waveforms,
}


def _pictures(data: Path, specs: Sequence[TensorSpec]) -> Iterator[Arrays]:
    """Parts of pictures, cut and scaled to each input; states (of other shapes) are zero."""
    noise = np.random.default_rng(1)
    cuts = [
        _cuts(data, tuple(spec.shape[1:]), noise) if spec.shape[-1] <= 4 else None for spec in specs
    ]
    while True:
        yield tuple(
            np.full(spec.shape, spec.zero_point, spec.dtype)
            if cut is None
            else _pixels(next(cut), spec)
            for cut, spec in zip(cuts, specs, strict=True)
        )


def _pixels(cut: NDArray[np.uint8], spec: TensorSpec) -> Array:
    return (cut.astype(np.int64) + np.iinfo(spec.dtype).min).astype(spec.dtype)[None]


def _cuts(
    data: Path, shape: tuple[int, ...], noise: np.random.Generator, names: str = "*"
) -> Iterator[NDArray[np.uint8]]:
    """Endless parts of the pictures, height x width x 1 to 4 channels."""
    import cv2  # noqa: PLC0415 - the engine itself must do without

    files = sorted((data / "images").glob(f"{names}.[jb][pm][gp]"))
    for picture in cycle([cv2.imread(str(file)) for file in files]):
        assert picture is not None
        sides = [int(side * noise.uniform(0.5, 1.0)) for side in picture.shape[:2]]
        top, left = (
            int(noise.integers(0, whole - side + 1))
            for whole, side in zip(picture.shape[:2], sides, strict=True)
        )
        cut = cv2.resize(picture[top : top + sides[0], left : left + sides[1]], shape[1::-1])
        if shape[2] == 1:
            cut = cv2.cvtColor(cut, cv2.COLOR_BGR2GRAY)[..., None]
        yield cut[..., : shape[2]].astype(np.uint8)


def _detector_heads(data: Path, specs: Sequence[TensorSpec]) -> Iterator[Arrays]:
    """What the same layers of another detector give for pictures, in the scale of the inputs."""
    path = data / "models" / "coco_ssd_mobilenet_v1_1.0_quant.tflite"
    engine = NumpyEngine(path, keep_all=True)
    tensors = read_tflite(path).main.tensors
    places = {tensor.name: place for place, tensor in enumerate(tensors)}
    for inputs in _pictures(data, engine.inputs):
        engine.run(*inputs)
        yield tuple(
            _native(dequantize(engine.value(place), tensors[place].spec()), spec)
            for spec in specs
            for place in (places[spec.name],)
        )
