"""What real models are known to answer, through `edge-agent infer --engine numpy`.

The goldens were measured with tflite-runtime 2.14 and its default kernels, which round some models
otherwise than the reference kernels that this engine follows: where that shows, the tolerance says.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.cli import Terminal
from tests.support.data import data_file

pytestmark = [pytest.mark.data, pytest.mark.usefixtures("shared_plans")]

_DIGITS = 0.0006  # the goldens have three or four
_SPEECH = ("mww_alexa_1", "mww_alexa_2", "mww_okay_nabu_1", "mww_okay_nabu_2", "mww_computer",
           "tflm_no_1000ms", "tflm_noise_1000ms")  # fmt: skip
_SQUAT = "coral_movenet_single_pose_lightning_ptq"
_BIRD = 3  # in the mask as in Pascal VOC


def golden(*keys: str) -> Any:
    """A part of the measured results."""
    found = json.loads(data_file("GOLDENS.json").read_text())
    for key in keys:
        found = found[key]
    return found


@pytest.fixture
def infer(capsys: pytest.CaptureFixture[str]) -> Any:
    """Infers files of the test data or others, whatever the score; a list of JSON objects."""

    def run(model: str, *inputs: Path, options: Sequence[str] = ()) -> list[Any]:
        path = data_file(f"models/{model}.tflite")
        words = ("--engine", "numpy", "--json", "--threshold", "0", *options)
        answer = Terminal(capsys)("infer", "-m", path, *words, "-i", *inputs)
        assert (answer.code, answer.err) == (0, "")
        return [json.loads(line) for line in answer.out.splitlines()]

    return run


def saved(path: Path, values: NDArray[Any]) -> Path:
    """The array as a file."""
    np.save(path, values)
    return path


def best(answers: Sequence[Any]) -> NDArray[Any]:
    """The number of the best class of each."""
    return np.array([int(each["results"][0]["label"].removeprefix("class ")) for each in answers])


@pytest.mark.parametrize(
    ("model", "side"),
    [
        ("coral_mobilenet_v1_0.25_128_quant", 128),
        ("coral_mobilenet_v2_1.0_224_quant", 224),
        ("coral_mobilenet_v2_1.0_224_inat_bird_quant", 224),
    ],
)
def test_classification(infer: Any, tmp_path: Path, model: str, side: int) -> None:
    """Labels and scores to the last digit, from the picture scaled as it was measured."""
    for name, wanted in golden("classification", f"{model}.tflite").items():
        picture = cv2.imread(str(data_file(f"images/{name}")))
        assert picture is not None
        small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        (answer,) = infer(model, saved(tmp_path / "x.npy", small[..., ::-1]))
        scores = {result["label"]: result["score"] for result in answer["results"]}
        for label, score in wanted:
            least = answer["results"][-1]["score"]  # several classes may share it
            assert scores.get(label, least) == pytest.approx(score, abs=_DIGITS)


def test_detection(infer: Any) -> None:
    """Every box of four pictures: labels in order, scores to the last digit, corners to a pixel."""
    pictures = golden("detection", "coco_ssd")
    files = [data_file(f"images/{name}") for name in pictures]
    answers = infer("coco_ssd_mobilenet_v1_1.0_quant", *files)
    for answer, file, wanted in zip(answers, files, pictures.values(), strict=True):
        height, width = cv2.imread(str(file)).shape[:2]  # type: ignore[union-attr]
        found = answer["results"][: len(wanted)]
        assert [each["label"] for each in found] == [label for label, _, _ in wanted]
        for each, (_, score, box) in zip(found, wanted, strict=True):
            assert each["score"] == pytest.approx(score, abs=_DIGITS)
            clipped = np.clip(box, 0, (width, height) * 2)
            assert each["box_px"] == pytest.approx(clipped, abs=1.0)


def test_visual_wake_words(infer: Any) -> None:
    """The chance of a person in each of 23 pictures."""
    wanted = golden("mlperf_vww")
    answers = infer("mlperf_vww_96_int8", *(data_file(f"images/{name}") for name in wanted))
    for answer, score in zip(answers, wanted.values(), strict=True):
        scores = {each["label"]: each["score"] for each in answer["results"]}
        assert scores["class 1"] == pytest.approx(score, abs=_DIGITS)


def test_keywords(infer: Any, tmp_path: Path) -> None:
    """The accuracy over 1000 spoken words."""
    words = np.load(data_file("audio/mlperf_kws01_mfcc_int8_1000.npz"))
    answers = infer("mlperf_kws_ref_int8", saved(tmp_path / "x.npy", words["x"]))
    assert (best(answers) == words["y"]).mean() == golden("mlperf_kws_acc_1000")


def test_small_pictures(infer: Any, tmp_path: Path) -> None:
    """The accuracy over 500 pictures; the reference kernels have three more of them right."""
    pictures = np.load(data_file("images/cifar10_test_jpegdecoded_500.npz"))
    pixels = (pictures["x"] ^ 0x80).view(np.int8)
    answers = infer("mlperf_resnet8_cifar10_int8", saved(tmp_path / "x.npy", pixels))
    accuracy = (best(answers) == pictures["y"]).mean()
    assert accuracy == pytest.approx(golden("mlperf_resnet8_acc_500_jpeg"), abs=3.5 / 500)


def test_anomalies(infer: Any, tmp_path: Path) -> None:
    """The mean squared error of a machine's sound; dense layers round otherwise by default."""
    file = data_file("audio/toyadmos_normal_id_01_00000000_logmel_f32_200x128.bin")
    frames = np.fromfile(file, np.float32).reshape(200, 128)
    windows = np.lib.stride_tricks.sliding_window_view(frames, (5, 128)).reshape(196, 640)
    options = ("--task", "raw")
    answers = infer("mlperf_ad01_int8", saved(tmp_path / "x.npy", windows), options=options)
    found = np.array([each["outputs"][0]["values"][0] for each in answers])
    (wanted,) = (v for k, v in golden("mlperf_ad01").items() if k.startswith("normal_id_01"))
    assert ((found - windows) ** 2).mean() == pytest.approx(wanted, abs=0.002)


