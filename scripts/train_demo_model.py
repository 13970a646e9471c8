"""Trains the embedded demo's detector on rendered pictures and exports it for TFLite.

The result is a small single-scale SSD, fully int8 with a uint8 input, that ends in the custom op
TFLite_Detection_PostProcess; its labels lie in a zip archive at the end of the file.

    python -m venv venv && . venv/bin/activate
    pip install tensorflow-cpu==2.21.0 ai-edge-litert opencv-python-headless
    python -m scripts.train_demo_model --out edge_agent/assets/belt.tflite    # trains, evaluates
    python -m scripts.train_demo_model --evaluate edge_agent/assets/belt.tflite
    python -m scripts.train_demo_model --clip edge_agent/assets/belt.mp4      # needs ffmpeg

Only training needs tensorflow; tflite-runtime does instead of ai-edge-litert. The training pictures
are rendered from seeds below HELD_OUT, those of the evaluation from HELD_OUT on.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import multiprocessing
import subprocess
import time
import zipfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from scripts.demo_world import CLIP_SEED, LABELS, Belt, Picture, render_still

WIDTH, HEIGHT, STRIDE = 256, 144, 8
# Width and height of the anchors at every cell, px of the model's input.
ANCHORS = ((25, 25), (38, 38), (44, 20), (20, 44))
HELD_OUT = 10_000_000
SLOTS = 12  # most parts in one picture
CLEAR = 0.35  # parts less visible than this neither count as parts nor as background
# At an IoU of 0.5 a box between two parts that touch may outlive the suppression.
MAX_DETECTIONS, NMS_IOU, NMS_SCORE = 25, 0.4, 0.02
BOX_SCALES = (10.0, 10.0, 5.0, 5.0)

Floats = npt.NDArray[np.float32]


class Scenes(NamedTuple):
    """Rendered pictures, RGB at the model's size, with their truth padded to SLOTS parts."""

    images: Picture  # (n, HEIGHT, WIDTH, 3)
    boxes: Floats  # (n, SLOTS, 4): y1, x1, y2, x2 in 0..1
    classes: npt.NDArray[np.int32]  # (n, SLOTS), -1 where there is none
    visible: Floats  # (n, SLOTS), 0..1


@cache
def _tf() -> Any:
    """TensorFlow, loaded only when training: it is untyped and slow to import."""
    return importlib.import_module("tensorflow")


def _camera(image: Picture, rng: np.random.Generator) -> Picture:
    """Picture (h, w, 3) BGR as the model gets it: often JPEG-coded, shrunk, RGB."""
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 96))]
        coded = cv2.imencode(".jpg", image, quality)[1]
        image = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    # Either way of shrinking may be used in the field; the linear one aliases.
    way = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_AREA
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=way)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def _scene(seed: int) -> tuple[Picture, Floats, npt.NDArray[np.int32], Floats]:
    """One picture with its truth, in the layout of `Scenes`."""
    cv2.setNumThreads(1)
    rng = np.random.default_rng(seed)
    image, parts = render_still(rng)
    boxes, visible = np.zeros((SLOTS, 4), np.float32), np.zeros(SLOTS, np.float32)
    classes = np.full(SLOTS, -1, np.int32)
    for i, part in enumerate(parts):
        x1, y1, x2, y2 = part.box
        boxes[i], visible[i] = (y1, x1, y2, x2), part.visible
        classes[i] = LABELS.index(part.label)
    return _camera(image, rng), boxes, classes, visible


def render(count: int, first_seed: int, cache_dir: Path) -> Scenes:
    """Render `count` pictures from consecutive seeds, or load them from an earlier run."""
    path = cache_dir / f"scenes-{first_seed}-{count}.npz"
    if path.exists():
        with np.load(path) as stored:
            return Scenes(*(stored[name] for name in Scenes._fields))
    began = time.monotonic()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        rows = list(pool.map(_scene, range(first_seed, first_seed + count), chunksize=50))
    scenes = Scenes(*(np.stack(column) for column in zip(*rows, strict=True)))
    cache_dir.mkdir(parents=True, exist_ok=True)
    np.savez(path, **scenes._asdict())
    print(f"rendered {count} pictures in {time.monotonic() - began:.0f} s", flush=True)
    return scenes


