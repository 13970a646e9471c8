"""Who tells others than subscribers how the agent does; nobody, by default."""

from __future__ import annotations

from typing import Protocol


class Exporter(Protocol):
    """Tells whoever asks."""

    def start(self) -> None:
        """Begin to listen."""

    def stop(self) -> None:
        """End; safe without `start` and twice."""
