"""Whether each source gives frames, at its rate, and pictures with something on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.config.by_name import SourceConfig
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.doctor.finding import Finding, fail, failed, ok, skip, split_cure, warn
from edge_agent.runtime.doctor.samples import judge_samples
from edge_agent.sources.v4l2 import device_path

_DARK, _BRIGHT = 10.0, 245.0  # mean of all pixels
_FLAT = 6.0  # standard deviation of all pixels
_SLOW = 0.7  # of the rate that was asked for
_STILL = 5  # frames without any difference

_REPLUG = "restart the camera: unplug it, wait 5 s and plug it in again"
_CURES = {
    "camera": "look what the kernel says: sudo dmesg | tail; unplug it and plug it in again",
    "picamera": "check its cable, then: rpicam-hello --list-cameras",
    "rtsp": "check power and network of the camera, and try: ffprobe -rtsp_transport tcp URL",
    "http": "check power and network of the camera, and open its address in a browser",
    "video": "see whether it is a video (sudo apt install ffmpeg): ffprobe FILE",
    "csv": "look at the file: it must hold rows of numbers",
    "lines": "see whether its sender is on and what it sends, for example with cat or nc",
    "text": "see whether anything is written there",
    "images": "look at the files with another program: they must be pictures",
    "audio": "try it with another program: arecord -D DEVICE -d 3 x.wav",
    "iio": "see what the kernel knows of it: grep . /sys/bus/iio/devices/*/name",
    "i2c": "see what answers on the bus: i2cdetect -y BUS",
    "mqtt": "see what is published: mosquitto_sub -v -t TOPIC",
    "http_json": "open its address in a browser",
    "sysfs": "see what the file holds: cat FILE",
    "fusion": "try each of its parts as a source of its own",
}


def source(name: str, chosen: SourceConfig, try_out: Callable[[], dict[str, Any]]) -> Finding:
    """`try_out` opens it in a process of its own and looks at some frames."""
    try:
        found = try_out()
    except EdgeAgentError as error:
        if error.cure.startswith("cameras here"):
            cure = f"set sources.{name}.device to one of the {error.cure}"
            return fail(error.message, cure)
        return failed(error, _CURES.get(chosen.type, "see the documentation of this source"))
    return judge_source(name, chosen, found)


def judge_source(name: str, chosen: SourceConfig, found: Mapping[str, Any]) -> Finding:
    """`found` is what its trial found."""
    if "folder" in found:
        return ok("the folder is there and may be used")
    if "waits" in found:
        return ok("it is connected; nothing came while it was looked at")
    if "channels" in found or "lines" in found:
        return judge_samples(name, chosen, found)
    if not found:
        return fail("it gives nothing", _CURES.get(chosen.type, _REPLUG))
    width, height = found["size"]
    if not found["live"]:
        return ok(f"opens, {width}x{height}, recorded")
    fps = found["fps"]
    text = f"{width}x{height}, {'less than one frame' if fps is None else f'{fps:.1f} frames'}/s"
    return (
        _picture(text, chosen, found)
        or _size(name, text, chosen, (width, height))
        or _rate(name, text, chosen, fps)
        or ok(f"{text}, brightness {found['mean']:.0f} of 255")
    )


def _picture(text: str, chosen: SourceConfig, found: Mapping[str, Any]) -> Finding | None:
    flat = found["spread"] < _FLAT
    exposure = "set its exposure to automatic"
    if chosen.type == "camera":
        exposure += f": {_v4l2_ctl(chosen)} -c auto_exposure=3"
    if flat and found["mean"] < _DARK:
        cure = f"take off its cap, give it light, or {exposure}"
        return warn(f"{text}, but the picture is black", cure)
    if flat and found["mean"] > _BRIGHT:
        return warn(f"{text}, but the picture is white", f"keep direct light away, or {exposure}")
    if found["different"] == 1 and found["frames"] >= _STILL:
        return warn(f"{text}, but {found['frames']} frames are the same: frozen", _REPLUG)
    return None


def _size(name: str, text: str, chosen: SourceConfig, size: tuple[int, int]) -> Finding | None:
    wanted = getattr(chosen.options, "size", None)
    if wanted is None or tuple(wanted) == size:
        return None
    cure = f"set sources.{name}.size: [{size[0]}, {size[1]}]"
    if chosen.type == "camera":
        cure += f", or to one of: {_v4l2_ctl(chosen)} --list-formats-ext"
    return warn(f"{text}, not {wanted[0]}x{wanted[1]} as configured", cure)


def _rate(name: str, text: str, chosen: SourceConfig, fps: float | None) -> Finding | None:
    wanted = getattr(chosen.options, "fps", None)
    if wanted is None or (fps is not None and fps >= _SLOW * wanted):
        return None
    light = f"give it more light, a smaller size or sources.{name}.fourcc: MJPG; or "
    given = "less" if fps is None else f"{math.floor(10 * fps) / 10:g}"
    cure = f"{light if chosen.type == 'camera' else ''}set sources.{name}.fps: {given}"
    return warn(f"{text} instead of {wanted:g}", cure)


def _v4l2_ctl(chosen: SourceConfig) -> str:
    return f"v4l2-ctl -d {device_path(getattr(chosen.options, 'device', 0))}"


def judge_used(who: str, told: Mapping[str, Any] | None, why: str) -> Finding:
    """A source that the running agent holds.

    `told` is the agent's health of a pipeline that uses it, None where it did not answer, for the
    reason `why`.
    """
    held = f"in use by the running agent ({who})"
    if told is None:
        return skip(f"{held}, which does not tell more: {why}", "stop the agent to look closer")
    if told["state"] == "offline":
        what, cure = split_cure(told["reason"], _REPLUG)
        return fail(f"{held}, offline: {what}", cure)
    if told["state"] == "starting":
        return warn(f"{held}, which has just started", "wait a little and ask again")
    return ok(f"{held}: online, {told['fps']['in']:g} frames/s")
