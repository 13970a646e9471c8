"""The TFLM micro front end in its integer arithmetic: what wake words and micro_speech listen to.

Source: tensorflow/lite/experimental/microfrontend/lib (window, fft, filterbank, noise_reduction,
pcan_gain_control, log_scale), with the settings of pymicro-features and ESPHome's micro_wake_word.
Each class here is one of its stages, on many frames at once; only the noise estimate goes frame
by frame. PCAN is described in Wang et al., Trainable Frontend for Robust and Far-Field Keyword
Spotting (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Doc, Duration, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need, need_mono
from edge_agent.preprocess.signal.fixed_fft import FixedRealFft
from edge_agent.preprocess.signal.frames import Framing, frame_count, in_parts
from edge_agent.preprocess.signal.micro_stages import (
    AutomaticGain,
    FilterBank,
    NoiseReduction,
    bit_length,
    logarithm,
)

RATE = 16000
CHANNELS = 40
_LENGTH = 480  # 30 ms
_FFT = 512
_WINDOW_BITS = 12
_CORRECTION_BITS = 3  # log2(_FFT) - half of the filter bank's 12 bits
_SCALE = np.float32(0.0390625)  # pymicro-features: 25.6 steps of the logarithm are 1.0


@dataclass(frozen=True, slots=True)
class MicroFrontendOptions(Options):
    """Options of `micro_frontend`."""

    step: Annotated[
        Duration, Doc("From frame to frame: 10ms for micro wake words, 20ms for micro_speech.")
    ] = 0.01


class _Core:
    """Features of frames that follow one another; it remembers the noise."""

    def __init__(self) -> None:
        self._window = _window()
        self._fft = FixedRealFft(_FFT)
        self._bank = FilterBank(RATE, _FFT, CHANNELS)
        self._noise = NoiseReduction(CHANNELS)
        self._gain = AutomaticGain(_CORRECTION_BITS)

    def reset(self) -> None:
        """Forget the noise."""
        self._noise.reset()

    def of(self, frames: NDArray[np.int16]) -> NDArray[np.float32]:
        """Features (n x 40) of the next n frames (n x 480)."""
        scaled = np.zeros((len(frames), _FFT), np.int16)
        windowed = (frames * self._window) >> _WINDOW_BITS
        scaled[:, :_LENGTH] = windowed
        # As in the original, -32768 does not count: it has no absolute value in 16 bits.
        peak = np.abs(scaled).max(axis=1, initial=0)
        shift = (15 - bit_length(peak))[:, None]
        scaled <<= shift.astype(np.int16)
        bands = self._bank.of(self._fft.of(scaled)) >> shift
        reduced, noise = self._noise.of(bands)
        return logarithm(self._gain.of(reduced, noise) << _CORRECTION_BITS) * _SCALE


class MicroFrontendStream:
    """Micro front end along a stream: 40 features a step, 0 to about 26."""

    Options: ClassVar[type[Options]] = MicroFrontendOptions

    def __init__(self, options: MicroFrontendOptions, rate: float, channels: int) -> None:
        hop = _hop(options, rate, channels)
        self.rate = rate / hop
        self.channels = CHANNELS
        self._core = _Core()
        self._framing = Framing(_LENGTH, hop, 0, np.int16)

    def push(self, block: Block) -> Block:
        """One row for each frame that is full with these samples (n x 1), -1 to 1."""
        frames = self._framing.push(sixteen_bits(block[:, 0]))
        if not len(frames):
            return np.empty((0, CHANNELS), np.float32)
        return in_parts(self._core.of, frames)

    def reset(self) -> None:
        """Begin anew; the noise estimate too."""
        self._core.reset()
        self._framing.reset()


class MicroFrontendWindow:
    """Micro front end of a window: frames x 40; the noise estimate begins anew with each."""

    Options: ClassVar[type[Options]] = MicroFrontendOptions

    def __init__(self, options: MicroFrontendOptions, rate: float, shape: tuple[int, int]) -> None:
        self._stream = MicroFrontendStream(options, rate, shape[1])
        frames = frame_count(shape[0], _LENGTH, _hop(options, rate, shape[1]))
        need(
            frames > 0,
            "micro_frontend",
            f"a window of {shape[0]} samples is shorter than a frame of {_LENGTH}",
            "make the window longer",
        )
        self.shape: tuple[int, ...] = (frames, CHANNELS)

    def apply(self, window: Block) -> NDArray[np.float32]:
        """Features of samples from -1 to 1 (length x 1)."""
        self._stream.reset()
        return self._stream.push(window)


def sixteen_bits(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """Samples as a sound card gives them: 16 bits, rounded and clipped."""
    rounded: NDArray[np.float32] = np.rint(samples * np.float32(32768.0))
    return np.clip(rounded, -32768, 32767).astype(np.int16)


def _window() -> NDArray[np.int32]:
    """Hann window in 12 bits; each step is one of float32 as in the original."""
    half = np.float32(0.5)
    step = np.float32(2.0 * np.pi) / np.float32(_LENGTH)
    turn = step * (np.arange(_LENGTH, dtype=np.float32) + half)
    cosine = np.cos(turn.astype(np.float64)).astype(np.float32)  # cosf is right to the last bit
    scaled = (half - half * cosine) * np.float32(2**_WINDOW_BITS) + half
    return scaled.astype(np.int32)


def _hop(options: MicroFrontendOptions, rate: float, channels: int) -> int:
    need_mono("micro_frontend", channels)
    need(rate == RATE, "micro_frontend", f"{rate:g} samples per second", "resample to 16000")
    hop = round(options.step * RATE)
    need(hop >= 1, "step", f"{options.step:g} s is less than a sample", "10ms or 20ms is usual")
    return hop
