"""JSON Schema of the whole YAML, for editors that complete and check while typing."""

from __future__ import annotations

from typing import Any

from edge_agent.config.schema import Config

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_FILLED = "filled"
_NOTES = ("title", "description", "default", "examples")
_KEYWORDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
"""Limits behind a unit, which pydantic leaves under its own names."""


def config_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the configuration.

    Every source type, gate and decoder that is installed is in it. A `${...}` may stand for any
    single value.
    """
    schema = Config.model_json_schema(by_alias=True, mode="validation")
    schema = _allow_filled(schema)
    schema["$defs"][_FILLED] = {
        "title": "Value from outside the file",
        "description": "${VAR}, ${VAR:-default}, ${credential:NAME} or ${file:PATH}",
        "type": "string",
        "pattern": r"\$\{[^{}]*\}",
    }
    return {"$schema": _DIALECT, **schema, "title": "edge-agent configuration"}


def _allow_filled(node: Any) -> Any:
    """The schema with `${...}` allowed wherever it asks for a number, a switch or a word."""
    if isinstance(node, list):
        return [_allow_filled(item) for item in node]
    if not isinstance(node, dict):
        return node
    copied = {
        key: item if key in ("default", "examples", "enum") else _allow_filled(item)
        for key, item in node.items()
    }
    kind = node.get("type")
    if kind in ("number", "integer"):
        copied = {_KEYWORDS.get(key, key): item for key, item in copied.items()}
    if "enum" not in node and kind not in ("number", "integer", "boolean"):
        return copied
    notes = {key: copied.pop(key) for key in _NOTES if key in copied}
    return {**notes, "anyOf": [copied, {"$ref": f"#/$defs/{_FILLED}"}]}
