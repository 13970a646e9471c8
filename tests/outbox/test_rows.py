"""Events as rows of the database."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.message import Delivery, Message
from edge_agent.outbox.queues import Item
from edge_agent.outbox.rows import from_row, to_row

_TEXT = st.text(max_size=20)
_MESSAGES = st.builds(
    Message,
    _TEXT,
    st.binary(max_size=50),
    st.just(Delivery.EVENT),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
    _TEXT,
    st.none() | st.integers(0, 2**32 - 1),
    st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple),
)


@given(message=_MESSAGES, number=st.integers(1, 2**53))
def test_an_event_comes_back_as_it_was(message: Message, number: int) -> None:
    """Every field, whatever is in it."""
    item = Item(number, message, 1.5, number, number)
    assert from_row(to_row(item)) == item
