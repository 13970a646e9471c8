"""Options of the stages that the YAML chooses by name: sources, gates, features and decoders.

The class behind a name is imported when the YAML uses it, so a configuration costs no more than
what it asks for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter, ValidationError
from pydantic_core import (
    CoreSchema,
    PydanticCustomError,
    PydanticKnownError,
    SchemaValidator,
    core_schema,
)

from edge_agent.config.fields import REQUIRED, Field, as_mapping, fields_of
from edge_agent.config.problem import YamlPath, did_you_mean, quoted
from edge_agent.decoders import DECODERS
from edge_agent.gates import GATES
from edge_agent.options import Options
from edge_agent.preprocess.signal import STREAM_STAGES, WINDOW_STAGES
from edge_agent.preprocess.text import TEXT_STAGES
from edge_agent.registry import Registry, UnknownName
from edge_agent.sources import SOURCES
from edge_agent.sources.parts import PartConfig

JsonSchema = dict[str, Any]

_log = logging.getLogger(__name__)


def fault(path: YamlPath, message: str, hint: str = "") -> ValidationError:
    """A mistake in our own words at a path below the value being read."""
    error = PydanticCustomError("config", "{message}", {"message": message, "hint": hint})
    return ValidationError.from_exception_data(
        "config", [{"type": error, "loc": path, "input": None}]
    )


def _missing(key: str) -> ValidationError:
    return ValidationError.from_exception_data(
        "config", [{"type": "missing", "loc": (key,), "input": None}]
    )


@dataclass(frozen=True, slots=True)
class Plugins:
    """The classes of one stage, `what` being their name in messages."""

    registry: Registry[Any]
    what: str
    synonyms: tuple[tuple[str, str], ...] = ()

    def options_class(self, name: str) -> Any:
        """Options class of a stage, None where there is none of that name or it is broken."""
        try:
            return self.registry.load(name).Options
        except UnknownName:
            return None
        except Exception:  # noqa: BLE001 - a plug-in may fail in any way; it is logged
            _log.exception("%s %r cannot be loaded", self.what, name)
            return None

    def read(self, name: Any, values: dict[str, Any], at: YamlPath) -> Any:
        """The options of the stage of that name; `at` is the path of the name."""
        if not isinstance(name, str):
            raise fault(at, f"expected the name of a {self.what}", self._known(""))
        if name not in self.registry.names():
            raise fault(at, f"unknown {self.what} {quoted(name)}", self._known(name))
        options = self.options_class(name)
        if options is None:
            raise fault(at, f"{self.what} {quoted(name)} cannot be loaded", "the log says why")
        return _adapter(options).validate_python(values)

    def fields(self, name: Any) -> dict[str, Field]:
        """Fields of the options of that name, none where it is unknown."""
        options = self.options_class(name) if isinstance(name, str) else None
        return (fields_of(options) if options else None) or {}

    def json_schemas(self, handler: GetJsonSchemaHandler) -> dict[str, JsonSchema]:
        """JSON Schema of the options of every known class, in full (no reference)."""
        found = {}
        for name in self.registry.names():
            options = self.options_class(name)
            if options is not None:
                schema = handler(_adapter(options).core_schema)
                found[name] = dict(handler.resolve_ref_schema(schema))
        return found

    def _known(self, name: str) -> str:
        for words, meant in self.synonyms:
            if name.lower() in words.split():
                return f"write {meant}"
        return did_you_mean(name, self.registry.names())


@cache
def _adapter(options: Any) -> TypeAdapter[Any]:
    return TypeAdapter(options)


_SOURCES = Plugins(
    SOURCES,
    "source type",
    (
        ("mjpeg mjpg jpeg jpg https snapshot", "http, with the http:// address of the pictures"),
        ("onvif rtsps h264 h265", "rtsp, with the rtsp:// address that the camera gives"),
        ("ip ipcam ipcamera network stream", "rtsp or http, as the camera's address begins"),
        ("webcam usb uvc v4l v4l2 device", "camera"),
        ("libcamera rpicam raspicam csi", "picamera"),
        ("ffmpeg opencv gstreamer", "rtsp for a camera's stream, video for a file"),
        ("mp4 avi mkv mov", "video"),
        ("file", "video, images for pictures, csv for numbers, or text"),
        ("table tsv npy npz array numpy excel", "csv, with the file"),
        ("serial uart tty rs232 rs485 modem arduino", "lines, with serial: /dev/..."),
        ("tcp udp socket fifo pipe stdin", "lines for numbers, or text"),
        ("tail log logfile syslog", "text, with the file"),
        ("folder directory", "images"),
        ("microphone mic sound wav alsa arecord pulse pulseaudio pipewire", "audio"),
        ("hwmon thermal temperature", "sysfs"),
        ("smbus smbus2 i2cdev", "i2c"),
        ("adc accelerometer imu", "iio, or i2c for a chip without a driver"),
        ("json rest api poll", "http_json"),
        ("zigbee2mqtt broker topic", "mqtt"),
        ("join merge combine", "fusion"),
    ),
)
"""With what other programs call the same."""

GATE_PLUGINS = Plugins(GATES, "gate")
STREAM_PLUGINS = Plugins(STREAM_STAGES, "stage of a signal")
WINDOW_PLUGINS = Plugins(WINDOW_STAGES, "feature")
TEXT_PLUGINS = Plugins(TEXT_STAGES, "way to make numbers of text")
_DECODERS = Plugins(DECODERS, "decoder")


def _plain_schema(read: Callable[[Any], Any]) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(read)


def _with_constant(schema: JsonSchema, key: str, value: str, doc: str) -> JsonSchema:
    """The schema of an object that has one more key with one possible value."""
    constant = {key: {"const": value, "description": doc}}
    properties = {**constant, **schema.get("properties", {})}
    required = [key, *schema.get("required", [])]
    return {**schema, "title": value, "properties": properties, "required": required}


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where frames come from; in YAML the options stand beside `type`."""

    type: str
    options: Options

    doc: ClassVar[str] = "Kind of source."

    @property
    def parts(self) -> dict[str, SourceConfig]:
        """The sources that it is made of, by their names in it; none for most."""
        found: dict[str, PartConfig] = getattr(self.options, "parts", None) or {}
        return {name: SourceConfig(part.type, part.options) for name, part in found.items()}

    @property
    def is_pictures(self) -> bool:
        """Whether its frames are single pictures, not a course of events."""
        return self.type == "images" or any(part.is_pictures for part in self.parts.values())

    @property
    def gives_pictures(self) -> bool:
        """Whether its frames are pictures, not a signal or text."""
        by_parts = any(part.gives_pictures for part in self.parts.values())
        return by_parts or getattr(SOURCES.load(self.type), "medium", "picture") == "picture"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain_schema(cls._read)

    @classmethod
    def _read(cls, value: Any) -> SourceConfig:
        if not isinstance(value, dict):
            raise PydanticKnownError("dict_type")
        if "type" not in value:
            raise _missing("type")
        rest = {key: item for key, item in value.items() if key != "type"}
        return cls(value["type"], _SOURCES.read(value["type"], rest, ("type",)))

    @classmethod
    def variants(cls) -> dict[str, dict[str, Field]]:
        """Options of every type, under what the YAML writes to choose it."""
        return {f"type: {name}": _SOURCES.fields(name) for name in SOURCES.names()}

    @classmethod
    def yaml_fields(cls, value: Any) -> dict[str, Field]:
        """Keys that stand beside the type that the value names."""
        doc = f"Kind of source: {', '.join(SOURCES.names())}."
        return {"type": Field(str, doc=doc)} | _SOURCES.fields(as_mapping(value).get("type"))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        kinds = _SOURCES.json_schemas(handler)
        return {"oneOf": [_with_constant(kinds[name], "type", name, cls.doc) for name in kinds]}


