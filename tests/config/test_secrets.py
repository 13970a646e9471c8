"""No secret is ever shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.config.load import Loaded, load_config
from edge_agent.config.masked import masked
from edge_agent.config.problem import is_secret_path, quoted
from tests.support.configs import good, load

TEXT = """\
agent: {name: a}
mqtt: {host: "${HOST}", username: u, password: "${PW}"}
models: {m: {file: m.tflite, delegate: {library: l.so, options: {api_token: xyzzy, mode: "1"}}}}
sources:
  s: {type: rtsp, url: "rtsp://me:${PW}@cam/1"}
  h: {type: http, url: http://cam/x.jpg?auth=xyzzy, password: xyzzy}
  f: {type: fusion, parts: {a: {type: mqtt, host: "${HOST}", username: u, password: xyzzy,
      channels: {x: {topic: t}}},
      b: {type: http_json, url: "http://h/", token: xyzzy, channels: {x: y}}}}
  c: {type: camera, device: "rtsp://me:xyzzy@cam/1", size: [640, 480]}
pipelines:
  p: {source: s, model: m, lines: {l: {from: [0, 0], to: [0, 1]}}}
"""


def test_a_configuration_to_show(tmp_path: Path) -> None:
    """It has the shape of the YAML, with stars for passwords, addresses and filled values."""
    shown = masked(good(tmp_path, TEXT, {"HOST": "secret.host", "PW": "hunter2"}))
    assert "xyzzy" not in json.dumps(shown)
    assert "hunter2" not in json.dumps(shown)
    assert shown["mqtt"]["host"] == "***"
    assert shown["mqtt"]["username"] == "u"
    assert shown["mqtt"]["password"] == "***"
    assert shown["models"]["m"]["file"] == f"{tmp_path}/m.tflite"
    assert shown["models"]["m"]["task"] == "auto"
    assert shown["models"]["m"]["delegate"]["options"] == {"api_token": "***", "mode": "1"}
    assert shown["sources"]["s"] == {
        "type": "rtsp",
        "url": "***",
        "transport": "tcp",
        "timeout": 5.0,
    }
    assert shown["sources"]["f"]["parts"]["a"]["host"] == "***"
    assert shown["sources"]["c"]["device"] == "***"
    assert shown["sources"]["c"]["size"] == [640, 480]
    assert shown["pipelines"]["p"]["lines"]["l"] == {
        "from": [0.0, 0.0], "to": [0.0, 1.0], "via": [], "anchor": "bottom"
    }  # fmt: skip


def test_what_is_shown_is_a_configuration(tmp_path: Path) -> None:
    """A configuration without secrets can be written, masked, as YAML and read again."""
    text = """\
        models: {m: {file: m.tflite, task: {name: ssd, max: 3}, labels: [a, b]}}
        sources: {s: {type: camera}}
        pipelines: {p: {source: s, model: m, gate: {rate: {}}, zones: {}}}
        """
    shown = masked(good(tmp_path, text))
    assert masked(good(tmp_path, yaml.safe_dump(shown))) == shown


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (("mqtt", "password"), True),
        (("a", "API_TOKEN"), True),
        (("a", "secretKey", 0), True),
        (("mqtt", "tls", "key_file"), False),
        (("pipelines", "monkey", "threshold"), False),
        ((), False),
    ],
)
def test_secret_keys(path: tuple[str | int, ...], secret: bool) -> None:
    """The last key tells; a file's path is no secret."""
    assert is_secret_path(path) is secret


def test_a_text_that_may_be_an_address_is_not_quoted() -> None:
    """A password in a broken address would otherwise be shown."""
    assert "pw" not in quoted("rtsp:/user:pw@cam")
    assert quoted("plain") == "'plain'"
    assert len(quoted("x" * 1000)) < 60


SECRET = "hunter2xyzzy"  # a text that no message has by itself
WRONG = st.sampled_from([SECRET, [SECRET], {"x": SECRET}, [[SECRET, 1]], f"{SECRET} {SECRET}"])
URL = st.sampled_from(
    [
        f"rtsp://user:{SECRET}@cam/1",
        f"rtsp:/user:{SECRET}@cam",
        f"user:{SECRET}@cam",
        f"rtsp://user:a/{SECRET}@cam",
        [f"rtsp://user:{SECRET}@cam/1"],
    ]
)
FILLED = st.sampled_from(["${PW}", "x${PW}y", ["${PW}"], {"type": "${PW}"}, [["${PW}", 2]]])
SECRETS: dict[tuple[str, ...], Any] = {
    ("mqtt", "password"): WRONG | FILLED,
    ("mqtt", "tls"): FILLED,
    ("mqtt", "port"): FILLED | URL,
    ("mqtt", "keepalive"): FILLED | URL,
    ("agent", "log_level"): FILLED | URL,
    ("agent", "name"): FILLED | URL,
    ("agent", "token"): WRONG | FILLED,
    ("models", "m", "file"): FILLED | URL,
    ("models", "m", "sha256"): FILLED | URL,
    ("models", "m", "task"): FILLED | URL,
    ("models", "m", "labels"): FILLED | URL,
    ("models", "m", "delegate", "options"): st.fixed_dictionaries({"key": WRONG}) | FILLED,
    ("sources", "s", "url"): WRONG | URL | FILLED,
    ("sources", "s", "type"): FILLED | URL,
    ("sources", "s", "password"): WRONG | FILLED,
    ("sources", "v", "file"): URL | FILLED,
    ("pipelines", "p", "source"): FILLED | URL,
    ("pipelines", "p", "labels"): FILLED | URL,
    ("pipelines", "p", "gate"): FILLED | URL,
    ("pipelines", "p", "track"): st.fixed_dictionaries({"hits": FILLED}) | FILLED,
    ("pipelines", "p", "zones", "z", "polygon"): FILLED | URL,
    ("pipelines", "p", "publish", "snapshots"): FILLED | URL,
}


def base() -> dict[str, Any]:
    """A configuration into which secrets are put."""
    return {
        "mqtt": {"username": "u"},
        "models": {"m": {"file": "m.tflite"}},
        "sources": {"s": {"type": "http", "url": "http://a/b"}, "v": {"type": "video"}},
        "pipelines": {"p": {"source": "s", "model": "m"}},
    }


def shown(loaded: Loaded) -> str:
    """Everything that a user or a log may see of it."""
    lines = [str(problem) for problem in (*loaded.problems, *loaded.warnings)]
    if loaded.config is not None:
        lines += [json.dumps(masked(loaded.config)), repr(loaded.config.mqtt.password)]
    return "\n".join(lines)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_no_secret_in_any_text(tmp_path: Path, data: st.DataObject) -> None:
    """Wherever a secret stands, right or wrong, neither a problem nor the masked values have it."""
    values = base()
    for path in data.draw(st.sets(st.sampled_from(sorted(SECRETS)), min_size=1, max_size=4)):
        section = values
        for key in path[:-1]:
            section = section.setdefault(key, {})
            if not isinstance(section, dict):
                break
        else:
            section[path[-1]] = data.draw(SECRETS[path])
    loaded = load(tmp_path, yaml.safe_dump(values), {"PW": SECRET})
    assert SECRET not in shown(loaded)


@pytest.mark.parametrize(
    "text",
    [
        f"mqtt:\n  password: @{SECRET}\n",
        f"mqtt:\n  password: *{SECRET}\n",
        f"mqtt:\n  password: &{SECRET}\n",
        f"mqtt:\n  password: !{SECRET}\n",
        f"mqtt:\n  password: {SECRET}: x\n",
        f"mqtt:\n  password: '{SECRET}\n",
        f"mqtt:\n  password: [{SECRET}\n",
        f"mqtt:\n  password: {{{SECRET}}}\n",
        f'mqtt:\n  password: "\\{SECRET}"\n',
        f"mqtt:\n  password: |{SECRET}\n",
        f"mqtt:\n  password: a #{SECRET}\n",
        f"mqtt:\n  password: ${{{SECRET} x}}\n",
    ],
)
def test_no_secret_in_a_syntax_error(tmp_path: Path, text: str) -> None:
    """A password that YAML stumbles over is not repeated."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    loaded = load_config(file, {})
    assert loaded.problems or loaded.warnings
    assert SECRET not in shown(loaded)
