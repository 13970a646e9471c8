"""Float networks for the benchmark of quantisation, trained by Keras on made-up tasks.

    pip install tensorflow-cpu==2.21.0 opencv-python-headless
    python -m benchmarks.quantize_nets --work FOLDER

writes kws.tflite and mobilenet.tflite, each with an .npz of calibration and test data and the int8
model that TensorFlow's converter makes of it (kws_tf.tflite). The detector is that of
`scripts.train_demo_model`, whose rendered pictures (`scenes-*.npz`) the MobileNet learns from as
well: leave them in the same folder.
"""

from __future__ import annotations

import argparse
import importlib
import time
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from scripts.train_demo_model import CLEAR, HELD_OUT, render

Array = NDArray[Any]

WORDS = 12
FRAMES, BANDS = 49, 10
SIDE = 96
CALIBRATION = 200


@cache
def _tf() -> Any:
    return importlib.import_module("tensorflow")


def spoken(count: int, seed: int) -> tuple[Array, Array]:
    """Made-up words: three bands whose loudness and height change over time, shifted, in noise."""
    words = np.random.default_rng(0)
    heights = words.uniform(0, BANDS, (WORDS, 3, 1)) + words.normal(0, 1.5, (WORDS, 3, 4)).cumsum(2)
    loudness = words.uniform(0.3, 1.5, (WORDS, 3, 4))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, WORDS, count)
    x = rng.normal(0, 1.8, (count, FRAMES, BANDS, 1)).astype(np.float32)
    bands = np.arange(BANDS)
    for sample, word in zip(x, labels, strict=True):
        length, start = rng.integers(20, 36), rng.integers(0, 12)
        at = np.linspace(0, 3, length)
        for height, loud in zip(heights[word], loudness[word], strict=True):
            centre = np.interp(at, range(4), height + rng.normal(0, 0.5))[:, np.newaxis]
            volume = np.interp(at, range(4), loud)[:, np.newaxis] * rng.uniform(0.7, 1.3)
            spread = volume * np.exp(-((bands - centre) ** 2) / 1.5)
            sample[start : start + length, :, 0] += spread.astype(np.float32)
    return x, labels


def parts(count: int, first_seed: int, work: Path) -> tuple[Array, Array]:
    """Rendered parts cut out of their pictures, 96 x 96 RGB in -1..1."""
    scenes = render(count, first_seed, work)
    cut, labels = [], []
    for image, boxes, classes, visible in zip(*scenes, strict=True):
        for box, label in zip(boxes[visible >= CLEAR], classes[visible >= CLEAR], strict=True):
            height, width = image.shape[:2]
            y1, x1, y2, x2 = (box * (height, width, height, width)).astype(int)
            piece = image[max(y1 - 2, 0) : y2 + 3, max(x1 - 2, 0) : x2 + 3]
            cut.append(cv2.resize(piece, (SIDE, SIDE)))
            labels.append(label)
    return np.array(cut, np.float32) / 127.5 - 1.0, np.array(labels)


def kws_network() -> Any:
    """A depthwise separable CNN of the size of MLPerf Tiny's keyword spotter."""
    layers = _tf().keras.layers

    def normed(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    image = _tf().keras.Input((FRAMES, BANDS, 1))
    x = normed(layers.Conv2D(64, (10, 4), 2, "same", use_bias=False)(image))
    for _ in range(4):
        x = normed(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = normed(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return _tf().keras.Model(image, layers.Dense(WORDS, "softmax")(x))


def mobilenet() -> Any:
    """MobileNet v2 of width 0.5 with four classes."""
    model = _tf().keras.applications.MobileNetV2((SIDE, SIDE, 3), 0.5, weights=None, classes=4)
    for layer in model.layers:
        if hasattr(layer, "momentum"):
            layer.momentum = 0.9  # its 0.999 is for trainings of a hundred thousand steps
    return model


def _train(model: Any, x: Array, y: Array, epochs: int) -> None:
    began = time.monotonic()
    steps = epochs * -(-len(x) // 64)
    rate = _tf().keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(
        _tf().keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(x, y, 64, epochs, verbose=2)
    print(f"trained in {time.monotonic() - began:.0f} s", flush=True)


def _write(model: Any, samples: Array, path: Path) -> None:
    """The float .tflite of one sample, and TensorFlow's int8 one beside it."""
    tf = _tf()
    holder = tf.Module()
    holder.weights = [each.value for each in model.variables]  # so that the converter freezes them
    run: Any = tf.function(lambda x: model(x, training=False))
    concrete = run.get_concrete_function(tf.TensorSpec((1, *samples.shape[1:]), tf.float32))
    for target, is_int8 in ((path, False), (path.with_stem(f"{path.stem}_tf"), True)):
        converter: Any = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
        if is_int8:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([each[None]] for each in samples)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        target.write_bytes(converter.convert())


def main() -> None:
    """Train what is not there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=3000, help="rendered for training")
    parser.add_argument("--epochs", type=int, nargs=2, default=[12, 6], help="of each network")
    given = parser.parse_args()
    _tf().keras.utils.set_random_seed(1)
    sets = {
        "kws": (lambda: spoken(8000, 1), lambda: spoken(2000, 2), kws_network),
        "mobilenet": (
            lambda: parts(given.pictures, 0, given.work),
            lambda: parts(600, HELD_OUT, given.work),
            mobilenet,
        ),
    }
    makers: Any
    for (name, makers), epochs in zip(sets.items(), given.epochs, strict=True):
        train, test, network = makers
        if (given.work / f"{name}.tflite").exists():
            continue
        (x, y), (test_x, test_y) = train(), test()
        model = network()
        print(f"{name}: {model.count_params()} parameters, {len(x)} samples", flush=True)
        _train(model, x, y, epochs)
        chosen = np.random.default_rng(3).permutation(len(x))[:CALIBRATION]
        _write(model, x[chosen], given.work / f"{name}.tflite")
        np.savez(given.work / f"{name}.npz", calibration=x[chosen], x=test_x, y=test_y)
        print(f"{name}: test accuracy {model.evaluate(test_x, test_y, 64, 0)[1]:.4f}", flush=True)


if __name__ == "__main__":
    main()
