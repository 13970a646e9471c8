"""Sources inside a source: how the YAML writes them, each with its `type` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from edge_agent.registry import UnknownName
from edge_agent.sources import SOURCES

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True, slots=True)
class PartConfig:
    """The type of a source and its options."""

    type: str
    options: Any


class _Inline:
    """Marks a source that is written in full where it is used."""

    words = "a mapping with a type and its options, as of a source"

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Read `type` and what stands beside it."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_plain_validator_function(_read)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say that a type is needed; the rest depends on it."""
        kinds = {"enum": [name for name in SOURCES.names() if name != "fusion"]}
        return {"type": "object", "properties": {"type": kinds}, "required": ["type"]}


Part = Annotated[Any, _Inline()]
"""A source inside a source; it is read into a `PartConfig`."""


def _read(value: Any) -> PartConfig:
    """Raises ValueError, or the ValidationError of the options with their places."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - heavy, only for schemas

    if isinstance(value, PartConfig):
        return value
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ValueError("expected a mapping with a type, as of a source")  # noqa: TRY004
    kind = value["type"]
    if kind == "fusion":
        raise ValueError("a fusion cannot be a part of another")
    try:
        options = SOURCES.load(kind).Options
    except UnknownName as error:
        raise ValueError(f"type {error}") from None
    rest = {key: item for key, item in value.items() if key != "type"}
    return PartConfig(kind, TypeAdapter(options).validate_python(rest))
