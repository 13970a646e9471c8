"""Whether a source of sound, numbers or text gives what it should."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_agent.config.by_name import SourceConfig
from edge_agent.frame import Frame
from edge_agent.runtime.doctor.finding import Finding, ok, warn

_SHOWN = 4  # names of channels
_SLOW = 0.7  # of the rate that was asked for
_MANY = 0.1  # of all values

_WIRING = "check its wiring, and what the log says of it"
_CURES = {
    "mqtt": "check topic and path: mosquitto_sub -v -t TOPIC",
    "http_json": "check the ways in channels against what the address answers in a browser",
}


class SampleLook:
    """Adds up what the frames of a source hold."""

    def __init__(self) -> None:
        self._rows = self._lines = self._gaps = self._missing = self._values = 0
        self._span = 0.0
        self._first: float | None = None
        self._low, self._high = np.inf, -np.inf
        self._newest: Frame | None = None

    def add(self, frame: Frame) -> None:
        """Take a frame of samples or of text."""
        self._newest = frame
        if frame.signal is None:
            self._lines += 1
            return
        times = frame.signal.times
        if self._first is None:
            self._first = float(times[0])
        elif frame.signal.is_gap:
            self._gaps += 1
        self._span = float(times[-1]) - self._first
        self._rows += len(times)
        self._values += frame.data.size
        finite = frame.data[np.isfinite(frame.data)]
        self._missing += frame.data.size - finite.size
        if finite.size:
            self._low = min(self._low, float(finite.min()))
            self._high = max(self._high, float(finite.max()))

    def facts(self) -> dict[str, Any]:
        """What `judge_samples` takes; nothing where no frame came."""
        frame = self._newest
        if frame is None:
            return {}
        if frame.signal is None:
            return {"lines": self._lines, "live": frame.media_time is None}
        return {
            "channels": list(frame.signal.channels),
            "live": frame.media_time is None,
            "rows": self._rows,
            "rate": (self._rows - 1) / self._span if self._span > 0.0 else None,
            "wanted": frame.signal.rate,
            "gaps": self._gaps,
            "missing": self._missing / self._values,
            "constant": self._low >= self._high,
        }


def judge_samples(name: str, chosen: SourceConfig, found: Mapping[str, Any]) -> Finding:
    """`found` are the facts of a look at the source of that name."""
    if "lines" in found:
        return ok(f"opens, {found['lines']} lines of text")
    text = _channels(found["channels"])
    if not found["live"]:
        return ok(f"opens, {text}, {found['wanted']:g} rows/s, recorded")
    rate, wanted = found["rate"], found["wanted"]
    text += ", one row" if rate is None else f", {rate:.4g} rows/s"
    if found["missing"] > _MANY:
        cure = _CURES.get(chosen.type, _WIRING)
        return warn(f"{text}, but {found['missing']:.0%} of the values are missing", cure)
    if found["gaps"]:
        cure = f"give this machine less to do, or lower sources.{name}.rate"
        return warn(f"{text}, but rows were lost {found['gaps']} times", cure)
    if chosen.type == "audio" and found["constant"]:
        return warn(
            f"{text}, but all of it is the same: silence", "unmute it: alsamixer, F4, space"
        )
    if rate is not None and wanted is not None and rate < _SLOW * wanted:
        return warn(f"{text} instead of {wanted:g}", f"set sources.{name}.rate: {rate:.3g}")
    return ok(text)


def _channels(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
