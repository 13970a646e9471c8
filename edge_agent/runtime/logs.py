"""Logging to stderr: plain lines for people, levels for journald, no credentials for anybody."""

from __future__ import annotations

import logging
import os
import sys

from edge_agent.options import without_credentials

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


def set_up_logging(level: str) -> None:
    """Log to stderr from that level ("debug" ... "error") on; a second call changes the level."""
    handler = logging.StreamHandler(sys.stderr)
    if "JOURNAL_STREAM" in os.environ:
        handler.setFormatter(_JournalFormatter("%(message)s"))
    else:
        handler.setFormatter(_Formatter(_PLAIN, "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
