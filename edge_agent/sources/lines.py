"""Numbers that come as lines: a serial port, a socket, a FIFO or the standard input."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration, Positive
from edge_agent.sources.arrival import LiveForm, LiveRows
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp, patience_for
from edge_agent.sources.conditioning import Missing, Rows, Run
from edge_agent.sources.connections import ConnectionOptions, only
from edge_agent.sources.feed import Feed, Line
from edge_agent.sources.ports import Port
from edge_agent.sources.records import BadLine, Format, Record, RecordForm, RecordReader
from edge_agent.sources.resample import Method
from edge_agent.sources.serialport import SerialPort
from edge_agent.sources.textfile import decode
from edge_agent.sources.usable import UsableWatch
from edge_agent.sources.zone import zone_of

_MAX_LINE = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class LinesOptions(ConnectionOptions):
    """Options of the source `lines`."""

    serial: Annotated[
        str | None, Doc("A serial port such as /dev/serial/by-id/... (needs pyserial).")
    ] = None
    baud: Annotated[int, Doc("Speed of the serial port.")] = 115200
    mode: Annotated[str, Doc("Data bits, parity and stop bits of the serial port.")] = "8N1"
    format: Annotated[
        Format,
        Doc(
            "csv (cells with separators), json (an object), keyvalue (name=value or name:value), "
            "or auto: what the line looks like."
        ),
    ] = "auto"
    channels: Annotated[
        tuple[str | int, ...],
        Doc(
            "Fields that become channels: names (room.temperature inside of JSON) or numbers from "
            "1. Cells without names get these. None: all numbers of the first line."
        ),
    ] = ()
    time: Annotated[
        str | int | None, Doc("Field of the times. Default: the moment at which the line came.")
    ] = None
    time_format: Annotated[
        str, Doc("How times are written: auto, s, ms, us, ns, or a pattern such as %H:%M:%S.")
    ] = "auto"
    timezone: Annotated[str, Doc("Time zone of times without an offset.")] = "UTC"
    rate: Annotated[
        Positive | None, Doc("Resample to so many rows a second. Default: as they come.")
    ] = None
    resample: Annotated[
        Method, Doc("linear: on the line between two rows; hold: the newest row so far.")
    ] = "linear"
    max_gap: Annotated[
        Duration | None,
        Doc(
            "Longest time between two rows that is no gap. Default: with times, five times the "
            "usual; with a rate, five rows or 100ms; else any."
        ),
    ] = None
    missing: Annotated[
        Missing,
        Doc(
            "What becomes of a row in which a number is missing: drop, hold (the channel's last "
            "number), zero, nan, or error (the source goes offline)."
        ),
    ] = "drop"

    @property
    def form(self) -> RecordForm:
        """How lines are to be read; raises ValueError for an unknown time zone."""
        zone = zone_of(self.timezone)
        return RecordForm(self.format, self.channels, self.time, self.time_format, zone)

    @property
    def live_form(self) -> LiveForm:
        """What becomes of their rows."""
        return LiveForm(self.rate, self.resample, self.max_gap, self.missing)

    def ports(self) -> Iterator[Port]:
        """A port for each way that is given; raises ValueError."""
        yield from ConnectionOptions.ports(self)
        if self.serial is not None:
            yield SerialPort(self.serial, self.baud, self.mode)


class LinesSource:
    """Rows of numbers, a block for all lines that come within some milliseconds."""

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = LinesOptions
    live = True

    def __init__(self, name: str, options: LinesOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        silence = options.silence
        self.patience = None if silence is None else silence + patience_for(options.timeout)
        self._options = options
        self._form = options.form
        port = only(options.ports(), "serial, tcp, listen, udp, fifo or stdin")
        self._feed = Feed(port, _MAX_LINE)
        self._stamp = Stamp(name, clock)
        self._rows: LiveRows | None = None
        self._blocks: deque[Frame] = deque()
        self._watch = UsableWatch(self._feed.shown, silence)

    def start(self) -> None:
        """Open the port; raises SourceError."""
        self._blocks.clear()
        self._after = None if self._rows is None else self._rows.end
        self._rows = None
        self._reader = RecordReader(self._form)
        self._watch.begin()
        self._feed.open()

    def read(self) -> Frame | None:
        """Next block; None at the end of the standard input. Raises SourceError."""
        while not self._blocks:
            lines = self._feed.lines(self._watch.until)
            if lines is None:
                return None
            self._blocks.extend(self._blocks_of(lines))
            self._watch.look(lines, usable=bool(self._blocks))
        return None if self._feed.closing else self._blocks.popleft()

    def stop(self) -> None:
        """End a running wait and close the port."""
        self._feed.close()

    def _blocks_of(self, lines: Sequence[Line]) -> Iterator[Frame]:
        records, arrived = self._records(lines)
        if not records:
            return
        if self._rows is None:
            has_times = self._options.time is not None
            channels = self._reader.channels
            self._rows = LiveRows(self._options.live_form, channels, has_times, self._after)
        values = np.array([record.values for record in records])
        noted = np.array([record.noted for record in records])
        for run in self._rows.feed(Rows(values, noted), np.array(arrived)):
            yield self._block(run)

    def _records(self, lines: Sequence[Line]) -> tuple[list[Record], list[float]]:
        records: list[Record] = []
        arrived: list[float] = []
        for line in lines:
            try:
                record = self._reader.read(decode(line.data))
            except BadLine as error:
                self._watch.bad(line.data, str(error))
                continue
            if record is not None:
                records.append(record)
                arrived.append(line.arrived)
        return records, arrived

    def _block(self, run: Run) -> Frame:
        last = float(run.times[-1])
        wall = last + run.offset if self._reader.is_epoch else None
        signal = Signal(self._reader.channels, run.times, self._options.rate, run.is_gap)
        return self._stamp.samples(run.values, signal, wall=wall)
