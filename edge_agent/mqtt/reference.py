"""The reference of a payload as Markdown, made from the schema it is checked against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_agent.mqtt.payloads import load_schema

_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
}


def payload_markdown(name: str) -> str:
    """A table of the fields of one payload; raises KeyError for an unknown one."""
    schema = load_schema(name)
    version = schema["properties"]["schema"]["const"]
    rows = "\n".join(_rows(schema, ""))
    return (
        f"### `{version}`\n\n{schema['description']}.\n\n"
        f"| field | value | meaning |\n|---|---|---|\n{rows}\n"
    )


def _rows(schema: dict[str, Any], path: str) -> Iterator[str]:
    """The fields of an object, and those of the objects in them."""
    for name, field in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        missing = "" if name in schema.get("required", ()) else "; may be missing"
        yield f"| `{below}` | {_value(field)}{missing} | {field['description']} |"
        yield from _rows(field, below)
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        yield from _rows(inner, f"{path}.NAME")
    if "items" in schema:
        yield from _rows(schema["items"], f"{path}[]")


def _value(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return _listed([f"`{word}`" for word in schema["enum"]])
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    text = _listed([_one_value(kind, schema) for kind in types if kind != "null"])
    if "null" not in types:
        return text
    return f"{text}; or null" if "," in text else f"{text} or null"


def _one_value(kind: str, schema: dict[str, Any]) -> str:
    inner = schema["items"] if kind == "array" else schema.get("additionalProperties")
    each = (
        f", each {_value(inner)}" if isinstance(inner, dict) and "properties" not in schema else ""
    )
    if kind == "array":
        count = schema.get("minItems") if schema.get("minItems") == schema.get("maxItems") else None
        return f"array{f' of {count}' if count else ''}{each}"
    if kind == "object":
        return f"object{each}"
    limits = {"minimum": " from {}", "maximum": " to {}"}
    bounds = "".join(text.format(schema[key]) for key, text in limits.items() if key in schema)
    return f"{_WORDS[kind]}{bounds}"


def _listed(words: list[str]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]]) if words[1:] else words[0]
