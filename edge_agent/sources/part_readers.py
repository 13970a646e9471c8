"""The threads that read the parts of a fusion."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_agent.backoff import Backoff
from edge_agent.sources.base import Source
from edge_agent.sources.reader import SourceReader, SourceStatus
from edge_agent.sources.track import Track


class PartReaders:
    """Reads sources of numbers into tracks, by the names of the parts, for one life of a fusion.

    Each has a thread of its own, which opens it again after a failure.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        tracks: Mapping[str, Track],
        backoff: Callable[[], Backoff],
    ) -> None:
        self._tracks = tracks
        self._statuses: dict[str, SourceStatus] = {}
        self._readers = {
            part: SourceReader(source, tracks[part].put, self._noting(part), backoff())
            for part, source in sources.items()
        }

    @property
    def are_over(self) -> bool:
        """Whether all are recordings that have ended."""
        statuses = [self._statuses.get(part) for part in self._readers]
        return all(status is not None and status.finished for status in statuses)

    def start(self) -> None:
        """Begin to read."""
        for reader in self._readers.values():
            reader.start()

    def stop(self) -> None:
        """End all threads, without waiting for them."""
        for reader in self._readers.values():
            reader.stop(0.0)

    def check(self) -> None:
        """Raises RuntimeError where a thread has ended by a fault of our own."""
        for part, reader in self._readers.items():
            if reader.failure is not None:
                raise RuntimeError(f"part {part} has failed") from reader.failure

    def reasons(self) -> str:
        """Why parts give nothing; empty where all do."""
        return "; ".join(filter(None, map(self._reason, self._readers)))

    def _reason(self, part: str) -> str:
        status, track = self._statuses.get(part), self._tracks[part]
        if status is not None and not status.online:
            return f"{part}: {status.reason}"
        return f"{part}: {track.problem}" if track.channels is None else ""

    def _noting(self, part: str) -> Callable[[SourceStatus], None]:
        def note(status: SourceStatus) -> None:
            self._statuses[part] = status

        return note
