"""What subscribers hold on to stays as long as the version of a schema does.

`contract.json` lists, for each schema and version, every field with its type. Fields may be added
there and to the schemas; one that goes, changes its type or becomes optional needs a new version.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.mqtt.payloads import SCHEMAS, load_schema

FILE = Path(__file__).with_name("contract.json")
CONTRACT: dict[str, dict[str, str]] = json.loads(FILE.read_text("utf-8"))


def promises(schema: dict[str, Any], path: str = "", needed: bool = True) -> Iterator[Any]:
    """Each field's path with its type, as in `{"clock.boot_id": "string"}`.

    `[]` stands for any item, `*` for any name; `?` after a type for a field that may be left out.
    """
    if path:
        yield path, _type(schema) + ("" if needed else " ?")
    for name, field in schema.get("properties", {}).items():
        below = f"{path}.{name}" if path else name
        yield from promises(field, below, name in schema.get("required", ()))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from promises(schema["additionalProperties"], f"{path}.*")
    if "items" in schema:
        yield from promises(schema["items"], f"{path}[]")


def _type(schema: dict[str, Any]) -> str:
    if "const" in schema:
        return f"const {schema['const']}"
    if "enum" in schema:
        return f"enum {' '.join(schema['enum'])}"
    types = schema["type"]
    text = types if isinstance(types, str) else " or ".join(types)
    sizes = {schema.get("minItems"), schema.get("maxItems")} - {None}
    return text + "".join(f" of {size}" for size in sizes)


def broken(schema: dict[str, Any]) -> list[str]:
    """Promises of the schema's version that it does not keep."""
    kept = dict(promises(schema))
    promised = CONTRACT[schema["properties"]["schema"]["const"]]
    return [path for path, kind in promised.items() if kept.get(path) != kind]


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_promise_is_broken(name: str) -> None:
    """Nothing that a subscriber may rely on has gone, changed its type or become optional."""
    assert broken(load_schema(name)) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_required_field_is_promised(name: str) -> None:
    """What is required from now on stands in the contract from now on."""
    schema = load_schema(name)
    promised = CONTRACT[f"edge-agent/{name}/1"]
    required = {path for path, kind in promises(schema) if not kind.endswith("?")}
    assert required - set(promised) == set()


def _fields(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Each object's schema with the name of one of its fields."""
    for name in schema.get("properties", {}):
        yield schema, name
    inner = [*schema.get("properties", {}).values(), schema.get("items")]
    for each in [*inner, schema.get("additionalProperties")]:
        if isinstance(each, dict):
            yield from _fields(each)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_broken_promise_is_noticed(name: str) -> None:
    """Each field in turn goes, gets another name, another type, becomes optional or nullable."""
    places = len(list(_fields(load_schema(name))))
    assert places > 1
    for number in range(places):
        for change in (_remove, _rename, _retype, _make_optional, _make_nullable):
            schema = copy.deepcopy(load_schema(name))
            owner, field = list(_fields(schema))[number]
            is_optional = field not in owner["required"]
            if (owner, field) != (schema, "schema") and not (
                is_optional and change is _make_optional
            ):
                change(owner, field)
                assert broken(schema) != [], (field, change.__name__)


def _remove(owner: dict[str, Any], field: str) -> None:
    del owner["properties"][field]
    if field in owner["required"]:
        owner["required"].remove(field)


def _rename(owner: dict[str, Any], field: str) -> None:
    owner["properties"][f"{field}_"] = owner["properties"][field]
    owner["required"].append(f"{field}_")
    _remove(owner, field)


def _retype(owner: dict[str, Any], field: str) -> None:
    is_text = owner["properties"][field].get("type") == "string"
    owner["properties"][field] = {"type": "integer" if is_text else "string"}


def _make_optional(owner: dict[str, Any], field: str) -> None:
    owner["required"].remove(field)


def _make_nullable(owner: dict[str, Any], field: str) -> None:
    types = owner["properties"][field].get("type", "string")
    wider = types[0] if "null" in types else [types, "null"]
    owner["properties"][field]["type"] = wider
    owner["properties"][field].pop("enum", None)


def test_fields_may_be_added() -> None:
    """Readers pass over what they do not know, also inside."""
    schema = load_schema("event")
    schema["properties"]["novelty"] = {"type": "object", "properties": {"a": {"type": "integer"}}}
    schema["properties"]["clock"]["properties"]["leap"] = {"type": "boolean"}
    assert broken(schema) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described_at_every_depth(name: str) -> None:
    """The reference has no empty cells."""
    bare = [
        field
        for owner, field in _fields(load_schema(name))
        if not owner["properties"][field].get("description")
    ]
    assert bare == []
