"""One lifecycle for every registered gate."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.gates import GATES
from edge_agent.options import Options
from tests.gates.scenes import frame, play, room, still

_WITH_MEMORY = [name for name in GATES.names() if name != "schedule"]


def _build(name: str) -> Any:
    gate: Any = GATES.load(name)
    assert issubclass(gate.Options, Options)
    return gate(gate.Options())


@pytest.mark.parametrize("name", GATES.names())
def test_reset_before_any_frame_and_twice(name: str) -> None:
    """A gate that saw nothing can be reset, also twice, and then passes the first frame."""
    gate = _build(name)
    gate.reset()
    gate.reset()
    assert gate.check(frame(room(), 5.0), False).passed


@pytest.mark.parametrize("name", GATES.names())
def test_after_a_reset(name: str) -> None:
    """A gate that was reset judges as a new one, also when time starts again."""
    pictures = still(room(), 40)
    gate = _build(name)
    play(gate, pictures, start=100.0)
    gate.reset()
    assert play(gate, pictures) == play(_build(name), pictures)


@pytest.mark.parametrize("name", _WITH_MEMORY)
def test_two_gates_of_a_kind(name: str) -> None:
    """Two gates of one kind share nothing: each passes its own first frame."""
    first, second = _build(name), _build(name)
    play(first, still(room(), 40))
    assert not first.check(frame(room(), 3.95), False).passed
    assert second.check(frame(room(), 3.95), False).passed


@pytest.mark.parametrize("name", GATES.names())
def test_options_have_a_schema(name: str) -> None:
    """Every option has a help text and a default, and the schema builds."""
    pydantic = pytest.importorskip("pydantic")
    adapter = pydantic.TypeAdapter(GATES.load(name).Options)
    schema = adapter.json_schema()
    for option, field in schema["properties"].items():
        assert field.get("description"), option
    assert "required" not in schema
    assert adapter.validate_python({}) == GATES.load(name).Options()
