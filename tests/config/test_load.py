"""A whole configuration: values, or every mistake with its line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge_agent.config.load import MAX_BYTES, config_from_values, load_config, load_or_raise
from edge_agent.config.problem import Problem
from edge_agent.decoders import DECODERS
from edge_agent.errors import ConfigError
from edge_agent.sources import SOURCES
from tests.support.configs import MINIMAL, good, problems, warnings, write

SOURCE_TYPES = ", ".join(SOURCES.names())
TASKS = ", ".join(DECODERS.names())

TEN = """\
agent:
  name: front door
mqtt:
  hots: broker.local
  port: 70000
models:
  m:
    file: m.tflite
    threads: many
sources:
  s: {type: camra, device: 0}
  yard: {type: rtsp}
pipelines:
  p:
    source: s
    model: n
    threshold: 1.5
    gate: {motoin: {}}
    zones: {porch: {polygon: [[0, 0], [1, 1]]}}
  q: {source: yard, model: m, track: {lost: 3 parsecs}}
"""


def test_ten_mistakes_are_ten_lines(tmp_path: Path) -> None:
    """Every mistake is found at once, each on one line at its own place."""
    assert problems(tmp_path, TEN) == [
        (
            "c.yaml:2:9: agent.name: a name cannot have spaces in it: it is part of MQTT topics "
            "(choose another name)"
        ),
        "c.yaml:4:3: mqtt.hots: unknown key (did you mean 'host'?)",
        "c.yaml:5:9: mqtt.port: expected a whole number from 1 to 65535, got 70000",
        "c.yaml:9:14: models.m.threads: expected a whole number from 1 to 64, got 'many'",
        "c.yaml:11:13: sources.s.type: unknown source type 'camra' (did you mean 'camera'?)",
        (
            "c.yaml:12:3: sources.yard.url: is missing "
            "(rtsp://USER:PASSWORD@HOST:PORT/PATH of the stream)"
        ),
        "c.yaml:16:12: pipelines.p.model: 'n' is not among the models (known: m)",
        "c.yaml:17:16: pipelines.p.threshold: expected a number from 0 to 1, got 1.5",
        "c.yaml:18:12: pipelines.p.gate.motoin: unknown key (did you mean 'motion'?)",
        (
            "c.yaml:19:30: pipelines.p.zones.porch.polygon: "
            "a polygon needs three corners [x, y] or more, this has 2"
        ),
        (
            "c.yaml:20:45: pipelines.q.track.lost: expected a duration such as 3s, "
            "got '3 parsecs' (one number and one unit; the units are ms, s, m, h, d)"
        ),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("task: 3", f"task: unknown decoder '3' (known: {TASKS})"),
        ("task: sdd", "task: unknown decoder 'sdd' (did you mean 'ssd'?)"),
        (
            "task: [ssd]",
            (
                "task: expected 'auto', a decoder's name, or a mapping with name and "
                "options, got ['ssd']"
            ),
        ),
        ("task: {max: 3}", f"task.name: is missing (Decoder: {TASKS})"),
        ("task: {name: ssd, maxx: 3}", "task.maxx: unknown key (did you mean 'max'?)"),
        ("task: {name: ssd, max: 0}", "task.max: expected a whole number of at least 1, got 0"),
        (
            "engine: tflit",
            "engine: expected 'auto', 'tflite' or 'numpy', got 'tflit' (did you mean 'tflite'?)",
        ),
        (
            "sha256: 61d598",
            "sha256: expected 64 hexadecimal digits, as sha256sum prints them, got 6 characters",
        ),
        ("labels: 3.5", "labels: no such file: 3.5 (paths begin at the folder of this file)"),
        ("labels: x.txt", "labels: no such file: x.txt (paths begin at the folder of this file)"),
        ("labels: [a, [b]]", "labels[1]: expected a text, got ['b']"),
        (
            "labels: {a: b}",
            "labels: expected 'auto' or a file path or a list of texts, got a mapping",
        ),
        ("threads: true", "threads: expected a whole number from 1 to 64"),
        ("threads: 1.5", "threads: expected a whole number from 1 to 64, got 1.5"),
        ("threads: [1]", "threads: expected a whole number from 1 to 64, got [1]"),
        (
            "preprocess: {mean: x}",
            "preprocess.mean: expected a number or a list of numbers, got 'x'",
        ),
        ("preprocess: {mean: [1, x]}", "preprocess.mean[1]: expected a number, got 'x'"),
        ("preprocess: {mean: [1, nan]}", "preprocess.mean[1]: expected a number"),
        ("preprocess: rgb", "preprocess: expected a mapping, got 'rgb'"),
        (
            "delegate: {}",
            (
                "delegate.library: is missing (Shared library of the delegate: a path, "
                "or a name such as libedgetpu.so.1)"
            ),
        ),
        (
            "delegate: {library: x, options: {a: [1]}}",
            "delegate.options.a: expected a text, got [1]",
        ),
    ],
)
def test_each_mistake_is_one_plain_line(tmp_path: Path, line: str, message: str) -> None:
    """A wrong value is one line in plain words, however many types the field may have."""
    text = MINIMAL.replace("{file: m.tflite}", f"\n    file: m.tflite\n    {line}")
    found = problems(tmp_path, text)
    assert [problem.split(": ", 1)[1] for problem in found] == [f"models.m.{message}"]
    assert found[0].startswith("c.yaml:4:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "{}",
            f"sources.s.type: is missing (Kind of source: {SOURCE_TYPES})",
        ),
        ("3", "sources.s: expected a mapping, got 3"),
        (
            "{type: [a]}",
            f"sources.s.type: expected the name of a source type (known: {SOURCE_TYPES})",
        ),
        (
            "{type: camera, size: [640]}",
            "sources.s.size: expected a list of 2 whole numbers of at least 1, got [640]",
        ),
        (
            "{type: camera, size: [640, 480, 3]}",
            "sources.s.size: expected a list of 2 whole numbers of at least 1, got [640, 480, 3]",
        ),
        (
            "{type: camera, size: [640, 0]}",
            "sources.s.size[1]: expected a whole number of at least 1, got 0",
        ),
        ("{type: camera, fps: 1e999}", "sources.s.fps: expected a number above 0"),
        ("{type: camera, fsp: 3}", "sources.s.fsp: unknown key (did you mean 'fps'?)"),
        (
            "{type: camera, timeout: 0s}",
            "sources.s.timeout: expected a duration such as 3s, above 0 seconds, got '0s'",
        ),
        ("{type: video}", "sources.s.file: is missing (The video file)"),
    ],
)
def test_mistakes_in_a_source(tmp_path: Path, options: str, message: str) -> None:
    """A source's options stand beside its type and are checked as that type says."""
    text = MINIMAL.replace("{type: camera}", options)
    assert [line.split(": ", 1)[1] for line in problems(tmp_path, text)] == [message]


