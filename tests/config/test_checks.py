"""What no single value can tell."""

from __future__ import annotations

from math import cos, pi, sin
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.shapes import polygon_fault
from tests.support.configs import MINIMAL, problems, warnings


def messages(lines: list[str]) -> list[str]:
    """The lines without file, line and column."""
    return [line.split(": ", 1)[1] for line in lines]


def test_names_must_exist(tmp_path: Path) -> None:
    """A source or model that is not defined, with the likeliest meant."""
    text = MINIMAL.replace("source: s", "source: ss").replace("model: m", "model: other")
    assert messages(problems(tmp_path, text)) == [
        "pipelines.p.source: 'ss' is not among the sources (did you mean 's'?)",
        "pipelines.p.model: 'other' is not among the models (known: m)",
    ]
    assert messages(problems(tmp_path, "pipelines: {p: {source: s, model: m}}")) == [
        "pipelines.p.source: 's' is not among the sources (define it under sources:)",
        "pipelines.p.model: 'm' is not among the models (define it under models:)",
    ]


def test_unused_parts_are_warnings(tmp_path: Path) -> None:
    """What no pipeline uses is likely forgotten."""
    text = MINIMAL.replace("  s: {type: camera}", "  s: {type: camera}\n  t: {type: picamera}")
    assert warnings(tmp_path, text) == ["c.yaml:5:3: sources.t: no pipeline uses it"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a/b", "cannot have /, + or #"),
        ("a+", "cannot have /, + or #"),
        ("$a", "nor begin with $"),
        ("a b", "cannot have spaces"),
        ("'a\tb'", "cannot have spaces"),
        ("''", "needs 1 to 64 characters"),
        ("a" * 65, "needs 1 to 64 characters"),
        ("cmd", "'cmd' is taken by the topics of commands"),
    ],
)
def test_pipeline_names_must_make_topics(tmp_path: Path, name: str, words: str) -> None:
    """A pipeline's name is one level of a topic."""
    (line,) = problems(tmp_path, MINIMAL.replace("  p:", f"  {name}:"))
    assert line.startswith("c.yaml:6:3: pipelines.")
    assert words in line


def test_zone_and_line_names(tmp_path: Path) -> None:
    """Spaces are allowed and become _, so two names must not meet there."""
    zone = "{polygon: [[0, 0], [1, 0], [1, 1]]}"
    text = MINIMAL + f"    zones: {{a b: {zone}, a_b: {zone}, 'x#': {zone}}}\n"
    assert messages(problems(tmp_path, text)) == [
        (
            "pipelines.p.zones.a_b: has the same topic as 'a b': a space becomes _ "
            "(choose another name)"
        ),
        (
            "pipelines.p.zones.'x#': a name cannot have /, + or # in it, nor begin with $: "
            "it is part of MQTT topics (choose another name)"
        ),
    ]


@pytest.mark.parametrize(
    ("mqtt", "message"),
    [
        ("{password: x}", "mqtt.password: is of no use without username (set mqtt.username)"),
        (
            "{username: x, tls: {key_file: m.tflite}}",
            "mqtt.tls.key_file: is of no use without cert_file (set mqtt.tls.cert_file)",
        ),
        (
            "{tls: {ca_file: none.pem}}",
            "mqtt.tls.ca_file: no such file: none.pem (paths begin at the folder of this file)",
        ),
        (
            "{topic_prefix: a/#}",
            (
                "mqtt.topic_prefix: must be words with single / between them, "
                "without + or #, not beginning with $"
            ),
        ),
        (
            "{homeassistant: {prefix: a//b}}",
            (
                "mqtt.homeassistant.prefix: must be words with single / between them, "
                "without + or #, not beginning with $"
            ),
        ),
        (
            "{topic_prefix: /a}",
            (
                "mqtt.topic_prefix: must be words with single / between them, "
                "without + or #, not beginning with $"
            ),
        ),
    ],
)
def test_broker_options_that_do_not_go_together(tmp_path: Path, mqtt: str, message: str) -> None:
    """Half a login, half a certificate, a missing file, a topic prefix that is none."""
    assert messages(problems(tmp_path, f"mqtt: {mqtt}")) == [message]