def with_parts(sources: Mapping[str, SourceConfig]) -> dict[str, SourceConfig]:
    """The sources with those that they are made of, which are called SOURCE.PART."""
    return {
        name: each
        for source, config in sources.items()
        for name, each in (
            (source, config),
            *((f"{source}.{part}", each) for part, each in config.parts.items()),
        )
    }


@dataclass(frozen=True, slots=True)
class StageOptions:
    """Marks `gate:` and the like: from a stage's name to its options, in the order of the file."""

    plugins: Plugins

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return _plain_schema(self._read)

    def _read(self, value: Any) -> dict[str, Options]:
        if not isinstance(value, dict):
            raise PydanticKnownError("dict_type")
        fields = {
            name: core_schema.typed_dict_field(_adapter(field.annotation).core_schema)
            for name, field in self.yaml_fields(value).items()
            if name in value and field.annotation
        }
        schema = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
        found: dict[str, Options] = SchemaValidator(schema).validate_python(value)
        return found

    def yaml_fields(self, value: Any) -> dict[str, Field]:
        """All stages; only those that the value names are imported to know their options."""
        used, known = as_mapping(value), self.plugins.registry.names()
        return {
            name: Field(self.plugins.options_class(name) if name in used else None, {})
            for name in sorted(known, key=(*used, *known).index)
        }

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        stages = {
            name: {**options, "type": ["object", "null"]}
            for name, options in self.plugins.json_schemas(handler).items()
        }
        return {"type": "object", "properties": stages, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """The decoder of a model's outputs: `name` and `options`, or None for the automatic choice."""

    name: str | None = None
    options: Any = None

    words: ClassVar[str] = "'auto', a decoder's name, or a mapping with name and options"
    doc: ClassVar[str] = "Decoder."

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _plain_schema(cls._read)

    @classmethod
    def _read(cls, value: Any) -> TaskConfig:
        if value == "auto":
            return cls()
        if isinstance(value, str):
            return cls(value, _DECODERS.read(value, {}, ()))
        if not isinstance(value, dict):
            raise PydanticKnownError("dict_type")
        if "name" not in value:
            raise _missing("name")
        rest = {key: item for key, item in value.items() if key != "name"}
        if value["name"] == "auto" and not rest:
            return cls()
        return cls(value["name"], _DECODERS.read(value["name"], rest, ("name",)))

    @classmethod
    def variants(cls) -> dict[str, dict[str, Field]]:
        """Options of every decoder, under what the YAML writes to choose it."""
        return {f"name: {name}": _DECODERS.fields(name) for name in DECODERS.names()}

    @classmethod
    def yaml_fields(cls, value: Any) -> dict[str, Field]:
        """Keys that stand beside the name that the value holds."""
        doc = f"Decoder: {', '.join(DECODERS.names())}."
        return {"name": Field(str, REQUIRED, doc)} | _DECODERS.fields(as_mapping(value).get("name"))

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        kinds = _DECODERS.json_schemas(handler)
        named = [_with_constant(kinds[name], "name", name, cls.doc) for name in kinds]
        return {"anyOf": [{"enum": ["auto", *kinds]}, *named]}
