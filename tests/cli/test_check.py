"""`edge-agent check`: every mistake with its place, on stdout, and the exit code."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from edge_agent.cli.main import main
from edge_agent.config.load import load_config
from tests.support.agent import ASSETS
from tests.support.classifiers import write_colour_classifier
from tests.support.cli import Terminal
from tests.support.configs import MINIMAL, write


def valid(folder: Path, text: str) -> Path:
    """The YAML as a file beside a real model m.tflite."""
    file = write(folder, text)
    shutil.copy(ASSETS / "belt.tflite", folder / "m.tflite")
    return file


TEN = """\
mqtt:
  port: 70000
  password: [hunter2]
models:
  parts: {file: m.tflite, threads: 0}
  other: {file: m.tflite, task: sdd}
sources:
  front: {type: camra}
  yard: {type: rtsp, url: ["rtsp://user:hunter2@yard/1"]}
pipelines:
  a:
    source: frnt
    model: parts
    threshold: 1.5
    gate: {motoin: {}}
  b:
    source: yard
    model: parts
    track: {lost: 3 parsecs}
"""

LINES = [
    ("2:9", "mqtt.port: expected a whole number from 1 to 65535, got 70000"),
    ("3:13", "mqtt.password: expected a text"),
    ("5:36", "models.parts.threads: expected a whole number from 1 to 64, got 0"),
    ("6:33", "models.other.task: unknown decoder 'sdd' (did you mean 'ssd'?)"),
    ("8:17", "sources.front.type: unknown source type 'camra' (did you mean 'camera'?)"),
    ("9:27", "sources.yard.url: expected a text"),
    ("12:13", "pipelines.a.source: 'frnt' is not among the sources (did you mean 'front'?)"),
    ("14:16", "pipelines.a.threshold: expected a number from 0 to 1, got 1.5"),
    ("15:12", "pipelines.a.gate.motoin: unknown key (did you mean 'motion'?)"),
    (
        "19:19",
        (
            "pipelines.b.track.lost: expected a duration such as 3s, got '3 parsecs' "
            "(one number and one unit; the units are ms, s, m, h, d)"
        ),
    ),
]


def test_ten_mistakes_are_ten_lines(terminal: Terminal, tmp_path: Path) -> None:
    """All at once on stdout, each at its place, with what was probably meant."""
    file = write(tmp_path, TEN)
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert answer.out.splitlines() == [f"{file}:{place}: {text}" for place, text in LINES]
    assert answer.err == ""


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_secrets_are_not_shown(terminal: Terminal, tmp_path: Path, options: list[str]) -> None:
    """The values of password and url are wrong, but stay out of the output."""
    answer = terminal("check", "-c", write(tmp_path, TEN), *options)
    assert "hunter2" not in answer.out + answer.err


def test_mistakes_as_json(terminal: Terminal, tmp_path: Path) -> None:
    """Editors get the parts of each line one by one."""
    file = write(tmp_path, TEN)
    answer = terminal("check", "-c", file, "--json")
    assert answer.code == 78
    assert answer.json["file"] == str(file)
    assert answer.json["warnings"] == []
    assert [f"{each['line']}:{each['column']}" for each in answer.json["errors"]] == [
        place for place, _ in LINES
    ]
    assert answer.json["errors"][0] == {
        "file": str(file),
        "line": 2,
        "column": 9,
        "path": "mqtt.port",
        "message": "expected a whole number from 1 to 65535, got 70000",
        "hint": "",
    }


def test_a_valid_file(terminal: Terminal, tmp_path: Path) -> None:
    """It is told on stderr what the file holds; stdout stays empty."""
    file = valid(tmp_path, MINIMAL + "  q: {source: s, model: m}\nmqtt: {host: broker.local}\n")
    answer = terminal("check", "-c", file)
    assert (answer.code, answer.out) == (0, "")
    assert answer.err == "valid: 1 source, 1 model, 2 pipelines, broker broker.local\n"


def test_a_valid_file_as_json(terminal: Terminal, tmp_path: Path) -> None:
    """No errors, no warnings, exit code 0."""
    file = valid(tmp_path, MINIMAL)
    answer = terminal("check", "-c", file, "--json")
    assert answer.code == 0
    assert answer.json == {"file": str(file), "errors": [], "warnings": []}


def test_a_warning_is_no_mistake(terminal: Terminal, tmp_path: Path) -> None:
    """It goes to stderr, or into its own list, and the file is valid."""
    file = valid(tmp_path, MINIMAL.replace("  s: {", "  idle: {type: picamera}\n  s: {"))
    answer = terminal("check", "-c", file)
    assert answer.code == 0
    assert answer.err.splitlines()[0] == f"warning: {file}:4:3: sources.idle: no pipeline uses it"
    answer = terminal("check", "-c", file, "--json")
    assert answer.code == 0
    assert [each["path"] for each in answer.json["warnings"]] == ["sources.idle"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.yaml", "no such file (an example is config/edge-agent.yaml)"),
        ("", "this is a folder (give the YAML file in it)"),
        ("bytes.yaml", "1:1: not UTF-8 text (save the file as UTF-8)"),
    ],
)
def test_a_file_that_cannot_be_read(
    terminal: Terminal, tmp_path: Path, name: str, message: str
) -> None:
    """One line that names the file and the cure."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    file = tmp_path / name
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    colon = ":" if message[0].isdigit() else ": "
    assert answer.out == f"{file}{colon}{message}\n"


