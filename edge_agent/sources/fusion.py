"""Several sources joined to one, aligned in time: numbers to rows, or numbers to pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Gt, Le, MinLen

from edge_agent import options as words
from edge_agent.backoff import Backoff
from edge_agent.clock import Clock
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration
from edge_agent.sources import SOURCES
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Source
from edge_agent.sources.joined_rows import JoinedRows
from edge_agent.sources.parts import Part, PartConfig
from edge_agent.sources.picture_with_numbers import PictureWithNumbers


@dataclass(frozen=True, slots=True)
class FusionOptions(words.Options):
    """Options of the source `fusion`."""

    parts: Annotated[
        dict[str, Part],
        MinLen(2),
        Doc(
            "The sources that are joined, by a name of your own: numbers, and one that gives "
            "pictures at most."
        ),
    ]
    rate: Annotated[
        float, Gt(0), Le(1000), Doc("Rows a second; where a part gives pictures, these set it.")
    ] = 10.0
    tolerance: Annotated[
        Duration, Gt(0), Doc("A part's newest value counts so long; after that it is missing.")
    ] = 1.0
    missing: Annotated[
        Literal["hold", "drop", "nan"],
        Doc(
            "What becomes of a missing value. hold: the last one goes on; drop: there is no row, "
            "but a gap, or no picture; nan: it is NaN."
        ),
    ] = "hold"
    timeout: Annotated[
        Duration, Gt(0), Doc("Without a row of which a part is fresh for so long, all open anew.")
    ] = 30.0


class FusionSource:
    """Joins sources of numbers to rows, or to the pictures of the one part that gives pictures.

    Channels are called PART.CHANNEL.
    """

    medium: Medium = "signal"
    Options: ClassVar[type[words.Options]] = FusionOptions

    def __init__(
        self,
        name: str,
        options: FusionOptions,
        clock: Clock = SYSTEM_CLOCK,
        backoff: Callable[[], Backoff] = Backoff,
    ) -> None:
        self.name = name
        self._parts: Mapping[str, PartConfig] = options.parts
        self._joined: JoinedRows | PictureWithNumbers
        if picture := self._picture():
            self._joined = PictureWithNumbers(name, picture, options, self._build, backoff)
            self.medium, self.live = "picture", self._joined.live
        else:
            self._joined = JoinedRows(name, options, self._build, clock, backoff)
            self.live = True
        self.patience = self._joined.patience

    def start(self) -> None:
        """Open the parts; raises SourceUnavailable or SourceUnusable."""
        self._joined.start()

    def read(self) -> Frame | None:
        """Next rows, or the next picture with its numbers; None at the end of what was recorded.

        Raises SourceError.
        """
        return self._joined.read()

    def stop(self) -> None:
        """End a running wait and all parts."""
        self._joined.stop()

    def _build(self) -> dict[str, Source]:
        """The sources of the parts; raises ValueError."""
        return {
            part: SOURCES.load(config.type)(f"{self.name}.{part}", config.options)
            for part, config in self._parts.items()
        }

    def _picture(self) -> str:
        """Name of the part that gives pictures, empty for none; raises ValueError."""
        media: dict[str, Any] = {
            part: getattr(source, "medium", "picture") for part, source in self._build().items()
        }
        texts = [part for part, medium in media.items() if medium == "text"]
        if texts:
            raise ValueError(f"part {texts[0]} gives text: pictures and numbers can be joined")
        pictures = [part for part, medium in media.items() if medium == "picture"]
        if len(pictures) > 1:
            named = " and ".join(pictures)
            raise ValueError(f"parts {named} give pictures: one can, it sets the time of the frame")
        return pictures[0] if pictures else ""
