"""The mel front ends that models are trained with: their settings, and the options over them."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal import mel
from edge_agent.preprocess.signal.checks import need

Preset = Literal["librosa", "tensorflow", "mlperf_kws", "mlperf_ad", "mlperf_sww"]
Shape = Literal["hann", "hamming", "hamming_symmetric"]

_DECIBEL = 10.0 / math.log(10.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """One mel front end: samples -> |FFT|^power -> mel bank -> logarithm.

    The logarithm is clip(factor * ln(max(mel, amin) + offset) + shift); `at` is the sampling rate
    that sample counts are for, None where they stand for any rate.
    """

    n_fft: int
    win_length: int
    hop_length: int
    n_mels: int
    bank: Literal["slaney", "htk", "tensorflow"]
    fmin: float = 0.0
    fmax: float | None = None
    at: float | None = None
    window: Shape = "hann"
    centred_frames: bool = False  # frame t is around sample t * hop, zeros outside the sound
    centred_window: bool = False  # a window shorter than n_fft is in its middle, else at its start
    norm: bool = False
    power: float = 1.0
    gain: float = 1.0  # on |FFT|^power
    floor: float = 0.0  # of gain * |FFT|^power
    factor: float = 1.0
    amin: float = 0.0
    offset: float = 0.0
    shift: float = 0.0
    clip: tuple[float, float] | None = None
    top_db: float | None = None
    pre_emphasis: float = 0.0
    by_peak: bool = False  # a window is divided by its largest sample first

    def window_samples(self) -> NDArray[np.float64]:
        """The window function."""
        count = self.win_length - (self.window == "hamming_symmetric")
        turn: NDArray[np.float64] = np.cos(2.0 * np.pi / count * np.arange(self.win_length))
        return 0.5 - 0.5 * turn if self.window == "hann" else 0.54 - 0.46 * turn

    def filter_bank(self, rate: float) -> NDArray[np.float64]:
        """Weights of the FFT's bins, (n_fft / 2 + 1) x n_mels."""
        fmax = rate / 2.0 if self.fmax is None else self.fmax
        if self.bank == "tensorflow":
            return mel.tensorflow_bank(rate, self.n_fft, self.n_mels, self.fmin, fmax)
        htk = self.bank == "htk"
        return mel.librosa_bank(rate, self.n_fft, self.n_mels, self.fmin, fmax, htk, self.norm)


# librosa.feature.melspectrogram and power_to_db with their defaults (librosa 0.10 and 0.11).
_LIBROSA = Settings(
    n_fft=2048,
    win_length=2048,
    hop_length=512,
    n_mels=128,
    bank="slaney",
    centred_frames=True,
    centred_window=True,
    norm=True,
    power=2.0,
    factor=_DECIBEL,
    amin=1e-10,
    top_db=80.0,
)
# The tf.signal guide: tf.signal.stft, linear_to_mel_weight_matrix, log(mel + 1e-6).
_TENSORFLOW = Settings(
    n_fft=512, win_length=480, hop_length=320, n_mels=40, bank="tensorflow", offset=1e-6
)
PRESETS: dict[Preset, Settings] = {
    "librosa": _LIBROSA,
    "tensorflow": _TENSORFLOW,
    # mlcommons/tiny, benchmark/training/keyword_spotting/get_dataset.py (feature_type mfcc).
    "mlperf_kws": replace(_TENSORFLOW, fmin=20.0, fmax=4000.0, at=16000.0, by_peak=True),
    # mlcommons/tiny, benchmark/training/anomaly_detection/common.py and baseline.yaml.
    "mlperf_ad": replace(
        _LIBROSA,
        n_fft=1024,
        win_length=1024,
        at=16000.0,
        amin=0.0,
        offset=sys.float_info.epsilon,
        top_db=None,
    ),
    # mlcommons/tiny, benchmark/training/streaming_wakeword/get_dataset.py (get_lfbe_func).
    "mlperf_sww": Settings(
        n_fft=1024,
        win_length=1024,
        hop_length=512,
        n_mels=40,
        bank="tensorflow",
        at=16000.0,
        window="hamming_symmetric",
        power=2.0,
        gain=1.0 / 1024,
        floor=1e-30,
        factor=_DECIBEL / 64.0,
        shift=52.0 / 64.0,
        clip=(0.0, 1.0),
        pre_emphasis=1.0 - 2.0**-5,
    ),
}