def test_the_file_is_needed(terminal: Terminal) -> None:
    """Without -c it is wrong usage."""
    answer = terminal("check")
    assert (answer.code, answer.out) == (2, "")
    assert "-c/--config" in answer.err


def test_the_environment_fills_in(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`check` sees the variables that `run` would see, and says which is missing."""
    file = valid(tmp_path, MINIMAL + 'mqtt: {host: "${EDGE_TEST_HOST}"}\n')
    monkeypatch.delenv("EDGE_TEST_HOST", raising=False)
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert "EDGE_TEST_HOST" in answer.out
    monkeypatch.setenv("EDGE_TEST_HOST", "h")
    assert load_config(file, os.environ).problems == ()
    assert terminal("check", "-c", file).code == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            "mqtt: {host: a/b}",
            "1:14: mqtt.host: must be a plain host name or address, such as broker.local",
        ),
        (
            "sources: {clip: {type: http, url: cam/video}}",
            (
                "1:35: sources.clip.url: must be http:// or https:// with a host "
                "(write http://HOST/PATH)"
            ),
        ),
        (
            "sources: {clip: {type: http, url: 'rtsp://cam'}}",
            (
                "1:35: sources.clip.url: must be http:// or https:// with a host "
                "(an address with rtsp:// needs type: rtsp)"
            ),
        ),
        (
            "sources: {clip: {type: http, url: “http://cam”}}",
            (
                "1:35: sources.clip.url: must be http:// or https:// with a host "
                '(write " instead of the left double quotation mark (U+201C))'
            ),
        ),
        (
            "sources: {clip: {type: images, files: []}}",
            "1:11: sources.clip: give either files or folder",
        ),
        (
            "page: {address: 0.0.0.0}",
            "1:1: page.token: is needed where page.address is not this machine's own",
        ),
    ],
)
def test_what_only_a_stage_can_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], wrong: str, told: str
) -> None:
    """Options that a stage itself refuses are found by `check` too, not only by `run`."""
    model = ASSETS / "belt.tflite"
    values: dict[str, Any] = {
        "models": {"m": {"file": str(model)}},
        "sources": {"clip": {"type": "video", "file": str(ASSETS / "belt.mp4")}},
        "pipelines": {"p": {"source": "clip", "model": "m"}},
    }
    file = tmp_path / "c.yaml"
    wanted = {key: value for key, value in values.items() if key not in wrong.split(":")}
    file.write_text(f"{wrong}\n{yaml.safe_dump(wanted)}", encoding="utf-8")
    assert main(["check", "-c", str(file)]) == 78
    answer = capsys.readouterr()
    assert answer.out == f"{file}:{told}\n"
    assert "warning" not in answer.err


def test_an_array_without_a_rate(terminal: Terminal, tmp_path: Path) -> None:
    """That nothing tells its times is found before it runs."""
    np.save(tmp_path / "shaft.npy", np.zeros((8, 3), np.float32))
    file = tmp_path / "c.yaml"
    file.write_text(
        "sources: {shaft: {type: csv, file: shaft.npy}}\n"
        "pipelines: {p: {source: shaft, window: {length: 4}, reading: {above: 3}}}\n"
    )
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert answer.out == (
        f"{file}:1:11: sources.shaft: shaft.npy is an array, which has no times: set rate to how "
        "many of its rows make a second\n"
    )


def test_what_a_model_tells(terminal: Terminal, tmp_path: Path) -> None:
    """A damaged model, and labels that the model does not know, are told with their lines."""
    file = valid(tmp_path, MINIMAL + "    labels: [gear, weasher]\n")
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert answer.out == (
        f"{file}:9:20: pipelines.p.labels[1]: the model has no label 'weasher' "
        "(did you mean 'washer'?)\n"
    )
    polygon = "polygon: [[0, 0], [1, 0], [1, 1]]"
    zones = f"    zones: {{z: {{{polygon}, filters: {{gaer: {{min_area: 0.1}}}}}}}}\n"
    file.write_text(MINIMAL + "    filters: {bolt: {}, nutt: {threshold: 0.6}}\n" + zones)
    lines = terminal("check", "-c", file).out.split("\n")
    told = [line.partition("pipelines.p.")[2] for line in lines]
    assert told == [
        "filters.nutt: the model has no label 'nutt' (did you mean 'nut'?)",
        "zones.z.filters.gaer: the model has no label 'gaer' (did you mean 'gear'?)",
        "",
    ]
    hidden = "    publish: {snapshots: {mode: blurred, labels: [bolt, geer]}}\n"
    file.write_text(MINIMAL + hidden)
    assert terminal("check", "-c", file).out.partition("pipelines.p.")[2] == (
        "publish.snapshots.labels[1]: the model has no label 'geer' (did you mean 'gear'?)\n"
    )
    file.write_text(MINIMAL)
    (tmp_path / "m.tflite").write_bytes(b"no model at all")
    answer = terminal("check", "-c", file)
    assert answer.code == 78
    assert answer.out.startswith(f"{file}:2:13: models.m.file: ")
    assert "m.tflite is not a TFLite model (" in answer.out


def test_what_can_name_objects(terminal: Terminal, tmp_path: Path) -> None:
    """A second model must be a classifier, and the first one must find objects."""
    colours = write_colour_classifier(tmp_path / "colour.tflite")
    text = MINIMAL.replace("sources:", f"  second: {{file: {colours}}}\nsources:")
    file = valid(tmp_path, text + "    refine: {second: {labels: [gear]}}\n")
    assert terminal("check", "-c", file).code == 0
    file = valid(tmp_path, text + "    refine: {second: {labels: [geer]}}\n")
    assert "refine.second.labels[0]: the model has no label 'geer' (did you mean 'gear'?)" in (
        terminal("check", "-c", file).out
    )
    swapped = text.replace("model: m", "model: second") + "    refine: {m: }\n"
    answer = terminal("check", "-c", valid(tmp_path, swapped))
    assert answer.code == 78
    no_classes = "the model m finds objects and names no classes (refine needs a classifier)"
    no_objects = "the model second finds no objects that could be looked at"
    assert answer.out.splitlines() == [
        f"{file}:10:17: pipelines.p.refine.m: {no_classes}",
        f"{file}:10:13: pipelines.p.refine: {no_objects}",
    ]


def test_a_label_that_nothing_is_like(terminal: Terminal, tmp_path: Path) -> None:
    """Few labels are told; of many, how to see them."""
    file = valid(tmp_path, MINIMAL + "    labels: [human]\n")
    few = "the model has no label 'human' (known: bolt, nut, washer, gear)\n"
    assert terminal("check", "-c", file).out == f"{file}:9:14: pipelines.p.labels[0]: {few}"
    names = "".join(f"{i:04}\n" for i in range(30))
    (tmp_path / "names.txt").write_text(names, encoding="utf-8")
    text = file.read_text(encoding="utf-8").replace(".tflite}", ".tflite, labels: names.txt}")
    file.write_text(text, encoding="utf-8")
    command = f"edge-agent inspect --labels {tmp_path / 'm.tflite'}"
    assert (
        f"the model has no label 'human' (see them: {command})\n"
        in terminal("check", "-c", file).out
    )


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (
            "",
            (
                "1:1: pipelines: there are none, so there is nothing to do "
                "(write pipelines: {door: {source: s, model: m}})"
            ),
        ),
        (
            "pipelines: {p: {source: s, model: m, enabled: off}}\n",
            (
                "5:1: pipelines: none is enabled, so there is nothing to do "
                "(set enabled: true in one)"
            ),
        ),
    ],
)
def test_nothing_to_do(terminal: Terminal, tmp_path: Path, rest: str, told: str) -> None:
    """One line, and what to write."""
    file = valid(tmp_path, MINIMAL[: MINIMAL.index("pipelines:")] + rest)
    answer = terminal("check", "-c", file)
    assert (answer.code, answer.out, answer.err) == (78, f"{file}:{told}\n", "")