def test_a_missing_key_is_at_its_section(tmp_path: Path) -> None:
    """What is not there is told where it should be."""
    assert problems(tmp_path, "pipelines:\n  p:\n    threshold: 0.5\n") == [
        "c.yaml:2:3: pipelines.p.source: is missing (Name of the source)",
        "c.yaml:2:3: pipelines.p.model: is missing (Name of the model)",
    ]


def test_repeated_names(tmp_path: Path) -> None:
    """A name that stands twice is a mistake; both lines are told."""
    assert problems(tmp_path, "mqtt:\n  port: 1\n  port: 2\n") == [
        "c.yaml:3:3: mqtt.port: stands here again (it is on line 2 already)"
    ]


def test_a_good_configuration(tmp_path: Path) -> None:
    """Options arrive as the stages' own types, in base units, with the defaults."""
    text = """\
        agent: {name: front-door, state_dir: state}
        mqtt: {protocol: 3.1.1, username: 1234, keepalive: 1m, tls: {}}
        outbox: {max_bytes: 1MiB, max_age: 2h}
        models:
          m: {file: m.tflite, task: {name: ssd, max: 3}, labels: [no, 1, person]}
        sources:
          s: {type: camera, device: /dev/video2, size: [640, 480], fps: 10}
          v: {type: video, file: clips/a.mp4, pace: fast}
        pipelines:
          p:
            source: s
            model: m
            gate: {rate: {fps: 2}, motion: }
            zones: {porch: {polygon: [[0, 0], [1, 0], [1, 1]], dwell: 3s}}
            lines: {gate: {from: [0.5, 0], to: [0.5, 1]}}
            publish: {events: on, snapshots: off, detections: yes}
          q: {source: v, model: m, enabled: false, labels: }
        """
    config = good(tmp_path, text)
    assert config.agent.state_dir == tmp_path / "state"
    assert config.mqtt.protocol == "3.1.1"
    assert config.mqtt.username == "1234"
    assert config.mqtt.keepalive == 60.0
    assert config.mqtt.tls is not None
    assert (config.outbox.max_bytes, config.outbox.max_age) == (2**20, 7200.0)
    model = config.models["m"]
    assert model.file == tmp_path / "m.tflite"
    assert model.labels == ["no", "1", "person"]
    assert (model.task.name, model.task.options.max) == ("ssd", 3)
    assert config.sources["s"].type == "camera"
    options = {name: source.options for name, source in config.sources.items()}
    assert getattr(options["s"], "size") == (640, 480)  # noqa: B009 - the type is the stage's
    assert getattr(options["v"], "file") == tmp_path / "clips/a.mp4"  # noqa: B009
    pipeline = config.pipelines["p"]
    assert list(pipeline.gate) == ["rate", "motion"]
    assert pipeline.zones["porch"].dwell == 3.0
    assert pipeline.lines["gate"].from_ == (0.5, 0.0)
    assert pipeline.publish.events
    assert pipeline.publish.detections
    assert not config.pipelines["q"].enabled
    assert config.pipelines["q"].labels is None


