"""From what a source reads to what is inferred: pictures as they are, windows of signals, texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol

import numpy as np
from annotated_types import Ge, Gt
from numpy.typing import NDArray

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame, Place, Signal
from edge_agent.options import Doc, Duration, Options
from edge_agent.preprocess.signal import (
    STREAM_STAGES,
    WINDOW_STAGES,
    Block,
    StreamStage,
    Windows,
    WindowStage,
)
from edge_agent.preprocess.signal.windows import Pad, Stack
from edge_agent.preprocess.text import TEXT_STAGES, TextStage

_STACKED = 16_384  # numbers in a stack of windows

Times = NDArray[np.float64]

Span = Annotated[int, Ge(1)] | Annotated[Duration, Gt(0)]
"""A part of a signal: a whole number is rows, a duration such as 0.5s needs a rate."""


@dataclass(frozen=True, slots=True)
class WindowOptions(Options):
    """How a signal is cut into windows; they are counted in rows of what `stream` puts out."""

    length: Annotated[Span, Doc("Rows of a window, or its duration such as 1s.")] = 1
    hop: Annotated[
        Span | None, Doc("From the start of one window to that of the next; default: its length.")
    ] = None
    pad: Annotated[
        Pad,
        Doc(
            "What stands for rows before the first and after the last of the signal: none (every "
            "window is whole), zero, or edge (the nearest row again)."
        ),
    ] = "none"


class Framing(Protocol):
    """Makes of each frame of a source the frames that are worth a look, none or several."""

    dropped: int
    """How many of them could not be used, since they held no numbers."""
    lack: str
    """What has been missing for long, so that nothing is made of the frames; empty if nothing."""

    def cut(self, frame: Frame) -> Iterable[Frame]:
        """What one more frame brings about; raises SignalMismatch."""

    def flush(self) -> Iterable[Frame]:
        """What is left at the end of a recording."""

    def reset(self) -> None:
        """Forget the past: the next frame has nothing to do with those before."""


class AsItComes:
    """Each frame is one that is inferred: pictures."""

    dropped = 0
    lack = ""

    def cut(self, frame: Frame) -> Iterable[Frame]:
        """The frame itself."""
        return (frame,)

    def flush(self) -> Iterable[Frame]:
        """Nothing."""
        return ()

    def reset(self) -> None:
        """Do nothing."""


class TextFraming:
    """Makes the numbers that a model takes of each line of text.

    `stages` has one entry; its constructor raises ValueError where it cannot work.
    """

    dropped = 0
    lack = ""

    def __init__(self, stages: Mapping[str, Options]) -> None:
        if len(stages) != 1:
            raise ValueError(f"text: one way to make numbers of text, not {len(stages)}")
        ((name, options),) = stages.items()
        self._stage: TextStage = TEXT_STAGES.load(name)(options)

    def cut(self, frame: Frame) -> Iterable[Frame]:
        """The line with its numbers."""
        if frame.text is None:
            raise SignalMismatch(f"source {frame.source} gives no text", "leave text out")
        return (replace(frame, data=self._stage.apply(frame.text)),)

    def flush(self) -> Iterable[Frame]:
        """Nothing."""
        return ()

    def reset(self) -> None:
        """Do nothing."""


class SignalFraming:
    """Cuts blocks of samples into windows, and makes their features.

    The stages of `stream` work along the signal, those of `features` on each window. They are
    built with the first block, which tells rate and channels, and anew where these change. A
    window never reaches over a gap; one with numbers missing (NaN) is dropped and counted.
    The time of a window is that of its last row. Where `stacked`, those of a block come as one
    frame, some thousand numbers of them at most.
    """

    def __init__(
        self,
        window: WindowOptions,
        stream: Mapping[str, Options],
        features: Mapping[str, Options],
        stacked: bool = False,
    ) -> None:
        self._window = window
        self._stream = dict(stream)
        self._features = dict(features)
        self._used = self._stacked if stacked else self._by_itself
        self._form: tuple[float | None, int] | None = None
        self._stages: Sequence[StreamStage] = ()
        self._after: Sequence[WindowStage] = ()
        self._windows = Windows(1, 1, 1)
        self._rate: float | None = None
        self._rows = 0  # that came before this block
        self._part = 0  # of the signal: each gap begins another
        self._last: Frame | None = None
        self._seq = 0
        self.dropped = 0
        self.lack = ""

    def cut(self, frame: Frame) -> Iterator[Frame]:
        """The windows that end in this block."""
        signal = frame.signal
        if signal is None:
            raise SignalMismatch(f"source {frame.source} gives no samples", "leave window out")
        self._fit(signal)
        if signal.is_gap:
            self.reset()
        rows = frame.data
        for stage in self._stages:
            rows = stage.push(rows)
        times = self._times(signal, len(rows))
        self._last = frame
        for first, stack in self._windows.stacks(rows):
            # They end in this block, or they would have been full before.
            end = first + self._windows.length - 1 - self._rows
            yield from self._used(frame, stack, first, times[end :: self._windows.hop])
        self._rows += len(rows)

    def flush(self) -> Iterator[Frame]:
        """The last window, where it is filled up."""
        if self._last is not None:
            for first, window in self._windows.flush():
                end = np.array([self._last.timeline])
                yield from self._used(self._last, window[np.newaxis], first, end)

    def reset(self) -> None:
        """Forget the past."""
        for stage in self._stages:
            stage.reset()
        self._windows.reset()
        self._rows = 0
        self._part += 1
        self._last = None

    def _fit(self, signal: Signal) -> None:
        """Build the stages for this rate and these channels, unless they are the same."""
        form = (signal.rate, len(signal.channels))
        if form != self._form:
            plan = _Plan(self._window, self._stream, self._features, *form)
            self._stages, self._after, self._windows = plan.built()
            self._rate = self._stages[-1].rate if self._stages else None
            self._form = form
            self.reset()

    def _times(self, signal: Signal, count: int) -> NDArray[np.float64]:
        """Times of the rows that came; those of stages are spread back from the block's end."""
        if self._rate is None:
            return signal.times
        times: NDArray[np.float64] = signal.times[-1] - np.arange(count - 1, -1, -1) / self._rate
        return times

    def _by_itself(self, block: Frame, stack: Stack, first: int, ends: Times) -> Iterator[Frame]:
        """Each window as a frame."""
        length, hop = self._windows.length, self._windows.hop
        for number, window in enumerate(stack):
            values = self._made(window)
            if not np.isfinite(values).all():
                self.dropped += 1
                continue
            place = Place(self._part, first + number * hop, length, hop)
            data = values if self._after else values.copy()
            yield block.part(self._seq, data, float(ends[number]), place)
            self._seq += 1

    def _stacked(self, block: Frame, stack: Stack, first: int, ends: Times) -> Iterator[Frame]:
        """Some windows as a frame."""
        length, hop = self._windows.length, self._windows.hop
        most = max(1, _STACKED // stack[0].size)
        for start in range(0, len(stack), most):
            part = stack[start : start + most]
            values = np.stack([self._made(each) for each in part]) if self._after else part.copy()
            usable = np.isfinite(values).reshape(len(part), -1).all(axis=1)
            self.dropped += len(part) - int(usable.sum())
            of_part = ends[start : start + len(part)]
            if usable.any():
                yield replace(
                    block,
                    seq=self._seq,
                    data=values[usable],
                    ends=of_part[usable],
                    place=Place(self._part, first + start * hop, length, hop),
                    signal=None,
                )
                self._seq += int(usable.sum())

    def _made(self, window: Block) -> NDArray[Any]:
        """The features of a window, or the window itself where there are none."""
        values: NDArray[Any] = window
        for stage in self._after:
            values = stage.apply(values)
        return values


class _Plan:
    """The stages for a signal of one rate and number of channels; raises SignalMismatch."""

    def __init__(
        self,
        window: WindowOptions,
        stream: Mapping[str, Options],
        features: Mapping[str, Options],
        rate: float | None,
        channels: int,
    ) -> None:
        self._window = window
        self._stream = stream
        self._features = features
        self._rate = rate
        self._channels = channels

    def built(self) -> tuple[list[StreamStage], list[WindowStage], Windows]:
        """Stages of the stream, those of the windows, and the windows."""
        rate, channels = self._rate, self._channels
        stages: list[StreamStage] = []
        for name, options in self._stream.items():
            stage = self._stage("stream", STREAM_STAGES, name, options, rate, channels)
            stages.append(stage)
            rate, channels = stage.rate, stage.channels
        length = _rows("length", self._window.length, rate)
        hop = length if self._window.hop is None else _rows("hop", self._window.hop, rate)
        shape: tuple[int, ...] = (length, channels)
        after: list[WindowStage] = []
        for name, options in self._features.items():
            of_window = self._stage("features", WINDOW_STAGES, name, options, rate, shape)
            after.append(of_window)
            shape = of_window.shape
            if 0 in shape:
                raise SignalMismatch(
                    f"features.{name} makes nothing of a window of {length} rows",
                    "set a longer window.length",
                )
        return stages, after, Windows(length, hop, channels, self._window.pad)

    @staticmethod
    def _stage(
        section: str, registry: Any, name: str, options: Options, rate: float | None, form: Any
    ) -> Any:
        if rate is None:
            raise SignalMismatch(
                f"{section}.{name} needs a steady rate, and the source has none",
                "set rate at the source",
            )
        try:
            return registry.load(name)(options, rate, form)
        except ValueError as error:
            raise SignalMismatch(f"{section}.{name}: {error}") from error


def _rows(key: str, span: float, rate: float | None) -> int:
    """A span in rows, at least one."""
    if isinstance(span, int):
        return span
    if rate is None:
        raise SignalMismatch(
            f"window.{key} is a duration, and the source has no steady rate",
            f"set rate at the source, or give {key} as a number of rows",
        )
    return max(1, round(span * rate))
