"""JSON Schema, reference and the examples agree with what the agent reads."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from edge_agent.config.fields import fields_of
from edge_agent.config.json_schema import config_schema
from edge_agent.config.load import load_config
from edge_agent.config.reference import reference_markdown
from edge_agent.config.schema import Config, ModelConfig, PipelineConfig
from edge_agent.config.validate import plain_values
from edge_agent.config.yaml_tree import Mapping, Node, Scalar, Sequence, parse
from edge_agent.decoders import DECODERS
from edge_agent.gates import GATES
from edge_agent.mqtt.options import MqttOptions
from edge_agent.sources import SOURCES

FOLDER = Path(__file__).resolve().parents[2] / "config"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))
FILES = (
    *("models/coco_ssd.tflite", "models/parts.tflite", "models/bearing.npz"),
    "models/log-severity.npz",
    *("clips/door.mp4", "vibration.csv"),
)
ENVIRONMENT = {"CAM_PASSWORD": "a", "MQTT_PASSWORD": "b"}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """A checker of the schema, which is itself sound."""
    schema = config_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def copied(example: Path, folder: Path, text: str | None = None) -> Path:
    """An example in a folder where the files that it names exist."""
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "inbox").mkdir()
    target = folder / example.name
    shutil.copy(example, target)
    if text is not None:
        target.write_text(text)
    return target


def test_there_are_examples() -> None:
    """A full reference and small ones."""
    names = [path.stem for path in EXAMPLES]
    assert names == [
        "bearing",
        "edge-agent",
        "log-severity",
        "pictures",
        "rtsp",
        "sensor",
        "usb-camera",
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_read_without_a_word(example: Path, tmp_path: Path) -> None:
    """No mistakes and no warnings."""
    loaded = load_config(copied(example, tmp_path), ENVIRONMENT)
    assert loaded.problems == ()
    assert loaded.warnings == ()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_fit_the_schema(example: Path, validator: Draft202012Validator) -> None:
    """As they stand, with their `${...}`."""
    values = plain_values(parse(example.read_text())[0])
    assert [error.message for error in validator.iter_errors(values)] == []


def _keys(node: Node) -> set[str]:
    if isinstance(node, Scalar):
        return set()
    if isinstance(node, Sequence):
        return set().union(*(_keys(item) for item in node.items))
    assert isinstance(node, Mapping)
    return set(node.items).union(*(_keys(item) for item in node.items.values()))


def test_the_full_reference_has_every_key() -> None:
    """Each option of this version stands in config/edge-agent.yaml, used or commented out."""
    text = (FOLDER / "edge-agent.yaml").read_text()
    for kind in (Config, ModelConfig, PipelineConfig, MqttOptions):
        for name in fields_of(kind) or {}:
            assert f"{name}:" in text, name
    for registry in (SOURCES, GATES):
        for name in registry.names():
            for option in fields_of(getattr(registry.load(name), "Options")) or {}:  # noqa: B009
                assert f"{option}" in text, (name, option)


def test_the_commented_keys_are_right_too(tmp_path: Path) -> None:
    """Every setting that is commented out can be uncommented."""
    example = FOLDER / "edge-agent.yaml"
    text = re.sub(r"^( +)# ((?:  )?[a-z0-9_]+:(?: .*)?)$", r"\1\2", example.read_text(), flags=re.M)
    for name in ("private-ca.pem", "device.pem", "device.key"):
        (tmp_path / name).touch()
    (tmp_path / "camera-password.txt").write_text("pw")
    text = text.replace("/etc/ssl/private-ca.pem", "private-ca.pem")
    loaded = load_config(copied(example, tmp_path, text), ENVIRONMENT)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.config is not None
    assert loaded.config.mqtt.tls is not None
    assert loaded.config.models["coco"].delegate is not None
    assert loaded.config.models["coco"].preprocess.mean == 127.5


def test_the_commented_sources_are_right_too(tmp_path: Path) -> None:
    """The block of sources of sound and numbers can be taken in as it stands."""
    example = FOLDER / "edge-agent.yaml"
    text = re.sub(r"^#(  .*)$", r"\1", example.read_text(), flags=re.M)
    for name in ("meter-password.txt", "camera-password.txt"):
        (tmp_path / name).write_text("pw")
    rest = text.partition("# Sources of sound and of numbers")[2]
    block = rest.partition("\n\n")[0].partition("\n#\n")[2]
    block = re.sub(r"^( +)# ((?:username|password|port|trigger):.*)$", r"\1\2", block, flags=re.M)
    whole = f"sources:\n{block}\n"
    loaded = load_config(copied(example, tmp_path, whole), {**ENVIRONMENT, "METER_TOKEN": "x"})
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.config is not None
    kinds = {source.type for source in loaded.config.sources.values()}
    assert {"audio", "sysfs", "iio", "i2c", "mqtt", "http_json", "fusion"} <= kinds
    for name, source in loaded.config.sources.items():
        SOURCES.load(source.type)(name, source.options)


def test_the_examples_of_the_guide_are_right(tmp_path: Path) -> None:
    """Every block of docs/sensors.md can be pasted, and its sources can be built."""
    text = (FOLDER.parent / "docs" / "sensors.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, flags=re.M | re.S)
    assert len(blocks) == 6
    (tmp_path / "models").mkdir()
    for name in ("coco.tflite", "distance.tflite"):
        (tmp_path / "models" / name).touch()
    (tmp_path / "forecaster.npz").touch()
    for block in blocks:
        (tmp_path / "c.yaml").write_text(block)
        loaded = load_config(tmp_path / "c.yaml", ENVIRONMENT)
        assert loaded.problems == ()
        assert loaded.config is not None
        for name, source in loaded.config.sources.items():
            SOURCES.load(source.type)(name, source.options)


@pytest.mark.parametrize(
    "values",
    [
        {"mqtt": {"hots": "x"}},
        {"mqtt": {"port": 0}},
        {"agent": {"log_level": "loud"}},
        {"sources": {"s": {"type": "camra"}}},
        {"sources": {"s": {"type": "rtsp"}}},
        {"sources": {"s": {"type": "camera", "url": "x"}}},
        {"models": {"m": {"file": "x", "task": {"name": "ssd", "top": 1}}}},
        {"models": {"m": {"file": "x", "task": "sdd"}}},
        {"pipelines": {"p": {"source": "s", "model": "m", "gate": {"motoin": {}}}}},
        {"pipelines": {"p": {"source": "s", "model": "m", "threshold": 2}}},
        {"outbox": {"max_age": 0}},
        {"outbox": {"max_bytes": "3 apples"}},
    ],
)
def test_the_schema_refuses_what_check_refuses(
    values: dict[str, Any], validator: Draft202012Validator
) -> None:
    """An editor underlines it while it is typed."""
    assert not validator.is_valid(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"mqtt": {"port": "${PORT:-1883}", "keepalive": "${K}", "tls": {}}},
        {"outbox": {"max_bytes": "1MiB", "max_age": 3}},
        {"models": {"m": {"file": "x", "task": {"name": "ssd", "max": "${N}"}}}},
        {"pipelines": {"p": {"source": "s", "model": "m", "gate": {"motion": None}}}},
    ],
)
def test_the_schema_accepts_what_check_accepts(
    values: dict[str, Any], validator: Draft202012Validator
) -> None:
    """Filled values, units, and empty gates."""
    assert [error.message for error in validator.iter_errors(values)] == []


def test_every_option_has_help() -> None:
    """Each key has a description in the schema, and so a meaning in the reference."""
    definitions = config_schema()["$defs"]
    missing = [
        f"{name}.{key}"
        for name, definition in definitions.items()
        for key, option in definition.get("properties", {}).items()
        if "description" not in {**definitions.get(option.get("$ref", "")[8:], {}), **option}
    ]
    assert missing == []


def test_the_reference_has_a_table_for_everything() -> None:
    """Sections, source types, gates and decoders, with defaults in units and what is required."""
    text = reference_markdown()
    for section in ("agent", "mqtt", "mqtt.tls", "outbox", "models.NAME", "pipelines.NAME.track"):
        assert f"## `{section}`\n" in text
    for name in SOURCES.names():
        assert f"## `sources.NAME` with `type: {name}`\n" in text
    for name in GATES.names():
        assert f"## `pipelines.NAME.gate.{name}`\n" in text
    for name in DECODERS.names():
        assert f"## `models.NAME.task` with `name: {name}`\n" in text
    assert "| `max_age` | a duration such as 3s, above 0 seconds | `7d` |" in text
    assert "| `threshold` | a number from 0 to 1 | `0.5` | Least score of a result. |" in text
    assert "| `file` | a file path | required | The video file. |" in text
    assert (
        "| `task` | 'auto', a decoder's name, or a mapping with name and options | `auto` |" in text
    )
    assert "object at 0x" not in text
    assert "***" not in text
    gates = ", ".join(f"`{name}`" for name in GATES.names())
    assert f"Sections of it, each described below: {gates}.\n" in text


def test_the_reference_says_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same text wherever it is made."""
    before = reference_markdown()
    monkeypatch.setattr("socket.gethostname", lambda: "another-host")
    assert reference_markdown() == before


def test_a_small_configuration_imports_no_more_than_it_uses(tmp_path: Path) -> None:
    """Sources, gates and decoders that the YAML does not name are not imported."""
    (tmp_path / "m.tflite").touch()
    text = (
        "models: {m: {file: m.tflite}}\nsources: {s: {type: video, file: a.mp4}}\n"
        "pipelines: {p: {source: s, model: m}}\n"
    )
    (tmp_path / "c.yaml").write_text(text)
    code = (
        "import sys; from edge_agent.config.load import load_config; "
        "assert load_config(sys.argv[1]).config; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "c.yaml")],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parent,
    )
    loaded = set(done.stdout.split())
    assert "edge_agent.sources.video" in loaded
    for name in ("sources.http", "sources.camera", "gates.motion", "decoders.ssd", "mqtt.client"):
        assert f"edge_agent.{name}" not in loaded
    assert "paho" not in loaded
    assert "ai_edge_litert" not in loaded