@dataclass(frozen=True, slots=True)
class LogMelOptions(Options):
    """Options of `log_mel`; what is not given is as the preset has it."""

    preset: Annotated[
        Preset,
        Doc(
            "Whose front end to be equal to: librosa (melspectrogram and power_to_db, mfcc), "
            "tensorflow (tf.signal), or one of MLPerf Tiny (16 kHz)."
        ),
    ] = "librosa"
    n_fft: Annotated[int | None, Ge(2), Doc("Samples of the FFT, an even number.")] = None
    win_length: Annotated[int | None, Ge(2), Doc("Samples of the window, n_fft at most.")] = None
    hop_length: Annotated[int | None, Ge(1), Doc("Samples from frame to frame.")] = None
    window: Annotated[Shape | None, Doc("The window function.")] = None
    center: Annotated[
        bool | None, Doc("Whether frame t is around sample t * hop_length, not after it.")
    ] = None
    power: Annotated[float | None, Gt(0), Doc("1 for magnitude, 2 for power.")] = None
    n_mels: Annotated[int | None, Ge(1), Doc("Mel bands.")] = None
    fmin: Annotated[float | None, Ge(0), Doc("Hz where the first band begins.")] = None
    fmax: Annotated[float | None, Gt(0), Doc("Hz where the last band ends.")] = None
    htk: Annotated[bool | None, Doc("librosa only: the HTK scale, not Slaney's.")] = None
    norm: Annotated[bool | None, Doc("librosa only: bands have equal area, not height.")] = None
    top_db: Annotated[
        float | None,
        Gt(0),
        Doc("How far below the loudest band of a window the others go at most; windows only."),
    ] = None


def settings_of(options: LogMelOptions, rate: float) -> Settings:
    """The preset with the options over it; raises ValueError."""
    preset = PRESETS[options.preset]
    librosa = preset.bank != "tensorflow"
    for name in ("htk", "norm"):
        given = getattr(options, name) is not None
        need(librosa or not given, name, f"preset {options.preset} has none", "leave it out")
    chosen = {
        name: getattr(options, name)
        for name in (
            *("n_fft", "win_length", "hop_length", "window", "power"),
            *("n_mels", "fmin", "fmax", "norm", "top_db"),
        )
        if getattr(options, name) is not None
    }
    if options.center is not None:
        chosen["centred_frames"] = options.center
    if options.htk is not None:
        chosen["bank"] = "htk" if options.htk else "slaney"
    if options.win_length is None and options.n_fft is not None:
        chosen["win_length"] = options.n_fft if librosa else min(options.n_fft, preset.win_length)
    settings = replace(preset, **chosen)
    _check(settings, options.preset, rate)
    return settings


def _check(settings: Settings, preset: str, rate: float) -> None:
    """Raise ValueError where the settings do not fit the rate or one another."""
    top = rate / 2.0 if settings.fmax is None else settings.fmax
    need(
        settings.at in (None, rate),
        "preset",
        f"{preset} is made for {settings.at} samples per second, not {rate:g}",
        "resample before it",
    )
    need(
        settings.n_fft >= settings.win_length,
        "win_length",
        f"{settings.win_length} is more than n_fft {settings.n_fft}",
        "raise n_fft",
    )
    need(settings.n_fft % 2 == 0, "n_fft", f"{settings.n_fft} is odd", "give an even number")
    need(top <= rate / 2.0, "fmax", f"{top:g} Hz is above half the rate {rate:g}", "lower it")
    need(settings.fmin < top, "fmin", f"{settings.fmin:g} is not below fmax {top:g}", "lower it")
