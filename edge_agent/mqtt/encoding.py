"""Numbers and JSON of payloads: rounded to what they are worth, and never infinite."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from edge_agent.event import ModelRef

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def number(value: float, digits: int) -> float:
    """Rounded to so many digits behind the point; 0 for what is not finite."""
    # float() first: NumPy's float32 would print with all its digits, or not at all.
    value = float(value)
    return round(value, digits) if math.isfinite(value) else 0.0


def digits(value: float) -> float:
    """To six digits that count, since a reading may be very small; 0 for what is not finite."""
    return float(f"{value:.6g}") if math.isfinite(value) else 0.0


def optional(value: float | None, digits: int) -> float | None:
    """As `number`, but None for what is not there or not finite."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def numbers(values: Mapping[str, float], digits: int) -> dict[str, float]:
    """`number` of each, by name."""
    return {name: number(value, digits) for name, value in values.items()}


def to_json(payload: dict[str, Any]) -> bytes:
    """UTF-8 without white space."""
    # A label may carry half a surrogate pair from a broken model file; UTF-8 cannot.
    return _encode(payload).encode("utf-8", errors="replace")


def model_values(model: ModelRef) -> dict[str, str]:
    """A model as payloads name it."""
    return {"name": model.name, "sha256": model.sha256, "engine": model.engine}
