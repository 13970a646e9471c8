"""Writes goldens.npz: python -m tests.preprocess.signal.make_goldens (needs what it imports)."""

from __future__ import annotations

from typing import Any

import librosa
import numpy as np
import scipy.signal
from numpy.typing import NDArray
from pymicro_features import MicroFrontend

from tests.preprocess.signal import sounds


def log_mel(samples: NDArray[np.float32], **options: Any) -> NDArray[Any]:
    """Log-mel spectrogram by librosa, frames x bands."""
    if options.get("norm") is False:
        options["norm"] = None
    mel = librosa.feature.melspectrogram(y=samples, sr=sounds.RATE, **options)
    return np.asarray(librosa.power_to_db(mel).T)


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
    for name, options in sounds.WELCH.items():
        found[name] = welch(samples, **options)
    for name, sound in sounds.sounds_of_16_bits().items():
        found[name] = np.rint(micro_features(sound) * 25.6).astype(np.uint16)
    np.savez_compressed(sounds.GOLDENS, **found)


if __name__ == "__main__":
    main()
