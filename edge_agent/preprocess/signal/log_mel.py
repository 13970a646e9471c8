"""Log-mel spectrograms, along a stream or of a window, equal to those of the usual front ends.

The FFT is done in float64: librosa does so too (its window is float64), and bands far below the
loudest one are only right to 1e-4 that way; float32 would save a third of the time.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need, need_mono
from edge_agent.preprocess.signal.frames import FramedStream, FramedWindow
from edge_agent.preprocess.signal.mel import BandSums
from edge_agent.preprocess.signal.mel_settings import LogMelOptions, Settings, settings_of


class LogMelFrames:
    """Log-mel energies of frames, without what needs the whole window (peak and top_db)."""

    def __init__(self, settings: Settings, rate: float) -> None:
        self._settings = settings
        self._emphasis = int(settings.pre_emphasis != 0.0)  # one sample before the frame
        before = 0
        if settings.centred_window:
            before = (settings.n_fft - settings.win_length) // 2
        window = settings.window_samples()
        self._window = np.concatenate((np.zeros(before), window))
        if settings.centred_window:
            self._window.resize(settings.n_fft)
        self._bands = BandSums(settings.filter_bank(rate))
        self.length = len(self._window) + self._emphasis
        self.hop = settings.hop_length
        self.trail = settings.n_fft // 2 if settings.centred_frames else 0
        self.lead = self.trail + self._emphasis
        self.size = settings.n_mels

    def of(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-mel of frames (n x length)."""
        s = self._settings
        if self._emphasis:
            frames = frames[:, 1:] - np.float32(s.pre_emphasis) * frames[:, :-1]
        spectrum = np.fft.rfft(frames * self._window, s.n_fft)
        energy = spectrum.real**2 + spectrum.imag**2
        if s.power != 2.0:
            energy **= s.power / 2.0
        if s.gain != 1.0:
            energy *= s.gain
        if s.floor:
            np.maximum(energy, s.floor, out=energy)
        return self._logarithm(self._bands.of(energy).astype(np.float32))

    def _logarithm(self, mel: NDArray[np.float32]) -> NDArray[np.float32]:
        s = self._settings
        np.maximum(mel, s.amin, out=mel)
        if s.offset:
            mel += np.float32(s.offset)
        np.log(mel, out=mel)
        if s.factor != 1.0:
            mel *= np.float32(s.factor)
        if s.shift:
            mel += np.float32(s.shift)
        if s.clip is not None:
            np.clip(mel, *s.clip, out=mel)
        return mel


class LogMelStream(FramedStream):
    """Log-mel energies of a stream, a row for each hop.

    With `center` the first frames are the same as on a whole recording: zeros are before it.
    Only librosa's `top_db` is missing, since it asks for the loudest band of the recording.
    """

    Options: ClassVar[type[Options]] = LogMelOptions

    def __init__(self, options: LogMelOptions, rate: float, channels: int) -> None:
        need_mono("log_mel", channels)
        settings = settings_of(options, rate)
        check_for_stream(options, settings)
        super().__init__(LogMelFrames(settings, rate), rate)


class LogMelWindow:
    """Log-mel energies of a window: frames x mel bands."""

    Options: ClassVar[type[Options]] = LogMelOptions

    def __init__(self, options: LogMelOptions, rate: float, shape: tuple[int, int]) -> None:
        need_mono("log_mel", shape[1])
        self._settings = settings_of(options, rate)
        self._frames = FramedWindow(LogMelFrames(self._settings, rate), shape[0])
        self.shape = self._frames.shape
        need(
            self.shape[0] > 0,
            "n_fft",
            f"a window of {shape[0]} samples is shorter than one frame",
            "make the window longer",
        )

    def apply(self, window: Block) -> NDArray[np.float32]:
        """Log-mel energies of samples from -1 to 1 (length x 1)."""
        mel = self._frames.apply(_by_peak(window) if self._settings.by_peak else window)
        if self._settings.top_db is not None:
            np.maximum(mel, mel.max() - np.float32(self._settings.top_db), out=mel)
        return mel


def check_for_stream(options: LogMelOptions, settings: Settings) -> None:
    """Raise ValueError where only a whole window tells what a front end needs."""
    need(
        not settings.by_peak,
        "preset",
        f"{options.preset} divides by the peak of a whole window",
        "use it on windows, or preset tensorflow",
    )
    need(
        options.top_db is None,
        "top_db",
        "the loudest band of a stream is not known",
        "use it on windows, or leave it out",
    )


def _by_peak(window: Block) -> Block:
    """Divided by the largest sample (its sign counts), as in MLPerf Tiny; silence stays silence."""
    peak = np.float32(window.max())
    return window / peak if peak > 0.0 else window