def test_files_must_be_there(tmp_path: Path) -> None:
    """Models and labels now; what a source reads may come later and is a warning."""
    text = """\
        models:
          m: {file: models/x.tflite, labels: labels.txt}
          f: {file: .}
        sources:
          v: {type: video, file: none.mp4}
          i: {type: images, folder: inbox}
        pipelines:
          p: {source: v, model: m}
          q: {source: i, model: f}
        """
    cure = "(paths begin at the folder of this file)"
    store = "the model store state/edge-agent/models has no 'x': edge-agent models list"
    assert messages(problems(tmp_path, text)) == [
        f"models.m.file: no such file: models/x.tflite {cure[:-1]}; {store})",
        f"models.m.labels: no such file: labels.txt {cure}",
        f"models.f.file: this is a folder, not a file: {tmp_path} {cure}",
    ]
    assert messages(warnings(tmp_path, text)) == [
        f"sources.v.file: no such file: none.mp4 {cure}",
        f"sources.i.folder: no such folder: inbox {cure}",
    ]


def test_areas_must_have_an_inside(tmp_path: Path) -> None:
    """Zones and masks, each at its own place."""
    bow = "[[0.1, 0.5], [0.9, 1], [0.9, 0.5], [0.1, 1]]"
    text = MINIMAL + (
        f"    zones: {{z: {{polygon: {bow}}}}}\n"
        f"    privacy: {{mask: [[[0, 0], [1, 0], [1, 1]], [[0, 0], [0, 0], [1, 1]]]}}\n"
        f"    gate: {{motion: {{mask: [[[0, 0], [0.5, 0.5], [1, 1]]]}}}}\n"
    )
    cure = "(give its corners in order around it)"
    assert messages(problems(tmp_path, text)) == [
        f"pipelines.p.zones.z.polygon: the polygon crosses itself: side 1 and side 3 {cure}",
        f"pipelines.p.privacy.mask[1]: the polygon needs three different corners {cure}",
        (
            f"pipelines.p.gate.motion.mask[0]: the polygon has no area: "
            f"its corners lie on one line {cure}"
        ),
    ]


def test_lines_need_two_ends(tmp_path: Path) -> None:
    """A line from a point to itself cannot be crossed."""
    text = MINIMAL + "    lines: {l: {from: [0.5, 0], to: [0.5, 0.0]}}\n"
    assert messages(problems(tmp_path, text)) == [
        "pipelines.p.lines.l.to: is the same point as from: a line needs two ends"
    ]


def test_more_hits_than_frames(tmp_path: Path) -> None:
    """N of M with N above M, also where one of them is the default."""
    for track in ("{hits: 8}", "{of: 2}", "{hits: 4, of: 3}"):
        (line,) = problems(tmp_path, MINIMAL + f"    track: {track}\n")
        assert "hits (default 3) cannot be more than of (default 5)" in line


def test_labels_must_be_among_the_models(tmp_path: Path) -> None:
    """Where the YAML lists the model's labels, a pipeline can ask for those only."""
    text = MINIMAL.replace("m.tflite}", "m.tflite, labels: [person, car]}")
    assert messages(problems(tmp_path, text + "    labels: [person, persn, 1]\n")) == [
        (
            "pipelines.p.labels[1]: 'persn' is not among the labels of the model "
            "(did you mean 'person'?)"
        ),
        "pipelines.p.labels[2]: '1' is not among the labels of the model (known: person, car)",
    ]
    assert messages(problems(tmp_path, text + "    labels: []\n")) == [
        "pipelines.p.labels: expected a list of texts, not empty, got []"
    ]