def _norm_relu(x: Any) -> Any:
    """Batch normalisation and ReLU6."""
    layers = _tf().keras.layers
    return layers.ReLU(6.0)(layers.BatchNormalization(momentum=0.97)(x))


def _separable(x: Any, filters: int, stride: int = 1, kernel: int = 3) -> Any:
    """Depthwise and pointwise convolution, with a shortcut where the shapes allow one."""
    layers = _tf().keras.layers
    y = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False)(x)
    y = layers.Conv2D(filters, 1, use_bias=False)(_norm_relu(y))
    if stride == 1 and x.shape[-1] == filters:
        y = layers.Add()([x, layers.BatchNormalization(momentum=0.97)(y)])
        return layers.ReLU(6.0)(y)
    return _norm_relu(y)


def network() -> Any:
    """The detector: (n, HEIGHT, WIDTH, 3) in 0..1 to box codes and class logits, (n, anchors, 4).

    Its features at stride 8 get context from stride 16, where a cell sees a whole part.
    """
    keras = _tf().keras
    layers, filters = keras.layers, (16, 32, 64, 128)
    image = keras.Input((HEIGHT, WIDTH, 3))
    x = _norm_relu(layers.Conv2D(filters[0], 3, 2, "same", use_bias=False)(image))
    x = _separable(x, filters[1], 2)
    x = _separable(_separable(x, filters[1]), filters[1])
    x = _separable(x, filters[2], 2)
    fine = _separable(_separable(x, filters[2]), filters[2])
    x = _separable(fine, filters[3], 2)
    for _ in range(3):
        x = _separable(x, filters[3], kernel=5)
    x = _norm_relu(layers.Conv2D(filters[2], 1, use_bias=False)(x))
    x = layers.Resizing(HEIGHT // STRIDE, WIDTH // STRIDE, interpolation="nearest")(x)
    x = layers.Add()([fine, x])
    x = _separable(_separable(x, 96), 96)
    rare = keras.initializers.Constant(-4.6)  # a score of 0.01: most anchors hold nothing
    codes = layers.Conv2D(4 * len(ANCHORS), 1)(_separable(x, 64))
    logits = layers.Conv2D(len(LABELS) * len(ANCHORS), 1, bias_initializer=rare)(_separable(x, 64))
    heads = [layers.Reshape((-1, 4))(codes), layers.Reshape((-1, len(LABELS)))(logits)]
    return keras.Model(image, heads)


def anchors() -> Floats:
    """The anchors, (n, 4): centre y, centre x, height, width in 0..1."""
    rows, cols = np.mgrid[0 : HEIGHT // STRIDE, 0 : WIDTH // STRIDE]
    grid = np.zeros((*rows.shape, len(ANCHORS), 4), np.float32)
    grid[..., 0] = ((rows + 0.5) * STRIDE / HEIGHT)[..., None]
    grid[..., 1] = ((cols + 0.5) * STRIDE / WIDTH)[..., None]
    grid[..., 2] = [h / HEIGHT for _, h in ANCHORS]
    grid[..., 3] = [w / WIDTH for w, _ in ANCHORS]
    return grid.reshape(-1, 4)


# --- training


def _augment(images: Any, boxes: Any) -> tuple[Any, Any]:
    """Random flips, contrast, brightness and colour: (n, h, w, 3) uint8 to 0..1, boxes alike."""
    tf = _tf()
    n = tf.shape(images)[0]
    x = tf.cast(images, tf.float32) / 255.0
    y1, x1, y2, x2 = (boxes[..., i] for i in range(4))
    down, across = (tf.random.uniform((n, 1)) < 0.5 for _ in range(2))
    x = tf.where(down[..., None, None], x[:, ::-1], x)
    x = tf.where(across[..., None, None], x[:, :, ::-1], x)
    y1, y2 = tf.where(down, 1 - y2, y1), tf.where(down, 1 - y1, y2)
    x1, x2 = tf.where(across, 1 - x2, x1), tf.where(across, 1 - x1, x2)
    gain = tf.exp(tf.random.normal((n, 1, 1, 1), 0, 0.15) + tf.random.normal((n, 1, 1, 3), 0, 0.06))
    x = x * gain + tf.random.normal((n, 1, 1, 1), 0, 0.04)
    return tf.clip_by_value(x, 0.0, 1.0), tf.stack([y1, x1, y2, x2], -1)


def _overlaps(boxes: Any, grid: Floats) -> Any:
    """IoU (n, anchors, slots) of boxes (n, slots, 4) with the anchors (anchors, 4)."""
    tf = _tf()
    low, high = grid[:, None, :2] - grid[:, None, 2:] / 2, grid[:, None, :2] + grid[:, None, 2:] / 2
    top = tf.maximum(boxes[:, None, :, :2], low)
    end = tf.minimum(boxes[:, None, :, 2:], high)
    both = tf.reduce_prod(tf.maximum(end - top, 0.0), -1)
    area = tf.reduce_prod(boxes[..., 2:] - boxes[..., :2], -1)[:, None]
    return both / (area + np.prod(grid[:, 2:], -1)[:, None] - both + 1e-9)


def _targets(boxes: Any, classes: Any, visible: Any, grid: Floats) -> tuple[Any, Any, Any]:
    """What each anchor should say: class one-hot, box codes, both (n, anchors, 4), and a state.

    The state, (n, anchors), is 1 for a part, 0 for background and -1 for neither.
    """
    tf = _tf()
    iou = _overlaps(boxes, grid)
    clear = (visible >= CLEAR) & (classes >= 0)
    good = tf.where(clear[:, None], iou, 0.0)
    # Every clear part gets its best anchor, however badly that fits.
    peak = (good > 0.15) & (good >= tf.reduce_max(good, 1, keepdims=True) - 1e-6)
    good += tf.cast(peak, tf.float32)
    best, held = tf.argmax(good, -1), tf.reduce_max(good, -1)
    murky = tf.reduce_max(tf.where(clear[:, None], 0.0, iou), -1) > 0.25
    state = tf.where(held >= 0.5, 1.0, tf.where((held >= 0.4) | murky, -1.0, 0.0))
    box = tf.gather(boxes, best, batch_dims=1)
    extent = tf.maximum(box[..., 2:] - box[..., :2], 1e-3)
    shift = ((box[..., :2] + box[..., 2:]) / 2 - grid[:, :2]) / grid[:, 2:] * BOX_SCALES[:2]
    codes = tf.concat([shift, tf.math.log(extent / grid[:, 2:]) * BOX_SCALES[2:]], -1)
    onehot = tf.one_hot(tf.gather(classes, best, batch_dims=1), len(LABELS))
    return onehot * tf.cast(state > 0, tf.float32)[..., None], codes, state


def _loss(codes: Any, logits: Any, wanted: tuple[Any, Any, Any]) -> Any:
    """Focal class loss plus Huber box loss, per part in the batch."""
    tf = _tf()
    onehot, box, state = wanted
    part = tf.cast(state > 0, tf.float32)
    score = tf.sigmoid(logits)
    missing = tf.abs(onehot - score)
    entropy = tf.nn.sigmoid_cross_entropy_with_logits(onehot, logits)
    focal = tf.reduce_sum(missing**1.5 * entropy, -1) * tf.cast(state >= 0, tf.float32)
    # A weak pull to zero on the background keeps the range of the codes narrow for int8.
    off = tf.abs(codes - box * part[..., None])
    huber = tf.reduce_sum(tf.where(off < 1, off**2 / 2, off - 0.5), -1)
    huber *= part + 0.0005 * (1 - part)
    return tf.reduce_sum(focal + 0.4 * huber) / tf.maximum(tf.reduce_sum(part), 1.0)


def train(model: Any, scenes: Scenes, epochs: int, batch: int) -> None:
    """One round of Adam on a cosine schedule; prints the mean loss of each epoch."""
    tf, grid, count = _tf(), anchors(), len(scenes.images)
    steps = epochs * (count // batch)
    rate = tf.keras.optimizers.schedules.CosineDecay(
        1e-4, steps, warmup_target=4e-3, warmup_steps=min(300, steps // 5), alpha=0.003
    )
    adam = tf.keras.optimizers.AdamW(rate, weight_decay=2e-4)

    def step(images: Any, boxes: Any, classes: Any, visible: Any) -> Any:
        images, boxes = _augment(images, boxes)
        with tf.GradientTape() as tape:
            codes, logits = model(images, training=True)
            loss = _loss(codes, logits, _targets(boxes, classes, visible, grid))
        slopes = tf.clip_by_global_norm(tape.gradient(loss, model.trainable_variables), 10.0)[0]
        adam.apply_gradients(zip(slopes, model.trainable_variables, strict=True))
        return loss

    step_ = tf.function(step)
    rng, began = np.random.default_rng(1), time.monotonic()
    for epoch in range(epochs):
        order = rng.permutation(count)[: count // batch * batch].reshape(-1, batch)
        losses = [step_(*(column[picked] for column in scenes)) for picked in order]
        spent = time.monotonic() - began
        print(f"epoch {epoch + 1}/{epochs} loss {np.mean(losses):.4f} {spent:.0f} s", flush=True)


def _postprocess(grid: Floats) -> Any:
    """A function that the converter replaces by the custom op, by its `implements` attribute."""
    tf = _tf()
    whole = {"max_detections": MAX_DETECTIONS, "max_classes_per_detection": 1}
    whole["num_classes"] = len(LABELS)
    real = {"nms_score_threshold": NMS_SCORE, "nms_iou_threshold": NMS_IOU}
    real |= dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), BOX_SCALES, strict=True))
    text = ['name: "TFLite_Detection_PostProcess"']
    text += [f'attr {{ key: "{k}" value {{ i: {v} }} }}' for k, v in whole.items()]
    text += [f'attr {{ key: "{k}" value {{ f: {v} }} }}' for k, v in real.items()]
    text += ['attr { key: "use_regular_nms" value { b: false } }']

    def detection_postprocess(_codes: Any, _scores: Any, _anchors: Any) -> Any:
        shapes = ((1, MAX_DETECTIONS, 4), (1, MAX_DETECTIONS), (1, MAX_DETECTIONS), (1,))
        return tuple(tf.constant(0.0, tf.float32, shape) for shape in shapes)

    marked = tf.function(detection_postprocess, experimental_implements=" ".join(text))
    return lambda codes, scores: marked(codes, scores, tf.constant(grid))


def export(model: Any, samples: Picture | None) -> bytes:
    """The TFLite file; int8 if there are samples, (n, h, w, 3), to calibrate it with."""
    tf, finish = _tf(), _postprocess(anchors())
    holder = tf.Module()
    holder.weights = [v.value for v in model.variables]  # makes the converter freeze them

    def detect(image: Any) -> Any:
        codes, logits = model(image, training=False)
        return finish(codes, tf.sigmoid(logits))

    image = tf.TensorSpec((1, HEIGHT, WIDTH, 3), tf.float32, "image")
    concrete = tf.function(detect).get_concrete_function(image)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], holder)
    converter.allow_custom_ops = True
    if samples is not None:
        ends = [np.zeros_like(samples[0]), np.full_like(samples[0], 255)]  # for a scale of 1/255
        shown = [*ends, *samples]
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [image[None].astype(np.float32) / 255.0] for image in shown
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
    return _in_order(bytes(converter.convert()))


