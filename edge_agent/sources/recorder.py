"""The programs that record sound: how to call them, and what their messages mean."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.options import Secret
from edge_agent.sources.address import Address

PORTS = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}
"""Schemes of streams and their ports."""

_PULSE = "pulse:"
_LIST_LIMIT = 5.0  # seconds
_PERIOD = 0.03  # seconds after which the device hands over its samples
_ALSA_BUFFER = 0.5  # seconds of sound that it holds while nobody takes them
_OTHER_RATE = re.compile(r"rate is not accurate .*got = (\d+)Hz")
_HTTP_STATUS = re.compile(r"(?:returned|failed:) (\d{3})")
_CARD = re.compile(r"^card \d+: (\S+) \[(.*?)\], device (\d+):", re.MULTILINE)
_CARDS = Path("/proc/asound/cards")
_ABSENT = ("No such file", "No such device", "Unknown PCM", "cannot find card", "No such entity")
_UNFIT = ("non available", "Unable to install hw params", "Invalid argument")


@dataclass(frozen=True, slots=True)
class Recorder:
    """A command that writes signed 16 bit samples to its standard output.

    `what` is the device or stream as messages show it, `feed` goes into its standard input.
    `lost` marks the lines by which it tells that samples were lost.
    """

    command: tuple[str, ...]
    package: str
    what: str
    rate: int
    inputs: int
    explain: Callable[[Recorder, Sequence[str]], SourceError]
    lost: str = ""
    feed: bytes = b""

    @property
    def missing(self) -> SourceUnusable:
        """The error that the program is not installed."""
        return SourceUnusable(
            f"{self.what} needs the program {self.command[0]}", f"sudo apt install {self.package}"
        )


def recorder_of(
    device: str | None, url: Secret | None, address: Address | None, rate: int, inputs: int
) -> Recorder:
    """The recorder of an audio source, from its options of these names."""
    if url is not None and address is not None:
        return _ffmpeg(url, address, rate, inputs)
    device = device or ""
    if device.startswith(_PULSE):
        return _parec(device.removeprefix(_PULSE), rate, inputs)
    return _arecord(device, rate, inputs)


def _arecord(device: str, rate: int, inputs: int) -> Recorder:
    command = (
        "arecord", "-D", device, "-t", "raw", "-f", "S16_LE", "-r", str(rate), "-c", str(inputs),
        f"--period-time={_PERIOD * 1e6:.0f}", f"--buffer-time={_ALSA_BUFFER * 1e6:.0f}",
    )  # fmt: skip
    what = f"microphone {device}"
    return Recorder(command, "alsa-utils", what, rate, inputs, _explain_alsa, lost="overrun!!!")


def _parec(device: str, rate: int, inputs: int) -> Recorder:
    command = (
        "parec", "--raw", "--format=s16le", f"--rate={rate}", f"--channels={inputs}",
        f"--latency-msec={_PERIOD * 1e3:.0f}", *([f"--device={device}"] if device else []),
    )  # fmt: skip
    what = f"microphone {_PULSE}{device}"
    return Recorder(command, "pulseaudio-utils", what, rate, inputs, _explain_pulse)


def _ffmpeg(url: Secret, address: Address, rate: int, inputs: int) -> Recorder:
    # In a list on its standard input, so that no password stands on a command line.
    quoted = url.reveal().replace("'", "'\\''")
    command = (
        "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-f", "concat", "-safe", "0",
        "-protocol_whitelist", "pipe,http,https,tcp,tls,rtsp,rtsps,udp,rtp,crypto", "-i", "pipe:0",
        "-vn", "-f", "s16le", "-ar", str(rate), "-ac", str(inputs), "-flush_packets", "1", "pipe:1",
    )  # fmt: skip
    feed = f"file '{quoted}'\n"
    if address.scheme == "rtsp":
        feed += "option rtsp_transport tcp\n"  # as for pictures: it loses nothing
    return Recorder(
        command, "ffmpeg", address.shown, rate, inputs, _explain_ffmpeg, feed=feed.encode()
    )


def unexpected(recorder: Recorder, line: str) -> SourceUnusable | None:
    """The error where a line tells that the device records otherwise than it was asked to."""
    found = _OTHER_RATE.search(line)
    if found is None:
        return None
    text = f"{recorder.what} records {found[1]} samples a second, not {recorder.rate}"
    return SourceUnusable(text, f"write plughw: in place of hw:, or set rate: {found[1]}")


def _explain_alsa(recorder: Recorder, said: Sequence[str]) -> SourceError:
    text, what = "\n".join(said), recorder.what
    if "busy" in text:
        cure = "stop the other program that uses it: fuser -v /dev/snd/pcm*c"
        return SourceUnavailable(f"{what} is busy", cure)
    if "Permission denied" in text:
        cure = "sudo usermod -aG audio USER, and the drop-in audio.conf for the service"
        return SourceUnavailable(f"no permission to use {what}", cure)
    if "read error" in text:
        return SourceUnavailable(f"{what} was unplugged: {_last(said)}", "plug it in again")
    if any(word in text for word in _ABSENT):
        return SourceUnavailable(f"{what} is not there", _alsa_devices())
    if any(word in text for word in _UNFIT):
        cure = "write plughw: in place of hw:, or other values for rate and inputs"
        asked = f"{recorder.rate} samples a second of {recorder.inputs} channels"
        return SourceUnusable(f"{what} cannot give {asked}: {_last(said)}", cure)
    return SourceUnavailable(f"{what} fails: {_last(said)}", "try: arecord -D DEVICE x.wav")


def _explain_pulse(recorder: Recorder, said: Sequence[str]) -> SourceError:
    text, what = "\n".join(said), recorder.what
    if "No such entity" in text:
        names = [line.split("\t")[1] for line in _lines("pactl", "list", "short", "sources")]
        cure = f"microphones here: {', '.join(_PULSE + name for name in names) or 'none'}"
        return SourceUnavailable(f"{what} is not there", cure)
    if "Connection refused" in text or "Connection failure" in text:
        cure = "start PulseAudio or PipeWire for this user, or set PULSE_SERVER for the service"
        return SourceUnavailable(f"{what}: no sound server answers: {_last(said)}", cure)
    return SourceUnavailable(f"{what} fails: {_last(said)}", "try: parec --device=NAME")


def _explain_ffmpeg(recorder: Recorder, said: Sequence[str]) -> SourceError:
    text, what = "\n".join(said), recorder.what
    status = found[1] if (found := _HTTP_STATUS.search(text)) else ""
    if status in ("401", "403"):
        return SourceUnusable(f"{what} refuses the user name or password", "check both in the url")
    if status == "404":
        return SourceUnusable(f"{what}: there is no such address (404)", "check the url")
    if "refused" in text:
        return SourceUnavailable(f"{what}: nothing listens there", "check host and port")
    if "resolve" in text or "Name or service" in text:
        return SourceUnavailable(f"{what}: the host is not known", "check the name and the DNS")
    if "contain any stream" in text:
        return SourceUnusable(f"{what} has no sound, only pictures", "switch its microphone on")
    if "Invalid data" in text:
        return SourceUnusable(f"{what} gives no sound that ffmpeg knows", "try: ffprobe URL")
    # Its own words may repeat the address, and with it the password.
    return SourceUnavailable(f"{what} ended the stream", "it is opened again by itself")


def _last(said: Sequence[str]) -> str:
    return said[-1].strip() if said else "it ended without a word"


def _alsa_devices() -> str:
    found = _CARD.findall("\n".join(_lines("arecord", "-l")))
    names = [f"plughw:CARD={card},DEV={number} ({name})" for card, name, number in found]
    if names:
        return f"microphones here: {', '.join(names)}"
    # arecord finds no card where it may not open one.
    with contextlib.suppress(OSError):
        if "]:" in _CARDS.read_text("utf-8", "replace"):
            return (
                "a card is here, but shut to this user: sudo usermod -aG audio USER, "
                "or the drop-in audio.conf for the service"
            )
    return "none is here: plug it in"


def _lines(*command: str) -> list[str]:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(  # noqa: S603 - one of the two above
            command, capture_output=True, timeout=_LIST_LIMIT, check=False, text=True,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return [line for line in done.stdout.splitlines() if line]
    return []