def test_files_of_a_decoder(tmp_path: Path) -> None:
    """A file that a decoder's options name is searched where the configuration is."""
    text = """\
        models: {m: {file: m.tflite, task: {name: ssd_raw, priors_file: priors.csv}}}
        sources: {s: {type: camera, device: /dev/video0}}
        pipelines: {p: {source: s, model: m}}
        """
    assert good(tmp_path, text).models["m"].task.options.priors_file == tmp_path / "priors.csv"


def test_the_defaults(tmp_path: Path) -> None:
    """The least that runs: a model, a source, a pipeline."""
    config = good(tmp_path, MINIMAL)
    assert config.agent.name
    assert config.agent.health_interval == 60.0
    assert config.models["m"].task.name is None
    assert config.models["m"].labels == "auto"
    assert config.pipelines["p"].threshold == 0.5
    assert config.pipelines["p"].gate == {}


def test_what_comes_later_is_a_warning(tmp_path: Path) -> None:
    """A key that a later version will know is neither unknown nor silently ignored."""
    text = MINIMAL + ("    gate: {motion: {}, trigger: {}}\n")
    later = "not in this version yet, it is ignored"
    assert good(tmp_path, text)
    assert warnings(tmp_path, text) == [
        f"c.yaml:9:24: pipelines.p.gate.trigger: {later}",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfea\x00", "c.yaml:1:1: not UTF-8 text (save the file as UTF-8)"),
        (b"a: 1\nb: \xe9\n", "c.yaml:2:4: not UTF-8 text (save the file as UTF-8)"),
        (b"a" * (MAX_BYTES + 1), "c.yaml: larger than 1 MiB (is this the configuration?)"),
        (b"a: \0", "c.yaml:1:4: the character U+0000 cannot stand in YAML"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, content: bytes, message: str) -> None:
    """One line each, with the place where there is one."""
    file = tmp_path / "c.yaml"
    file.write_bytes(content)
    (problem,) = load_config(file).problems
    assert str(problem).replace(f"{tmp_path}/", "") == message


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    """Editors on Windows put one at the start."""
    file = tmp_path / "c.yaml"
    file.write_bytes(b"\xef\xbb\xbfagent: {name: a}\r\n")
    assert load_config(file).config is not None


def test_files_that_are_not_there(tmp_path: Path) -> None:
    """Missing, a folder, an impossible name: one line each and no line number."""
    for path, message in (
        (tmp_path / "none.yaml", "no such file"),
        (tmp_path, "this is a folder"),
        (Path("a\0b"), "the file cannot be read"),
    ):
        (problem,) = load_config(path).problems
        assert problem.line == 0
        assert problem.message == message


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    """That there is nothing to do is told by what would run it, and only there."""
    assert good(tmp_path, "").pipelines == {}
    assert warnings(tmp_path, "") == []


def test_or_raise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """With problems a ConfigError of all lines; without, the warnings are logged."""
    with pytest.raises(ConfigError) as caught:
        load_or_raise(write(tmp_path, TEN), {})
    assert len(caught.value.problems) == 11
    assert caught.value.exit_code == 78
    with caplog.at_level(logging.WARNING):
        load_or_raise(
            write(tmp_path, MINIMAL.replace("  s: {", "  t: {type: picamera}\n  s: {")), {}
        )
    assert "sources.t: no pipeline uses it" in caplog.text


def test_without_a_file(tmp_path: Path) -> None:
    """Plain values give a configuration; mistakes have a path but no line."""
    (tmp_path / "m.tflite").touch()
    values = {
        "mqtt": {"host": "h", "password": None},
        "models": {"m": {"file": "m.tflite"}},
        "sources": {"s": {"type": "camera", "device": 0}},
        "pipelines": {"p": {"source": "s", "model": "m", "labels": ["${A}"]}},
    }
    config = config_from_values(values, tmp_path)
    assert config.models["m"].file == tmp_path / "m.tflite"
    assert config.pipelines["p"].labels == ["${A}"]
    with pytest.raises(ConfigError) as caught:
        config_from_values({"mqtt": {"port": 0}}, tmp_path)
    assert caught.value.problems == ("mqtt.port: expected a whole number from 1 to 65535, got 0",)


def test_a_problem_is_one_line() -> None:
    """Whatever its parts are."""
    assert str(Problem("f", 1, 2, "a.b", "wrong\nhere", "mend it")) == (
        "f:1:2: a.b: wrong here (mend it)"
    )
    assert str(Problem("", 0, 0, "", "wrong")) == "wrong"


def test_a_broken_plug_in_is_one_line_and_a_traceback_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A source, gate or decoder that cannot be imported does not end the program."""
    monkeypatch.setitem(SOURCES._builtin, "broken", "edge_agent.no_such_module:Source")
    assert problems(tmp_path, MINIMAL.replace("type: camera", "type: broken")) == [
        "c.yaml:4:13: sources.s.type: source type 'broken' cannot be loaded (the log says why)"
    ]
    assert "No module named 'edge_agent.no_such_module'" in caplog.text
