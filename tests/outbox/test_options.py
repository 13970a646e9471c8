"""The outbox's options as the YAML gives them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_agent.outbox.options import OutboxOptions

_READER = TypeAdapter(OutboxOptions)


def test_sizes_and_durations_carry_units() -> None:
    """The defaults, written out."""
    written = _READER.validate_python({"max_bytes": "64MiB", "max_age": "7d"})
    assert written == OutboxOptions()


@pytest.mark.parametrize("values", [{"max_bytes": "1kB"}, {"max_age": "0s"}, {"max_size": 1}])
def test_useless_bounds_are_refused(values: dict[str, Any]) -> None:
    """An outbox without room or time, or a misspelt key, is a mistake."""
    with pytest.raises(ValidationError):
        _READER.validate_python(values)
