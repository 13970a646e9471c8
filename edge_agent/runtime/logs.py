"""Logging to stderr: plain lines for people, levels for journald, no credentials for anybody."""

from __future__ import annotations

import logging
import os
import sys

import cv2

from edge_agent.options import without_credentials

_FFMPEG_QUIET = "-8"  # AV_LOG_QUIET of libavutil/log.h
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


def _quieten_opencv(level: str) -> None:
    """OpenCV and FFmpeg print at each try to open; why it failed is told once, in our own words."""
    if level != "debug":
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", _FFMPEG_QUIET)
        # OpenCV 4 has it at the top, OpenCV 5 in utils.logging; 0 is LOG_LEVEL_SILENT.
        set_level = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
        set_level(0)


def set_up_logging(level: str) -> None:
    """Log to stderr from that level ("debug" ... "error") on; a second call changes the level."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(_Formatter(_PLAIN, "%H:%M:%S"))
    _quieten_opencv(level)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
