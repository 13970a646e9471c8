"""What normal windows of a pipeline look like, as they were measured on this device."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import StateError

Vector = NDArray[np.float64]

_KEPT = 5  # calibrations of a pipeline, the newest among them
_SUFFIX = ".npz"


@dataclass(frozen=True, slots=True)
class Calibration:
    """Normal windows and the limit that follows from them.

    `normal` are standardised windows (n x numbers), empty where the method needs none; `mean` and
    `std` of all windows are what they were standardised by. `made` is epoch seconds, `windows` how
    many were looked at, `basis` names the method and the model that it holds for.
    """

    limit: float
    made: float
    windows: int
    basis: str
    quantiles: tuple[float, ...]
    normal: NDArray[np.float32]
    mean: Vector
    std: Vector


def limit_of(values: Sequence[float], quantile: float, margin: float) -> float:
    """`margin` times the quantile of normal, above zero."""
    high = float(np.quantile(np.asarray(values), quantile))
    return max(margin * high, float(np.finfo(np.float32).tiny))


class CalibrationStore:
    """Keeps the calibrations of a device's pipelines in a folder, the newest few of each.

    A calibration is written whole or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self, pipeline: str) -> Calibration | None:
        """The one that holds; None where there is none. Raises StateError for a damaged file."""
        versions = self.versions(pipeline)
        return self._load(versions[-1]) if versions else None

    def versions(self, pipeline: str) -> list[Path]:
        """Files of a pipeline's calibrations, the newest last."""
        found = self._folder.glob(f"{pipeline}.*{_SUFFIX}")
        numbered = [path for path in found if path.name.split(".")[-2].isdigit()]
        mine = [path for path in numbered if ".".join(path.name.split(".")[:-2]) == pipeline]
        return sorted(mine, key=lambda path: int(path.name.split(".")[-2]))

    def save(self, pipeline: str, calibration: Calibration) -> Path:
        """Write it as the newest; raises StateError."""
        versions = self.versions(pipeline)
        number = int(versions[-1].name.split(".")[-2]) + 1 if versions else 1
        path = self._folder / f"{pipeline}.{number}{_SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            _write(path, _packed(calibration))
            for old in versions[: max(0, len(versions) + 1 - _KEPT)]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise StateError(
                f"the calibration cannot be kept in {path}: {error.strerror or error}",
                "free some space, or set agent.state_dir to a folder that may be written",
            ) from error
        return path

    @staticmethod
    def _load(path: Path) -> Calibration:
        try:
            with np.load(path, allow_pickle=False) as arrays:
                facts: dict[str, Any] = json.loads(str(arrays["facts"]))
                return Calibration(
                    float(facts["limit"]), float(facts["made"]), int(facts["windows"]),
                    str(facts["basis"]), tuple(facts["quantiles"]),
                    arrays["normal"], arrays["mean"], arrays["std"],
                )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise StateError(
                f"the calibration {path} cannot be read: {error}",
                "remove the file and run edge-agent calibrate again",
            ) from error


def make_calibration(
    basis: str, values: Sequence[float], windows: NDArray[np.float32], limit: float
) -> Calibration:
    """Of the values of all normal windows, and those windows that are to be kept, n x numbers."""
    real = windows.astype(np.float64)
    mean = real.mean(axis=0) if len(real) else np.empty(0)
    std = np.maximum(real.std(axis=0), 1e-9) if len(real) else np.empty(0)
    normal = ((real - mean) / std).astype(np.float32) if len(real) else windows
    quantiles = np.quantile(np.asarray(values), (0.5, 0.9, 0.99, 1.0))
    return Calibration(
        limit, time.time(), len(values), basis, tuple(map(float, quantiles)), normal, mean, std
    )


def _packed(calibration: Calibration) -> bytes:
    facts = {
        name: getattr(calibration, name)
        for name in ("limit", "made", "windows", "basis", "quantiles")
    }
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        facts=json.dumps(facts),
        normal=calibration.normal,
        mean=calibration.mean,
        std=calibration.std,
    )
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
