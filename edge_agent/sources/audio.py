"""Sound: a WAVE file, a microphone, or a stream of the network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Protocol

from annotated_types import Ge, Gt, Le

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration, Secret
from edge_agent.sources.address import Address, Contact, parse_address
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp, patience_for
from edge_agent.sources.microphone import Microphone
from edge_agent.sources.recorder import PORTS, recorder_of
from edge_agent.sources.sound import Block, channel_names, mono
from edge_agent.sources.sound_file import SoundFile


@dataclass(frozen=True, slots=True)
class AudioOptions(words.Options):
    """Options of the source `audio`."""

    file: Annotated[Path | None, Doc("A WAVE file, with its own rate and channels.")] = None
    device: Annotated[
        str | None,
        Doc(
            "Microphone: an ALSA name such as default or plughw:CARD=Device (arecord -L lists "
            "them), or pulse:NAME of PulseAudio or PipeWire (pactl list short sources), pulse: "
            "for its default."
        ),
    ] = None
    url: Annotated[Secret | None, Doc("http(s):// or rtsp:// stream; ffmpeg reads it.")] = None
    pace: Annotated[
        Literal["real", "fast", "loop"],
        Doc("Of a file. real: in time; fast: as fast as it is taken; loop: real, again and again."),
    ] = "real"
    rate: Annotated[int, Ge(2000), Le(384000), Doc("Samples a second of a device or a stream.")] = (
        16000
    )
    inputs: Annotated[
        int, Ge(1), Le(64), Doc("Channels that a device or a stream is asked for.")
    ] = 1
    channels: Annotated[Literal["mono", "all"], Doc("mono: their mean; all: each by itself.")] = (
        "mono"
    )
    timeout: Annotated[
        Duration, Gt(0), Doc("A device or stream that gives nothing for so long is opened again.")
    ] = 5.0

    @property
    def address(self) -> Address | None:
        """Where the stream is, None without one; raises ValueError for a url that tells none."""
        return None if self.url is None else parse_address(self.url.reveal(), PORTS)

    @property
    def contact(self) -> Contact | None:
        """Whom the source connects to."""
        address = self.address
        return None if address is None else address.contact


class _Feed(Protocol):
    """Where the blocks come from, as `Source` describes it."""

    def start(self) -> None: ...

    def read(self) -> Block | None: ...

    def stop(self) -> None: ...


class AudioSource:
    """Sound as blocks of samples x channels from -1 to 1; 16 bit samples are value / 32768.

    A file has the times of its samples and is passed on at its own rate. What is recorded now
    (`live`) carries times of the monotonic clock that run as evenly as the device does. Where
    sound was lost, the next block says so (`is_gap`), and so does the first after a loop's seam.
    """

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = AudioOptions

    def __init__(self, name: str, options: AudioOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        given = [each for each in (options.file, options.device, options.url) if each is not None]
        if len(given) != 1:
            raise ValueError("give one of file, device and url")
        self.name = name
        self.live = options.pace != "fast" or options.file is None
        self.patience = None if options.file is not None else patience_for(options.timeout)
        self._mixes = options.channels == "mono"
        self._stamp = Stamp(name, clock)
        self._feed = _feed_of(name, options, clock)

    def start(self) -> None:
        """Open the file, or start to record; raises SourceError."""
        self._feed.start()
        self._stamp.opened()

    def read(self) -> Frame | None:
        """Next block; None at the end of a file. Raises SourceError."""
        block = self._feed.read()
        if block is None:
            return None
        rows = mono(block.rows) if self._mixes else block.rows
        names = channel_names(rows.shape[1])
        signal = Signal(names, block.times, block.rate, block.is_gap)
        return self._stamp.samples(rows, signal, block.media_time)

    def stop(self) -> None:
        """Close the file or end the recording."""
        self._feed.stop()


def _feed_of(name: str, options: AudioOptions, clock: Clock) -> _Feed:
    if options.file is not None:
        return SoundFile(options.file, options.pace, clock)
    recorder = recorder_of(
        options.device, options.url, options.address, options.rate, options.inputs
    )
    return Microphone(name, recorder, options.timeout, clock)