@pytest.mark.parametrize("word", ["alexa", "okay_nabu"])
def test_wake_words(infer: Any, tmp_path: Path, word: str) -> None:
    """Each recording of the word goes over the cut-off in some window, and no other does."""
    settings = json.loads(data_file(f"models/mww_{word}.json").read_text())["micro"]
    features = np.load(data_file("audio/micro_frontend_features.npz"))
    files = []
    for name in _SPEECH:
        frames = features[f"{name}.wav"]
        steps = frames[: len(frames) // 3 * 3].reshape(-1, 3, 40)
        files.append(saved(tmp_path / f"{name}.npy", steps))
    chances: dict[str, list[float]] = {name: [] for name in _SPEECH}
    for answer in infer(f"mww_{word}", *files):
        chances[Path(answer["input"]).stem].append(answer["results"][0]["score"])
    window = np.ones(settings["sliding_window_size"]) / settings["sliding_window_size"]
    heard = [
        name
        for name, scores in chances.items()
        if np.convolve(scores, window).max() > settings["probability_cutoff"]
    ]
    assert heard == [f"mww_{word}_1", f"mww_{word}_2"]


def test_poses(infer: Any) -> None:
    """Seventeen joints of a person, where an accelerator sees them."""
    file = data_file(f"models/{_SQUAT}_reference.csv")
    wanted = np.loadtxt(file, delimiter=",", skiprows=1)[:, [5, 4]]
    (answer,) = infer(_SQUAT, data_file("images/coral_squat.bmp"), options=("--task", "raw"))
    found = np.array(answer["outputs"][0]["values"]).reshape(17, 3)
    np.testing.assert_allclose(found[:, :2], wanted, atol=0.03)


def test_segmentation(infer: Any) -> None:
    """The bird overlaps its mask as measured (0.834)."""
    mask = cv2.imread(
        str(data_file("images/coral_bird_segmentation_mask.bmp")), cv2.IMREAD_GRAYSCALE
    )
    picture = data_file("images/coral_bird_segmentation.bmp")
    model = "coral_deeplabv3_mnv2_dm05_pascal_quant"
    (answer,) = infer(model, picture, options=("--task", "raw"))
    found = np.array(answer["outputs"][0]["values"])[0] == _BIRD
    is_bird = np.asarray(mask) == _BIRD
    assert (found & is_bird).sum() / (found | is_bird).sum() >= 0.834
