"""One lifecycle for every registered source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import SourceError
from edge_agent.options import Options, Secret
from edge_agent.sources import SOURCES
from edge_agent.sources.i2c import Register
from edge_agent.sources.mqtt import Subscription
from edge_agent.sources.parts import PartConfig
from edge_agent.sources.sysfs import SysfsOptions

_MISSING = PartConfig("sysfs", SysfsOptions({"cpu": "/nonexistent/temp"}))
# What each kind needs at least; nothing of it exists.
_OPTIONS: dict[str, dict[str, Any]] = {
    "camera": {"device": "/dev/video99"},
    "rtsp": {"url": Secret("rtsp://127.0.0.1:1/x"), "timeout": 0.5},
    "http": {"url": Secret("http://127.0.0.1:1/x"), "timeout": 0.5},
    "picamera": {},
    "video": {"file": Path("/nonexistent/clip.mp4")},
    "audio": {"file": Path("/nonexistent/sound.wav")},
    "iio": {"device": "no-such-device"},
    "i2c": {"address": 0x48, "bus": 99, "channels": {"x": Register(0)}},
    "mqtt": {"port": 1, "channels": {"x": Subscription("a/b")}},
    "http_json": {"url": Secret("http://127.0.0.1:1/x"), "channels": {"x": "a"}},
    "sysfs": {"channels": {"cpu": "/nonexistent/temp"}},
    "fusion": {"parts": {"a": _MISSING, "b": _MISSING}, "timeout": 0.1},
    "images": {"files": ("/nonexistent/picture.jpg",)},
    "lines": {"tcp": "127.0.0.1:1", "timeout": 0.5},
    "text": {"file": Path("/nonexistent/log.txt")},
    "csv": {"file": Path("/nonexistent/rows.csv")},
}


def _build(kind: str) -> Any:
    source: Any = SOURCES.load(kind)
    assert issubclass(source.Options, Options)
    return source("door", source.Options(**_OPTIONS[kind]))


@pytest.mark.parametrize("kind", SOURCES.names())
def test_stop_without_start_and_twice(kind: str) -> None:
    """A source that was never started stops, also twice, and then has no frames."""
    source = _build(kind)
    assert source.name == "door"
    assert isinstance(source.live, bool)
    source.stop()
    source.stop()
    assert source.read() is None


@pytest.mark.parametrize("kind", SOURCES.names())
def test_start_of_what_is_missing(kind: str) -> None:
    """A source whose world is missing says so with a cure, again and again, and stops."""
    source = _build(kind)
    for _ in range(2):
        with pytest.raises(SourceError) as error:
            source.start()
        assert error.value.cure
        source.stop()


@pytest.mark.parametrize("kind", SOURCES.names())
def test_options_have_a_schema(kind: str) -> None:
    """Every option has a help text, and the schema builds."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(SOURCES.load(kind).Options)
    for name, field in adapter.json_schema()["properties"].items():
        assert field.get("description"), name
    assert adapter.validate_python(_OPTIONS[kind])
