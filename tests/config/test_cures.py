"""What to write instead of a value that is wrong in a way that many are."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.sources import SOURCES
from tests.support.configs import MINIMAL, good, problems

_UNITS = "the units are ms, s, m, h, d"
_SIZES = "the units are B, kB, MB, GB, KiB, MiB, GiB"


def told(folder: Path, text: str) -> str:
    """The one problem of a text, without its place and path."""
    (line,) = problems(folder, text)
    return line.split(": ", 2)[2]


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("60%", "expected a number from 0 to 1, got '60%' (write 0.6)"),
        ("7.5 %", "expected a number from 0 to 1, got '7.5 %' (write 0.075)"),
        ("0,6", "expected a number from 0 to 1, got '0,6' (write 0.6)"),
        ("60", "expected a number from 0 to 1, got 60 (write 0.6)"),
        ("100", "expected a number from 0 to 1, got 100 (write 1)"),
        ("1.5", "expected a number from 0 to 1, got 1.5"),
        ("400", "expected a number from 0 to 1, got 400"),
        ("400%", "expected a number from 0 to 1, got '400%'"),
        ("-1", "expected a number from 0 to 1, got -1"),
        ("high", "expected a number from 0 to 1, got 'high'"),
    ],
)
def test_parts_of_one(tmp_path: Path, threshold: str, message: str) -> None:
    """Per cent and decimal commas are turned into what is wanted, nothing else is guessed."""
    assert told(tmp_path, MINIMAL + f"    threshold: {threshold}\n") == message


def test_a_decimal_comma_in_any_number(tmp_path: Path) -> None:
    """Not only in parts of one."""
    text = MINIMAL.replace("{type: camera}", "{type: camera, fps: '7,5'}")
    assert told(tmp_path, text) == "expected a number above 0, got '7,5' (write 7.5)"


@pytest.mark.parametrize(
    ("polygon", "lines"),
    [
        (
            "[[0, 0], [1, 1]]",
            [": a polygon needs three corners [x, y] or more, this has 2"],
        ),
        (
            "[[400, 0], [0.5, 300], [1, 1]]",
            [
                (
                    "[0][0]: expected a number from 0 to 1, got 400 "
                    "(a part of the frame, not pixels: divide by its width)"
                ),
                (
                    "[1][1]: expected a number from 0 to 1, got 300 "
                    "(a part of the frame, not pixels: divide by its height)"
                ),
            ],
        ),
        (
            "[['40%', 0], [1, 1.2], [1, 1]]",
            [
                "[0][0]: expected a number from 0 to 1, got '40%' (write 0.4)",
                "[1][1]: expected a number from 0 to 1, got 1.2",
            ],
        ),
        (
            "[0.5, [1, 0], [1, 1]]",
            ["[0]: expected a list of 2 numbers from 0 to 1, got 0.5 (a point is [x, y])"],
        ),
    ],
)
@pytest.mark.parametrize("where", ["zones: {a: {polygon: ", "gate: {motion: {mask: ["])
def test_polygons(tmp_path: Path, where: str, polygon: str, lines: list[str]) -> None:
    """Too few corners, pixels, per cent and a list without inner brackets, wherever they stand."""
    mask = where.endswith("[")
    text = MINIMAL + f"    {where}{polygon}{']' if mask else ''}}}}}\n"
    path = "gate.motion.mask[0]" if mask else "zones.a.polygon"
    found = [line.split(": ", 1)[1] for line in problems(tmp_path, text)]
    assert found == [f"pipelines.p.{path}{line}" for line in lines]


@pytest.mark.parametrize(
    ("dwell", "cure"),
    [
        ("3 minutes", f"write 3m; {_UNITS}"),
        ("10sec", f"write 10s; {_UNITS}"),
        ("1w", f"write 7d; {_UNITS}"),
        ("2.5 Hours", f"write 2.5h; {_UNITS}"),
        ("3,5 s", f"write 3.5s; {_UNITS}"),
        ("250 msec", f"write 250ms; {_UNITS}"),
        ("2h30m", f"one number and one unit; {_UNITS}"),
        ("3 MB", f"one number and one unit; {_UNITS}"),
        ("soon", f"one number and one unit; {_UNITS}"),
    ],
)
def test_durations(tmp_path: Path, dwell: str, cure: str) -> None:
    """The units that are known, and the right one for a word that is none."""
    zone = f"{{polygon: [[0, 0], [1, 0], [1, 1]], dwell: '{dwell}'}}"
    message = told(tmp_path, MINIMAL + f"    zones: {{a: {zone}}}\n")
    assert message == f"expected a duration such as 3s, got '{dwell}' ({cure})"


@pytest.mark.parametrize(
    ("size", "cure"),
    [
        ("64mb", f"write 64MB; {_SIZES}"),
        ("64 megabytes", f"write 64MB; {_SIZES}"),
        ("64M", f"write 64MB; {_SIZES}"),
        ("64 mib", f"write 64MiB; {_SIZES}"),
        ("3 days", f"one number and one unit; {_SIZES}"),
    ],
)
def test_sizes(tmp_path: Path, size: str, cure: str) -> None:
    """As durations."""
    assert told(tmp_path, f"outbox: {{max_bytes: {size}}}\n").endswith(f"got '{size}' ({cure})")


@pytest.mark.parametrize("text", ["dwell: 3 s", "dwell: 500ms"])
def test_a_space_before_the_unit_is_no_mistake(tmp_path: Path, text: str) -> None:
    """So that no cure may forbid it."""
    zone = f"{{polygon: [[0, 0], [1, 0], [1, 1]], {text}}}"
    assert good(tmp_path, MINIMAL + f"    zones: {{a: {zone}}}\n").pipelines["p"].zones["a"].dwell


@pytest.mark.parametrize(
    ("labels", "cure"),
    [
        ("person", " (write [person])"),
        ("person, traffic light", " (write [person, traffic light])"),
        ("50%", " (write ['50%'])"),
        ("a@b", ""),
    ],
)
def test_lists_of_texts(tmp_path: Path, labels: str, cure: str) -> None:
    """A value alone is shown as the list that it should be, an address never."""
    message = told(tmp_path, MINIMAL + f"    labels: {labels}\n")
    shown = "a text with @" if "@" in labels else f"'{labels}'"
    assert message == f"expected a list of texts, not empty, got {shown}{cure}"


@pytest.mark.parametrize(
    ("size", "cure"),
    [
        ("640x480", " (write [640, 480])"),
        ("640 \u00d7 480", " (write [640, 480])"),
        ("'640, 480'", " (write [640, 480])"),
        ("640", ""),
        ("big", ""),
    ],
)
def test_lists_of_numbers(tmp_path: Path, size: str, cure: str) -> None:
    """Only where the number of numbers is right."""
    message = told(tmp_path, MINIMAL.replace("camera}", f"camera, size: {size}}}"))
    shown = size if size == "640" else f"'{size.strip(chr(39))}'"
    assert message == f"expected a list of 2 whole numbers of at least 1, got {shown}{cure}"


def test_no_cure_shows_a_secret(tmp_path: Path) -> None:
    """What came from outside the file is not repeated, in the cure neither."""
    text = MINIMAL + "    labels: ${SECRET}\n    threshold: ${SECRET}\n"
    lines = problems(tmp_path, text, {"SECRET": "67%"})
    assert len(lines) == 2
    assert not [line for line in lines if "67" in line]


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        ("mjpeg", "write http, with the http:// address of the pictures"),
        ("MJPEG", "write http, with the http:// address of the pictures"),
        ("onvif", "write rtsp, with the rtsp:// address that the camera gives"),
        ("ip", "write rtsp or http, as the camera's address begins"),
        ("webcam", "write camera"),
        ("usb", "write camera"),
        ("v4l2", "write camera"),
        ("ffmpeg", "write rtsp for a camera's stream, video for a file"),
        ("mp4", "write video"),
        ("file", "write video, images for pictures, csv for numbers, or text"),
        ("serial", "write lines, with serial: /dev/..."),
        ("udp", "write lines for numbers, or text"),
        ("tail", "write text, with the file"),
        ("radar", f"known: {', '.join(SOURCES.names())}"),
    ],
)
def test_other_names_of_source_types(tmp_path: Path, kind: str, cure: str) -> None:
    """What other programs call it leads to our name."""
    text = MINIMAL.replace("type: camera", f"type: {kind}")
    assert told(tmp_path, text) == f"unknown source type '{kind}' ({cure})"
