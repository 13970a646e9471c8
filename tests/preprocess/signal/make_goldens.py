"""Writes goldens.npz: python -m tests.preprocess.signal.make_goldens (needs what it imports)."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import scipy.signal
import tensorflow as tf
from numpy.typing import NDArray
from pymicro_features import MicroFrontend

from tests.preprocess.signal import sounds


def log_mel(samples: NDArray[np.float32], **options: Any) -> NDArray[Any]:
    """Log-mel spectrogram by librosa, frames x bands."""
    if options.get("norm") is False:
        options["norm"] = None
    mel = librosa.feature.melspectrogram(y=samples, sr=sounds.RATE, **options)
    return np.asarray(librosa.power_to_db(mel).T)


def tensorflow_mel(
    samples: NDArray[np.float32], *, window: Any, step: int, fmin: float, fmax: float, square: bool
) -> Any:
    """Forty mel bands by tf.signal, frames x bands, before the logarithm."""
    length = int(window.shape[0])
    frames = tf.signal.stft(samples, length, step, window_fn=lambda *_, **__: window)
    energy = tf.abs(frames)
    if square:
        energy = tf.maximum(tf.square(energy) / length, 1e-30)
    bank = tf.signal.linear_to_mel_weight_matrix(40, energy.shape[-1], sounds.RATE, fmin, fmax)
    return tf.tensordot(energy, bank, 1)


def tensorflow(samples: NDArray[np.float32]) -> dict[str, Any]:
    """MFCC as in the tf.signal guide, and what MLPerf Tiny's get_dataset.py files do."""
    hann = tf.signal.hann_window(480)
    mel = tensorflow_mel(samples, window=hann, step=320, fmin=0.0, fmax=8000.0, square=False)
    guide = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-6))[..., :13]
    # Upside down its largest sample is not the one that is farthest from 0.
    second = np.pad(samples / samples.min(), (0, sounds.RATE - len(samples)))
    mel = tensorflow_mel(second, window=hann, step=320, fmin=20.0, fmax=4000.0, square=False)
    kws = tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(mel + 1e-6))[..., :10]
    before = np.concatenate((np.zeros(1, np.float32), samples[:-1]))
    risen = samples - np.float32(1 - 2**-5) * before
    hamming = tf.signal.hamming_window(1024, periodic=False)
    mel = tensorflow_mel(risen, window=hamming, step=512, fmin=0.0, fmax=8000.0, square=True)
    decibel = 10.0 * tf.math.log(mel) / tf.math.log(10.0)
    sww = tf.clip_by_value((decibel + 52.0) / 64.0, 0.0, 1.0)
    return {"tensorflow": guide.numpy(), "mlperf_kws": kws.numpy(), "mlperf_sww": sww.numpy()}


def welch(samples: NDArray[np.float32], **options: Any) -> NDArray[Any]:
    """Power spectral density by SciPy."""
    options["detrend"] = {"none": False}.get(options.get("detrend", ""), "constant")
    return np.asarray(scipy.signal.welch(samples.astype(np.float64), sounds.RATE, **options)[1])


def micro_features(sound: NDArray[np.int16]) -> NDArray[np.float32]:
    """Features by pymicro-features, frames x 40."""
    frontend, rows = MicroFrontend(), []
    data = sound.tobytes()
    at = 0
    while at + 320 <= len(data):
        output = frontend.process_samples(data[at : at + 320])
        at += 2 * output.samples_read
        if output.features:
            rows.append(output.features)
    return np.array(rows, np.float32)


def main() -> None:
    """Write the file."""
    samples = sounds.speech_like()
    found: dict[str, Any] = {
        name: log_mel(samples, **options) for name, options in sounds.LOG_MEL.items()
    }
    mel = librosa.feature.melspectrogram(y=samples, sr=sounds.RATE)
    found["mfcc_default"] = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=13).T
    mel = librosa.feature.melspectrogram(y=samples, sr=sounds.RATE, n_fft=1024, hop_length=512)
    found["mlperf_ad"] = 10.0 * np.log10(mel + np.finfo(np.float64).eps).T
    found |= tensorflow(samples)
    for name, options in sounds.WELCH.items():
        found[name] = welch(samples, **options)
    for name, sound in sounds.sounds_of_16_bits().items():
        found[name] = np.rint(micro_features(sound) * 25.6).astype(np.uint16)
    np.savez_compressed(sounds.GOLDENS, **found)


if __name__ == "__main__":
    main()