def test_one_camera_for_two_sources_is_a_warning(tmp_path: Path) -> None:
    """Number and path are the same camera; another device is not."""
    text = """\
        models: {m: {file: m.tflite}}
        sources:
          a: {type: camera}
          b: {type: camera, device: /dev/video0}
          c: {type: camera, device: 1}
          d: {type: picamera}
        pipelines:
          a: {source: a, model: m}
          b: {source: b, model: m}
          c: {source: c, model: m}
          d: {source: d, model: m}
        """
    assert warnings(tmp_path, text) == [
        "c.yaml:4:3: sources.b: uses the same camera as 'a', and only one can have it"
    ]


def test_a_port_has_one_source(tmp_path: Path) -> None:
    """Serial ports, ports of the network and the standard input have one reader only."""
    text = """\
        models: {m: {file: m.tflite}}
        sources:
          a: {type: lines, serial: /dev/ttyUSB0}
          b: {type: lines, serial: /dev/ttyUSB0}
          c: {type: lines, udp: "0.0.0.0:5005"}
          d: {type: text, listen: "0.0.0.0:5005"}
          e: {type: text, stdin: true}
          f: {type: lines, stdin: true}
          g: {type: lines, tcp: "host:1", stdin: false}
          h: {type: lines, tcp: "host:1", stdin: false}
        """
    found = [line for line in warnings(tmp_path, text) if "only one" in line]
    assert found == [
        "c.yaml:4:3: sources.b: uses the same serial port as 'a', and only one can have it",
        "c.yaml:8:3: sources.f: uses the same standard input as 'e', and only one can have it",
    ]


def test_a_hash_that_cuts_a_password_is_a_warning(tmp_path: Path) -> None:
    """A # after a space begins a comment, which a password may not mean."""
    text = MINIMAL + "mqtt:\n  username: u #me\n  password: abc #def\n  host: #h\n"
    assert messages(warnings(tmp_path, text)) == [
        "mqtt.password: ends before the '#', which begins a comment (or put it in quotes)",
        "mqtt.host: ends before the '#', which begins a comment (or put it in quotes)",
    ]
    assert warnings(tmp_path, MINIMAL + "mqtt:\n  password: abc  # mine\n") == []


def test_checks_pass_over_what_is_wrong_already(tmp_path: Path) -> None:
    """A value of the wrong shape makes one mistake, not two."""
    text = """\
        agent: 3
        mqtt: [x]
        models: {m: {file: [a], labels: {a: b}}, n: }
        sources: [camera]
        pipelines:
          p: {source: [s], model: {}, labels: x, track: 3, zones: [z], lines: {l: {from: 1}}}
          q: 4
        """
    lines = problems(tmp_path, text)
    places = [line.split(": ")[1] for line in lines]
    assert len(places) == len(set(places))
    assert "pipelines.p.lines.l.to" in places


def circle(count: int) -> list[tuple[float, float]]:
    """Corners evenly on a circle."""
    angles = [2 * pi * i / count for i in range(count)]
    return [(0.5 + 0.4 * cos(angle), 0.5 + 0.4 * sin(angle)) for angle in angles]


GRID = st.integers(0, 64).map(lambda n: n / 64)
CORNER = st.tuples(GRID, GRID)


@given(st.lists(CORNER, max_size=12))
def test_any_corners_have_a_verdict(corners: list[tuple[float, float]]) -> None:
    """Never an exception, and turning the polygon round does not make it better."""
    assert (polygon_fault(corners) == "") == (polygon_fault(corners[::-1]) == "")


@given(st.integers(3, 40), st.booleans())
def test_round_polygons_are_fine(count: int, closed: bool) -> None:
    """Corners on a circle never cross, whether or not the first is repeated at the end."""
    corners = circle(count)
    assert polygon_fault(corners + corners[:1] if closed else corners) == ""


@given(st.integers(5, 20))
def test_swapping_two_corners_of_a_round_polygon_crosses_it(count: int) -> None:
    """A polygon with corners in the wrong order is found."""
    corners = circle(count)
    corners[1], corners[2] = corners[2], corners[1]
    assert polygon_fault(corners).startswith("crosses itself")
