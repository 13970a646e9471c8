"""Who gives the agent's numbers to others than subscribers; nobody, by default."""

from __future__ import annotations

from typing import Protocol


class Exporter(Protocol):
    """Gives the numbers to whoever asks."""

    def start(self) -> None:
        """Begin to listen."""

    def stop(self) -> None:
        """End; safe without `start` and twice."""


class NoExporter:
    """In place of an exporter where the configuration has none."""

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""