def _in_order(model: bytes) -> bytes:
    """The model with the custom op's outputs as its own: boxes, classes, scores, count.

    The converter shuffles them; the names are the ones that the Object Detection API gives.
    """
    files = importlib.import_module("tensorflow.lite.tools.flatbuffer_utils")
    content = files.convert_bytearray_to_object(bytearray(model))
    graph = content.subgraphs[0]
    graph.outputs = graph.operators[-1].outputs
    for i, tensor in enumerate(graph.outputs):
        suffix = f":{i}" if i else ""
        graph.tensors[tensor].name = f"TFLite_Detection_PostProcess{suffix}"
    content.signatureDefs = []
    return bytes(files.convert_object_to_bytearray(content))


def append_labels(path: Path) -> None:
    """Append the label file to the model as a zip archive, with a fixed time stamp."""
    entry = zipfile.ZipInfo("labelmap.txt", (2024, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, "\n".join(LABELS) + "\n")


def describe(belt: Belt) -> dict[str, Any]:
    """The truth file's contents: when each part can be seen, and how many there are."""
    views = [{part.ident for part in belt.parts(i)} for i in range(len(belt))]
    parts = []
    for ident, item in enumerate(belt.items):
        seen = [i for i, view in enumerate(views) if ident in view]
        row = {"id": ident, "label": item.label, "first_frame": seen[0], "last_frame": seen[-1]}
        parts.append(row)
    return {
        "labels": LABELS,
        "fps": belt.fps,
        "size": belt.size,
        "frames": len(belt),
        "parts": parts,
        "totals": {label: sum(item.label == label for item in belt.items) for label in LABELS},
        "still": [(round(start, 3), round(end, 3)) for start, end in belt.still],
    }


def write_clip(belt: Belt, path: Path) -> None:
    """Encode the belt's frames as H.264, yuv420p, with the truth in a .json file beside it."""
    width, height = belt.size
    command = f"ffmpeg -y -loglevel error -f rawvideo -pix_fmt bgr24 -s {width}x{height}"
    command += f" -r {belt.fps} -i - -c:v libx264 -preset slow -crf 20 -pix_fmt yuv420p -g 60"
    # One thread and no encoder version: the same frames then give the same file.
    command += " -threads 1 -fflags +bitexact -flags:v +bitexact -movflags +faststart"
    pictures = b"".join(frame.image.tobytes() for frame in belt)
    subprocess.run([*command.split(), str(path)], input=pictures, check=True)
    path.with_suffix(".json").write_text(json.dumps(describe(belt), indent=1) + "\n", "utf-8")


# --- evaluation


class Detector:
    """A TFLite detector on one thread."""

    def __init__(self, path: Path) -> None:
        """Load the model with the first interpreter that is installed."""
        for name in ("ai_edge_litert.interpreter", "tflite_runtime.interpreter"):
            if importlib.util.find_spec(name.split(".")[0]):
                make: Any = importlib.import_module(name).Interpreter
                break
        else:
            raise SystemExit("no TFLite interpreter: pip install ai-edge-litert")
        self._net = make(model_path=str(path), num_threads=1)
        self._net.allocate_tensors()
        self._input = self._net.get_input_details()[0]
        self._outputs = [o["index"] for o in self._net.get_output_details()]

    def __call__(self, image: Picture) -> tuple[Floats, Floats, Floats]:
        """Boxes (n, 4) y1, x1, y2, x2, class ids (n,), scores (n,) of an RGB picture."""
        real = image[None].astype(np.float32) / 255.0
        scale, zero = self._input["quantization"]
        if scale:
            real = np.clip(np.round(real / scale + zero), 0, 255).astype(np.uint8)
        self._net.set_tensor(self._input["index"], real)
        self._net.invoke()
        boxes, classes, scores, count = (self._net.get_tensor(i) for i in self._outputs)
        n = int(count[0])
        return boxes[0, :n], classes[0, :n], scores[0, :n]


def _iou(a: Floats, b: Floats) -> Floats:
    """IoU (n, m) of boxes (n, 4) and (m, 4)."""
    top, end = np.maximum(a[:, None, :2], b[:, :2]), np.minimum(a[:, None, 2:], b[:, 2:])
    both = np.prod(np.maximum(end - top, 0), -1)
    areas = [np.prod(box[:, 2:] - box[:, :2], -1) for box in (a, b)]
    return np.asarray(both / (areas[0][:, None] + areas[1] - both + 1e-9), np.float32)


def _judge(overlap: Floats, counts: npt.NDArray[np.bool_], limit: float) -> list[int]:
    """Verdicts on detections, best first, by their overlap (n, m) with m parts of their class.

    1 is a hit, 0 a false alarm, -1 neither: it matches a part that does not count.
    """
    free, verdicts = np.ones(len(counts), np.bool_), []
    for row in overlap:
        open_ = np.where(free & counts & (row >= limit), row, 0.0)
        if open_.any():
            free[int(open_.argmax())] = False
            verdicts.append(1)
        else:
            verdicts.append(-1 if (row[~counts] >= min(limit, 0.5)).any() else 0)
    return verdicts


def _average_precision(scores: Floats, hits: Floats, parts: int) -> float:
    """Area under the precision-recall curve, at 101 recalls as COCO does."""
    ranked = hits[np.argsort(-scores, kind="stable")]
    found = np.cumsum(ranked)
    precision = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
    at = np.searchsorted(found / parts, np.linspace(0, 1, 101) - 1e-9)
    return float(np.append(precision, 0.0)[np.minimum(at, len(precision))].mean())


def evaluate(path: Path, scenes: Scenes) -> dict[str, float]:
    """COCO-style average precision of a TFLite file: by class at IoU 0.5, and the means."""
    detect, limits = Detector(path), np.linspace(0.5, 0.95, 10)
    found = [detect(image) for image in scenes.images]
    table = np.zeros((len(LABELS), len(limits)))
    for k in range(len(LABELS)):
        parts = int(((scenes.classes == k) & (scenes.visible >= CLEAR)).sum())
        ranks: list[Floats] = []
        verdicts: list[list[list[int]]] = [[] for _ in limits]
        for (boxes, ids, scores), truth, classes, visible in zip(found, *scenes[1:], strict=True):
            overlap = _iou(boxes[ids == k], truth[classes == k])
            ranks.append(scores[ids == k])
            for j, limit in enumerate(limits):
                verdicts[j].append(_judge(overlap, visible[classes == k] >= CLEAR, limit))
        for j, column in enumerate(verdicts):
            flat = np.array([v for row in column for v in row], np.float32)
            kept = flat >= 0
            table[k, j] = _average_precision(np.concatenate(ranks)[kept], flat[kept], parts)
    result = {f"AP@0.5 {label}": float(table[k, 0]) for k, label in enumerate(LABELS)}
    return result | {"mAP@0.5": float(table[:, 0].mean()), "mAP@[.5:.95]": float(table.mean())}


def report(path: Path, scenes: Scenes) -> None:
    """Print the file's size, its average precision, and its time on one thread."""
    print(f"{path.name}: {path.stat().st_size} bytes, {len(scenes.images)} held-out pictures")
    for name, value in evaluate(path, scenes).items():
        print(f"  {name} {value:.4f}")
    detect, times = Detector(path), []
    for image in scenes.images[:200]:
        began = time.perf_counter()
        detect(image)
        times.append(1000 * (time.perf_counter() - began))
    print(f"  latency p50 {np.median(times):.2f} ms, one thread, with input quantisation")


def build(args: argparse.Namespace) -> None:
    """Train and write the int8 model, and the float one beside the cached pictures."""
    tf = _tf()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    tf.keras.utils.set_random_seed(1)
    scenes = render(args.pictures, 0, args.work)
    model = network()
    print(f"{model.count_params()} parameters", flush=True)
    for epochs in args.epochs:
        train(model, scenes, epochs, args.batch)
    for path, samples in ((args.work / "float.tflite", None), (args.out, scenes.images[:300])):
        path.write_bytes(export(model, samples))
        append_labels(path)


def main() -> None:
    """Train, or only evaluate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, help="train, and write the int8 model to this file")
    parser.add_argument("--evaluate", type=Path, metavar="MODEL", help="only evaluate this file")
    parser.add_argument("--clip", type=Path, help="only write the demo clip and its truth")
    parser.add_argument("--work", type=Path, default=Path("demo-train"), help="cached pictures")
    parser.add_argument("--pictures", type=int, default=7000, help="to train with")
    parser.add_argument("--held-out", type=int, default=600, help="to evaluate with")
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 7], help="of each round")
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    if args.clip:
        write_clip(Belt(CLIP_SEED), args.clip)
        return
    if not args.out and not args.evaluate:
        parser.error("give --out, --evaluate or --clip")
    if args.out:
        build(args)
    models = [args.evaluate] if args.evaluate else [args.work / "float.tflite", args.out]
    for path in models:
        report(path, render(args.held_out, HELD_OUT, args.work))


if __name__ == "__main__":
    main()
