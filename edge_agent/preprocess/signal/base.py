"""What the stages of signal processing are: along a stream, or on one window."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Options

Block = NDArray[np.float32]
"""Rows of samples in time order, one column for each channel."""


class StreamStage(Protocol):
    """Works along a stream of rows, block by block.

    How the stream is cut into blocks makes no difference to the rows that come out: the stage
    keeps what it needs of the past. `rate` is rows per second that it puts out, `channels` how
    many columns they have. A stage whose rows lag has an attribute `delay` too: row k shows what
    was k / rate - delay seconds after the first row that was pushed. A row that stands for a frame
    of rows has the time of the frame's beginning, or of its middle where frames are centred.
    """

    Options: ClassVar[type[Options]]
    rate: float
    channels: int

    def __init__(self, options: Any, rate: float, channels: int) -> None:
        """For a stream of `rate` rows per second; raise ValueError with option and cure."""

    def push(self, block: Block) -> Block:
        """The rows (m x `channels`, m may be 0) that n x channels rows more bring about.

        What is returned is the caller's own or the block itself; nothing in it changes later.
        """

    def reset(self) -> None:
        """Forget the past: the next row is the first of a new stream."""


class WindowStage(Protocol):
    """Works on one window at a time and remembers nothing; `shape` is that of what it returns.

    One that makes of each row a row, whatever the others are, has an attribute `by_rows` that is
    true.
    """

    Options: ClassVar[type[Options]]
    shape: tuple[int, ...]

    def __init__(self, options: Any, rate: float, shape: tuple[int, int]) -> None:
        """For windows of that shape (length, channels) at `rate` rows per second.

        Raise ValueError with option and cure.
        """

    def apply(self, window: Block) -> NDArray[np.float32]:
        """What becomes of one window; the window itself stays as it is."""
