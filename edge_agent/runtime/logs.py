"""Logging to stderr: plain lines for people, levels for journald, JSON for collectors.

No credentials for anybody, and no flood: the same line of code says so much a minute of each level
and no more.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Literal

import cv2

from edge_agent.options import without_credentials

_FFMPEG_QUIET = "-8"  # AV_LOG_QUIET of libavutil/log.h
_MOST = 10  # records of one line of code ...
_PERIOD = 60.0  # ... within so many seconds
_PLAIN = "%(asctime)s %(levelname)-7s %(message)s"
# sd-daemon(3): a line that begins with <N> has that priority.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class _Formatter(logging.Formatter):
    """Takes user and password out of every address, also in tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return without_credentials(super().format(record))


class _JournalFormatter(_Formatter):
    """journald knows the time; it wants the priority in front of every line."""

    def format(self, record: logging.LogRecord) -> str:
        priority = f"<{_PRIORITIES.get(record.levelno, 2)}>"
        return "\n".join(priority + line for line in super().format(record).splitlines())


class _JsonFormatter(_Formatter):
    """One JSON object a line: time (epoch s), level, logger, message, exception."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": round(record.created, 6),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_credentials(record.getMessage()),
        }
        if record.exc_info:
            told["exception"] = without_credentials(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


class _FloodGate(logging.Filter):
    """Lets a line of code log so often a minute; then says how much it kept back."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, int, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a record that may pass."""
        if record.levelno <= logging.DEBUG:
            return True
        place, now = (record.pathname, record.lineno, record.levelno), time.monotonic()
        began, count = self._seen.get(place, (now, 0))
        if now - began >= _PERIOD:
            if count > _MOST:
                record.msg = f"{record.getMessage()} ({count - _MOST} more like this before)"
                record.args = None
            began, count = now, 0
        self._seen[place] = (began, count + 1)
        return count < _MOST


def _quieten_opencv(level: str) -> None:
    """OpenCV and FFmpeg print at each try to open; why it failed is told once, in our own words."""
    if level != "debug":
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
        # OpenCV 4 has it at the top, OpenCV 5 in utils.logging; 0 is LOG_LEVEL_SILENT.
        set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
        set_level(0)


def set_up_logging(level: str, style: Literal["text", "json"] = "text") -> None:
    """Log to stderr from that level ("debug" ... "error") on; a second call changes the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_FloodGate())
    if style == "json":
        handler.setFormatter(_JsonFormatter())
    elif "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(_Formatter(_PLAIN, "%H:%M:%S"))
    _quieten_opencv(level)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
